# SPDX-License-Identifier: Apache-2.0
"""Trains and scores with XGBoost's hist or with LightGBM on one thread; prints processor
seconds as JSON.

usage: peer.py LIBRARY FOLDER COLUMNS TREES DEPTH
"""
import json
import sys
import time

import numpy as np

library, folder = sys.argv[1:3]
columns, trees, depth = map(int, sys.argv[3:])


def read(name):
    x = np.fromfile(f"{folder}/{name}.x", dtype="<f4").reshape(-1, columns)
    return x, np.fromfile(f"{folder}/{name}.y", dtype="<f4")


x, y = read("train")
xt, _ = read("test")

if library == "xgboost":
    import xgboost

    settings = {"tree_method": "hist", "objective": "binary:logistic", "max_depth": depth, "learning_rate": 0.1, "max_bin": 256, "nthread": 1}
    start = time.process_time()
    booster = xgboost.train(settings, xgboost.QuantileDMatrix(x, y, nthread=1, max_bin=256), num_boost_round=trees)
    fit = time.process_time() - start
    predict = booster.inplace_predict
else:
    import lightgbm

    settings = {"objective": "binary", "max_depth": depth, "num_leaves": 2**depth, "learning_rate": 0.1, "max_bin": 255, "num_threads": 1}
    settings |= {"lambda_l2": 1, "min_sum_hessian_in_leaf": 1, "min_data_in_leaf": 1, "verbose": -1}
    start = time.process_time()
    booster = lightgbm.train(settings, lightgbm.Dataset(x, y), trees)
    fit = time.process_time() - start

    def predict(rows):
        return booster.predict(rows, num_threads=1)


predict(xt[:10])
start = time.process_time()
scores = predict(xt)
batch = (time.process_time() - start) / len(xt)

n = min(500, len(xt))
start = time.perf_counter()
for i in range(n):
    predict(xt[i : i + 1])
row = (time.perf_counter() - start) / n

scores.astype("<f4").tofile(f"{folder}/scores")
print(json.dumps({"fit": fit, "batch": batch, "row": row}))
