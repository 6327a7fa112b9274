# SPDX-License-Identifier: Apache-2.0
"""Ray Serve with xgboost. python ray_serve.py model.json port"""
import os
import signal
import sys

os.environ["RAY_AUTH_MODE"] = "disabled"  # else it writes a token into the home folder
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_raylet_start_wait_time_s"] = "80"

import numpy as np
import ray
import xgboost as xgb
from ray import serve
from starlette.requests import Request


@serve.deployment(max_ongoing_requests=64, ray_actor_options={"num_cpus": 0.5})
class Model:
    def __init__(self, file):
        self.booster = xgb.Booster({"nthread": 1})
        self.booster.load_model(file)
        self.names = self.booster.feature_names

    async def __call__(self, request: Request):
        rows = (await request.json())["rows"]
        x = np.array([[row[n] for n in self.names] for row in rows], dtype=np.float32)
        return {"predictions": self.booster.inplace_predict(x, validate_features=False).tolist()}


ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 << 20)
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
serve.run(Model.bind(os.path.abspath(sys.argv[1])), route_prefix="/predict")
signal.pause()
