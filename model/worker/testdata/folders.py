# SPDX-License-Identifier: Apache-2.0
"""Saves models with MLflow below the folder in argv[1], and prints as JSON what MLflow
answers for rows, one case a line."""

import io
import json
import math
import os
import sys
import warnings

warnings.simplefilter("ignore")
os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import xgboost
from mlflow.models import ModelSignature, infer_signature
from mlflow.pyfunc.scoring_server import predictions_to_json
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

N = 400
rng = np.random.default_rng(7)
num = pd.DataFrame(rng.normal(size=(N, 4)), columns=["a", "b", "c", "d e"])
y2 = (num["a"] + num["b"] > 0).astype(int)
y3 = np.array(["low", "mid", "high"])[(num["a"] > -0.5).astype(int) + (num["a"] > 0.5)]
mixed = pd.DataFrame({
    "n": rng.integers(0, 50, N).astype("int64"),
    "i": rng.integers(0, 50, N).astype("int32"),
    "f": rng.normal(size=N).astype("float32"),
    "s": np.array(["x", "yy", "ž"], dtype=object)[rng.integers(0, 3, N)],
    "t": rng.integers(0, 2, N).astype(bool),
})


def clean(v):
    if isinstance(v, float) and not math.isfinite(v):
        return None
    if isinstance(v, list):
        return [clean(x) for x in v]
    if isinstance(v, dict):
        return {k: clean(x) for k, x in v.items()}
    return v


def case(name, rows=None, kind="", classes=(), scores=None, body=None, params=None, lone=False):
    """One case: what pyfunc answers for rows (or a body of the scoring server)."""
    path = os.path.join(sys.argv[1], name)
    model = mlflow.pyfunc.load_model(path)
    if body is None:
        data = rows
    else:
        from mlflow.pyfunc.scoring_server import infer_and_parse_data

        data = infer_and_parse_data(json.loads(body), model.metadata.get_input_schema())
    answer = model.predict(data, params=params) if params else model.predict(data)
    out = io.StringIO()
    predictions_to_json(answer, out)
    columns, inputs = {}, []
    schema = model.metadata.get_input_schema()
    if rows is not None:
        types = {c.name: c.type.name for c in schema.inputs}
        for c in rows.columns:
            v = rows[c]
            if v.dtype == object or str(v.dtype) == "str":
                kind_, values = "text", [None if x is None or x != x else x for x in v]
            elif str(v.dtype).startswith("datetime64"):
                kind_, values = "time", [None if x is pd.NaT else x.value // 1000 for x in v]
            else:
                kind_, values = "number", [None if x != x else float(x) for x in v]
            columns[c] = values
            inputs.append({"name": c, "kind": kind_, "type": types[c]})
    print(json.dumps({
        "name": name, "folder": path, "inputs": inputs, "columns": columns, "kind": kind, "classes": list(classes),
        "answer": clean(json.loads(out.getvalue())["predictions"]), "body": body and json.loads(body), "params": params,
        "scores": None if scores is None else np.asarray(scores, dtype="f8").reshape(len(rows), -1).tolist(), "lone": lone,
    }))


def path(name):
    return os.path.join(sys.argv[1], name)


def sklearn(name, model, x, **more):
    mlflow.sklearn.save_model(model, path(name), signature=infer_signature(x, model.predict(x)), pip_requirements=["scikit-learn"], **more)


head = num.head(50)
logistic = LogisticRegression().fit(num, y2)
sklearn("logistic", logistic, num, serialization_format="pickle")
case("logistic", head, "binary", scores=logistic.predict_proba(head)[:, 1], lone=True)

sklearn("cloudpickle", logistic, num, serialization_format="cloudpickle")
case("cloudpickle", head, "binary", scores=logistic.predict_proba(head)[:, 1], lone=True)

sklearn("proba", logistic, num, serialization_format="pickle", pyfunc_predict_fn="predict_proba")
case("proba", head, "binary", scores=logistic.predict_proba(head)[:, 1], lone=True)

three = LogisticRegression().fit(num, y3)
sklearn("three", three, num, serialization_format="pickle")
case("three", head, "multiclass", ["low", "mid", "high"], three.predict_proba(head)[:, [list(three.classes_).index(c) for c in ("low", "mid", "high")]], lone=True)

pipe = make_pipeline(
    ColumnTransformer([("s", OneHotEncoder(handle_unknown="ignore"), ["s"])], remainder="passthrough"), LogisticRegression(max_iter=1000)
).fit(mixed, y3)
sklearn("pipe", pipe, mixed, serialization_format="cloudpickle")
case("pipe", mixed.head(50), "multiclass", sorted(set(y3)), pipe.predict_proba(mixed.head(50)))

forest = RandomForestRegressor(n_estimators=5, random_state=1).fit(num, num["a"] * 3)
sklearn("skops", forest, num, serialization_format="skops", skops_trusted_types=["sklearn.tree._tree.Tree"])
case("skops", head, "regression", scores=forest.predict(head))

holes = head.copy()
holes.iloc[3:20, 1] = np.nan
xc = xgboost.XGBClassifier(n_estimators=5).fit(num, y2)
mlflow.xgboost.save_model(xc, path("xgbclassifier"), signature=infer_signature(num, xc.predict(num)), pip_requirements=["xgboost"])
case("xgbclassifier", holes, "binary", scores=xc.predict_proba(holes)[:, 1])
booster = xgboost.train({"objective": "multi:softprob", "num_class": 3}, xgboost.DMatrix(num, label=(num["a"] > 0).astype(int) + (num["b"] > 0)), 5)
mlflow.xgboost.save_model(booster, path("booster"), signature=infer_signature(num, booster.predict(xgboost.DMatrix(num))), pip_requirements=["xgboost"])
case("booster", holes, "multiclass", ["0", "1", "2"], booster.predict(xgboost.DMatrix(holes)))

lb = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(num, y2), 5)
mlflow.lightgbm.save_model(lb, path("lightgbm"), signature=infer_signature(num, lb.predict(num)), pip_requirements=["lightgbm"])
case("lightgbm", holes, "binary", scores=lb.predict(holes))
lc = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(num, y3)
mlflow.lightgbm.save_model(lc, path("lgbmclassifier"), signature=infer_signature(num, lc.predict(num)), pip_requirements=["lightgbm"], serialization_format="cloudpickle")
case("lgbmclassifier", head, "multiclass", sorted(set(y3)), lc.predict_proba(head))


