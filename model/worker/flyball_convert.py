# SPDX-License-Identifier: Apache-2.0
"""Writes a model of scikit-learn as ONNX, in the model's own environment.

argv: a JSON file with the meta of LOAD (docs/formats/worker.md), and the file to write.
"""

import importlib
import json
import sys

import flyball_worker


def leaf(estimator):
    """The estimator at the end of a pipeline."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def by_name(estimator):
    """Whether a step looks for columns by their names."""
    if type(estimator).__name__ == "ColumnTransformer":
        return True
    return any(by_name(step) for _, step in getattr(estimator, "steps", ()))


def convert(about):
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import BooleanTensorType, DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

    estimator = flyball_worker.Model(about).raw
    if not hasattr(estimator, "get_params"):
        raise flyball_worker.Unfit("it is no model of scikit-learn")
    inputs = about["inputs"]

    def kind(c, real):
        if c["kind"] == "text":
            return StringTensorType
        if c["kind"] != "number":
            raise flyball_worker.Unfit("the column %r holds times" % c["name"])
        return {"long": Int64TensorType, "integer": Int64TensorType, "boolean": BooleanTensorType}.get(c.get("type"), real)

    options = {}
    if hasattr(leaf(estimator), "predict_proba"):
        options = {id(estimator): {"zipmap": False}}
    said = None
    for real in (DoubleTensorType, FloatTensorType):  # some converters know float32 alone
        if by_name(estimator):
            types = [(c["name"], kind(c, real)([None, 1])) for c in inputs]
        elif all(c["kind"] == "number" for c in inputs):
            types = [("X", real([None, len(inputs)]))]
        else:
            raise flyball_worker.Unfit("it takes texts without a ColumnTransformer")
        try:
            return convert_sklearn(estimator, initial_types=types, options=options).SerializeToString()
        except Exception as e:
            said = said or e
    raise said


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        about = json.load(f)
    for name in ("np", "pd"):
        try:
            setattr(flyball_worker, name, importlib.import_module({"np": "numpy", "pd": "pandas"}[name]))
        except ImportError:
            pass
    try:
        made = convert(about)
    except Exception as e:
        print("%s: %s" % (type(e).__name__, str(e)[:2000]), file=sys.stderr)
        raise SystemExit(1)
    with open(sys.argv[2], "wb") as f:
        f.write(made)


if __name__ == "__main__":
    main()
