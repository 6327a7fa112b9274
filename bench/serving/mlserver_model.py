# SPDX-License-Identifier: Apache-2.0
"""MLServer with its XGBoost or scikit-learn runtime. python mlserver_model.py model.json|model.joblib port"""
import json
import os
import socket
import sys
import tempfile


def free() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


folder = tempfile.mkdtemp()
settings = {"http_port": int(sys.argv[2]), "grpc_port": free(), "metrics_port": free(), "host": "127.0.0.1", "parallel_workers": 0, "debug": False}
json.dump(settings, open(os.path.join(folder, "settings.json"), "w"))
kind = "mlserver_xgboost.XGBoostModel" if sys.argv[1].endswith(".json") else "mlserver_sklearn.SKLearnModel"
model = {"name": "m", "implementation": kind, "parameters": {"uri": os.path.abspath(sys.argv[1])}}
json.dump(model, open(os.path.join(folder, "model-settings.json"), "w"))
os.execv(os.path.join(os.path.dirname(sys.executable), "mlserver"), ["mlserver", "start", folder])
