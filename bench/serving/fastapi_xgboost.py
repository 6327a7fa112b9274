# SPDX-License-Identifier: Apache-2.0
"""What people write by hand: FastAPI and xgboost. python fastapi_xgboost.py model.json port"""
import sys

import numpy as np
import uvicorn
import xgboost as xgb
from fastapi import FastAPI, Request

booster = xgb.Booster({"nthread": 1})
booster.load_model(sys.argv[1])
names = booster.feature_names
app = FastAPI()


@app.post("/predict")
async def predict(request: Request):
    rows = (await request.json())["rows"]
    x = np.array([[row[n] for n in names] for row in rows], dtype=np.float32)
    return {"predictions": booster.inplace_predict(x, validate_features=False).tolist()}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