class Own(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        out = pd.DataFrame({
            "double": model_input["x"] * (params or {}).get("times", 2),
            "year": model_input["at"].dt.year,
            "at": model_input["at"],
            "kinds": [[str(d) for d in model_input.dtypes]] * len(model_input),
            "name": model_input["s"],
        })
        return out


own = pd.DataFrame({
    "x": [1.5, np.nan, 3.0], "at": pd.to_datetime(["2024-02-03T04:05:06", None, "1969-12-31T00:00:00"]).astype("datetime64[ns]"),
    "s": np.array(["a", "", "ü"], dtype=object),
})
mlflow.pyfunc.save_model(
    path("own"), python_model=Own(), pip_requirements=["pandas"],
    signature=ModelSignature(
        Schema([ColSpec("double", "x"), ColSpec("datetime", "at"), ColSpec("string", "s")]), None, ParamSchema([ParamSpec("times", "double", 2.0)])
    ),
)
case("own", own, params={"times": 4.0})
case("own", own)


class Tensor(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if isinstance(model_input, dict):
            return {k: v * 2 for k, v in model_input.items()}
        return np.concatenate([model_input * 2, [[model_input.dtype.itemsize] * model_input.shape[1]]])


mlflow.pyfunc.save_model(
    path("tensor"), python_model=Tensor(), pip_requirements=["numpy"],
    signature=ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 2))])),
)
case("tensor", body='{"inputs": [[1, 2], [3, 4.5]]}')
case("tensor", body='{"instances": [[1, 2], [3, 4.5]]}')


class Lists(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [np.float32(1.5), float("nan"), np.int64(3), None, np.datetime64("2024-01-02"), b"bytes", {"a": np.arange(3)}, pd.Timestamp("2024-01-02")]


mlflow.pyfunc.save_model(path("lists"), python_model=Lists(), pip_requirements=["numpy"])
case("lists", body='{"dataframe_split": {"columns": ["a"], "data": [[1]]}}')
