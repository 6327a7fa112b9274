# SPDX-License-Identifier: Apache-2.0
"""Logs models of several libraries through MLflow's client and registers them as versions
of a model: python foreign.py CONFIG. What it registered, and what pyfunc says of the
rows when it has loaded each from the server, is written as JSON to standard output.

CONFIG is JSON: the data (a CSV), the last moment of it to train on, the rows to predict,
the model's name, the columns, a folder of more packages (for ONNX), the flavors."""

import json
import os
import sys

os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"  # of what is pickled below

import mlflow
import mlflow.lightgbm
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pandas as pd
from mlflow.models import infer_signature

config = json.loads(sys.argv[1])
table = pd.read_csv(config["data"])
table = table[table["ts"] < config["until"]]
x, y = table[config["columns"]].astype("float64"), table["cnt"].astype("float64")
asked = pd.DataFrame(config["rows"])[config["columns"]].astype("float64")


def lightgbm():
    import lightgbm as lgb

    return mlflow.lightgbm, lgb.train({"objective": "regression", "num_threads": 1, "verbose": -1}, lgb.Dataset(x, y), 60)


def xgboost():
    import xgboost as xgb

    return mlflow.xgboost, xgb.XGBRegressor(n_estimators=60, max_depth=5, n_jobs=1).fit(x, y)


def sklearn():
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeRegressor

    return mlflow.sklearn, make_pipeline(SimpleImputer(), DecisionTreeRegressor(max_depth=8, random_state=7)).fit(x, y)


def onnx():
    sys.path.append(config["more"])
    import mlflow.onnx
    from skl2onnx import to_onnx
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(20, max_depth=9, n_jobs=1, random_state=7).fit(x.fillna(0).astype("float32"), y)
    return mlflow.onnx, to_onnx(forest, x[:1].to_numpy("float32"))


def flat(predicted):
    if isinstance(predicted, pd.DataFrame):
        return [v for row in predicted.to_numpy() for v in np.asarray(row).ravel().tolist()]
    return np.asarray(predicted, dtype="float64").ravel().tolist()


mlflow.set_experiment("foreign")
out = []
for flavor in config["flavors"]:
    module, model = globals()[flavor]()
    more = {"serialization_format": "cloudpickle"} if flavor == "sklearn" else {}  # skops does not trust trees
    with mlflow.start_run():
        logged = module.log_model(model, name=flavor, signature=infer_signature(x, y), pip_requirements=["scikit-learn"], **more)
    version = mlflow.register_model(logged.model_uri, config["model"], tags={"flyball.seen_until": config["until"]})
    loaded = mlflow.pyfunc.load_model("models:/%s/%s" % (config["model"], version.version))
    out.append({"flavor": flavor, "version": int(version.version), "predictions": flat(loaded.predict(asked))})
print(json.dumps(out))
