# SPDX-License-Identifier: Apache-2.0
"""Logs the two models of the recording that were made by hand: "tensor" sums each row,
and "types" tells what it was given. Used with MLflow 3; the argument is a folder."""

import json
import os
import sys

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ParamSchema, Schema

here = os.path.dirname(os.path.abspath(__file__))


class Sum(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        x = model_input.to_numpy() if isinstance(model_input, pd.DataFrame) else model_input
        return np.round(x.sum(axis=1), 6)


class Tell(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        def word(v):
            if v is None or v is pd.NaT or isinstance(v, float) and v != v:
                return float("nan")
            if isinstance(v, pd.Timestamp):
                return pd.Series([v]).astype(str)[0]
            return v.decode() if isinstance(v, bytes) else str(v)

        rows = [{c: word(v) for c, v in zip(model_input.columns, r)} for r in model_input.itertuples(index=False)]
        return [{"dtypes": {c: str(t) for c, t in model_input.dtypes.items()}, "rows": rows,
                 "params": {k: str(v) for k, v in (params or {}).items()}}]


def signature(name):
    import yaml

    with open(os.path.join(here, "models", name, "MLmodel")) as f:
        s = yaml.safe_load(f)["signature"]
    return ModelSignature(
        inputs=Schema.from_json(s["inputs"]),
        params=ParamSchema.from_json(s["params"]) if s["params"] else None,
    )


for name, made in (("tensor", Sum()), ("types", Tell())):
    mlflow.pyfunc.save_model(
        os.path.join(sys.argv[1], name), python_model=made, signature=signature(name), pip_requirements=["mlflow"]
    )
