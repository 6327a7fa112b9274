# SPDX-License-Identifier: Apache-2.0
"""MLflow's own scoring server. python mlflow_serve.py model.json port"""
import os
import sys
import tempfile

import mlflow.xgboost
import xgboost as xgb

booster = xgb.Booster()
booster.load_model(sys.argv[1])
folder = os.path.join(tempfile.mkdtemp(), "model")
mlflow.xgboost.save_model(booster, folder)
os.environ["PATH"] = os.path.dirname(sys.executable) + ":" + os.environ["PATH"]
os.execv(sys.executable, [sys.executable, "-m", "mlflow", "models", "serve", "-m", folder, "--port", sys.argv[2], "--env-manager", "local", "--workers", "1"])
