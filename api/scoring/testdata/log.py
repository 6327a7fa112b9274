# SPDX-License-Identifier: Apache-2.0
"""Saves models of every kind that is scored here with the MLflow at hand, and prints what
pyfunc's predict makes of rows: {name: {"rows": a body, "predictions": …}}. The argument is
a folder."""

import io
import json
import os
import sys

import lightgbm as lgb
import mlflow
import numpy as np
import pandas as pd
import xgboost as xgb
from mlflow.models import ModelSignature
from mlflow.pyfunc.scoring_server import predictions_to_json
from mlflow.types import ColSpec, Schema
from sklearn.linear_model import LogisticRegression, Ridge

rng = np.random.default_rng(7)
names = ["sepal length (cm)", "width", "n"]
X = pd.DataFrame(rng.normal(size=(400, 3)), columns=names)
X["n"] = rng.integers(0, 9, size=400).astype("float64")
margin = X["width"] * 2 - X["n"] * 0.2 + rng.normal(size=400) * 0.3
two = (margin > 0).astype(int)
three = np.digitize(margin, [-1, 1])
words = np.array(["no", "yes"])[two]
signature = ModelSignature(inputs=Schema([ColSpec("double", n) for n in names]))
rows = X[:25].copy()
holes = rows.copy()
holes.iloc[::3, 1] = np.nan
plain = X.rename(columns={names[0]: "sepal_length"})


def booster(objective, y, **more):
    return xgb.train({"objective": objective, "max_depth": 3, **more}, xgb.DMatrix(X, y), 8)


def light(objective, y, **more):
    return lgb.train({"objective": objective, "verbose": -1, "num_leaves": 7, **more}, lgb.Dataset(X, y), 8)


made = {
    "xgb_binary": (mlflow.xgboost, xgb.XGBClassifier(n_estimators=8).fit(X, two)),
    "xgb_multi": (mlflow.xgboost, xgb.XGBClassifier(n_estimators=8).fit(X, three)),
    "xgb_stopped": (mlflow.xgboost, xgb.XGBClassifier(n_estimators=60, learning_rate=0.9, early_stopping_rounds=3).fit(
        X[:200], two[:200], eval_set=[(X[200:], two[200:])], verbose=False)),
    "xgb_regressor": (mlflow.xgboost, xgb.XGBRegressor(n_estimators=8).fit(X, margin)),
    "xgb_poisson": (mlflow.xgboost, xgb.XGBRegressor(n_estimators=8, objective="count:poisson").fit(X, three)),
    "booster_logistic": (mlflow.xgboost, booster("binary:logistic", two)),
    "booster_raw": (mlflow.xgboost, booster("binary:logitraw", two)),
    "booster_softprob": (mlflow.xgboost, booster("multi:softprob", three, num_class=3)),
    "booster_softmax": (mlflow.xgboost, booster("multi:softmax", three, num_class=3)),
    "lgb_binary": (mlflow.lightgbm, light("binary", two)),
    "lgb_multi": (mlflow.lightgbm, light("multiclass", three, num_class=3)),
    "lgb_regression": (mlflow.lightgbm, light("regression", margin)),
    "sk_words": (mlflow.sklearn, LogisticRegression(max_iter=500).fit(X, words)),
    "sk_ridge": (mlflow.sklearn, Ridge().fit(X, margin)),
}
out = {}
for name, (flavor, m) in made.items():
    path = os.path.join(sys.argv[1], name)
    flavor.save_model(m, path, signature=signature, pip_requirements=["mlflow"])
    asked = rows if name.startswith("sk_") else holes
    text = io.StringIO()
    predictions_to_json(mlflow.pyfunc.load_model(path).predict(asked), text)
    out[name] = {
        "rows": {"dataframe_split": json.loads(asked.to_json(orient="split", double_precision=15))},
        "predictions": json.loads(text.getvalue())["predictions"],
    }
json.dump(out, sys.stdout)
