# SPDX-License-Identifier: Apache-2.0
"""Logs a scikit-learn model as a pickle to the server, and writes it beside. python register.py URL file"""
import sys

import joblib
import mlflow
import mlflow.sklearn
import numpy as np
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

random = np.random.default_rng(7)
x = random.normal(size=(2_000, 30)).astype(np.float32)
model = LogisticRegression().fit(x, x[:, :5].sum(axis=1) > 0)
model.classes_ = np.array([0, 1])
joblib.dump(model, sys.argv[2])
mlflow.set_tracking_uri(sys.argv[1])
mlflow.sklearn.log_model(model, name="pickle", registered_model_name="pickle", serialization_format="pickle",
    signature=infer_signature(x, model.predict(x)), pip_requirements=["scikit-learn"])
