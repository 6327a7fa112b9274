# SPDX-License-Identifier: Apache-2.0
"""Trains and scores with XGBoost's hist on one thread; prints processor seconds as JSON.

usage: hist.py FOLDER COLUMNS TREES DEPTH
"""
import json
import sys
import time

import numpy as np
import xgboost

folder, columns, trees, depth = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])


def read(name):
    x = np.fromfile(f"{folder}/{name}.x", dtype="<f4").reshape(-1, columns)
    return x, np.fromfile(f"{folder}/{name}.y", dtype="<f4")


x, y = read("train")
xt, _ = read("test")
settings = {"tree_method": "hist", "objective": "binary:logistic", "max_depth": depth, "learning_rate": 0.1, "max_bin": 256, "nthread": 1}

start = time.process_time()
booster = xgboost.train(settings, xgboost.QuantileDMatrix(x, y, nthread=1, max_bin=256), num_boost_round=trees)
fit = time.process_time() - start

booster.inplace_predict(xt[:10])
start = time.process_time()
scores = booster.inplace_predict(xt)
batch = (time.process_time() - start) / len(xt)

n = min(500, len(xt))
start = time.perf_counter()
for i in range(n):
    booster.inplace_predict(xt[i : i + 1])
row = (time.perf_counter() - start) / n

scores.astype("<f4").tofile(f"{folder}/scores")
print(json.dumps({"fit": fit, "batch": batch, "row": row}))
