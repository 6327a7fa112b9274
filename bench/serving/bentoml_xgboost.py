# SPDX-License-Identifier: Apache-2.0
"""BentoML with xgboost. python bentoml_xgboost.py model.json port"""
import os
import sys

import bentoml
import numpy as np
import xgboost as xgb


@bentoml.service(workers=1)
class Model:
    def __init__(self):
        self.booster = xgb.Booster({"nthread": 1})
        self.booster.load_model(os.environ["MODEL"])
        self.names = self.booster.feature_names

    @bentoml.api
    def predict(self, rows: list[dict]) -> list[float]:
        x = np.array([[row[n] for n in self.names] for row in rows], dtype=np.float32)
        return self.booster.inplace_predict(x, validate_features=False).tolist()


if __name__ == "__main__":
    os.environ["MODEL"] = os.path.abspath(sys.argv[1])
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    bento = os.path.join(os.path.dirname(sys.executable), "bentoml")
    os.execv(bento, [bento, "serve", "bentoml_xgboost:Model", "--port", sys.argv[2], "--host", "127.0.0.1"])
