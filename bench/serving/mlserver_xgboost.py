# SPDX-License-Identifier: Apache-2.0
"""MLServer with its XGBoost runtime. python mlserver_xgboost.py model.json port"""
import json
import os
import sys
import tempfile

folder = tempfile.mkdtemp()
port = int(sys.argv[2])
settings = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "host": "127.0.0.1", "parallel_workers": 0, "debug": False}
json.dump(settings, open(os.path.join(folder, "settings.json"), "w"))
model = {"name": "m", "implementation": "mlserver_xgboost.XGBoostModel", "parameters": {"uri": os.path.abspath(sys.argv[1])}}
json.dump(model, open(os.path.join(folder, "model-settings.json"), "w"))
os.execv(os.path.join(os.path.dirname(sys.executable), "mlserver"), ["mlserver", "start", folder])
