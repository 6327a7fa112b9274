# SPDX-License-Identifier: Apache-2.0
"""Trains a model and measures LightGBM on it: one row at a time through Python and
through the fastest call of its C library, and a batch on one thread. Writes DIR/model.txt
and DIR/rows.bin (float64), prints JSON."""
import ctypes
import json
import sys
import time

import lightgbm as lgb
import numpy as np

where, trees, leaves, features, missing = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
r = np.random.default_rng(0)
x = r.normal(size=(20000, features))
x[r.random(x.shape) < missing] = np.nan
y = (np.nan_to_num(x[:, 0] * x[:, 1]) + np.nan_to_num(x[:, 2]) + np.sin(np.nan_to_num(x[:, 3]) * 3) + r.normal(size=len(x)) * 0.5 > 0).astype(float)
b = lgb.train(dict(objective="binary", num_leaves=leaves, verbose=-1, num_threads=2, min_data_in_leaf=5), lgb.Dataset(x, y), trees)
b.save_model(where + "/model.txt")
b = lgb.Booster(model_file=where + "/model.txt")
rows = np.ascontiguousarray(x[:10000])
rows.tofile(where + "/rows.bin")


def best(times, work):
    took = []
    for _ in range(times):
        start = time.process_time()
        work()
        took.append(time.process_time() - start)
    return min(took)


def python():
    for i in range(300):
        b.predict(rows[i:i + 1], num_threads=1)


lib, fast, out, n = lgb.basic._LIB, ctypes.c_void_p(), (ctypes.c_double * 1)(), ctypes.c_int64()
assert lib.LGBM_BoosterPredictForMatSingleRowFastInit(
    b._handle, ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(-1), ctypes.c_int(1), ctypes.c_int32(features), b"num_threads=1", ctypes.byref(fast)) == 0
base = rows.ctypes.data


def c():
    for i in range(2000):
        lib.LGBM_BoosterPredictForMatSingleRowFast(fast, ctypes.c_void_p(base + i * features * 8), ctypes.byref(n), out)


print(json.dumps(dict(
    version=lgb.__version__, python=best(5, python) / 300 * 1e9, c=best(10, c) / 2000 * 1e9,
    batch=best(10, lambda: b.predict(rows, num_threads=1)) / len(rows) * 1e9)))
