# SPDX-License-Identifier: Apache-2.0
"""Trains the models, or scores their rows with XGBoost on one thread:

    peer.py train FOLDER NAME...   writes NAME.json, NAME.rows, NAME.margins (float32) for each
    peer.py score FOLDER NAME      prints, as JSON, the processor nanoseconds a row

Scoring is XGBoosterPredictFromDense called through ctypes with everything made before:
the least that a program pays. inplace_predict is what a Python server pays."""
import ctypes, json, sys, time
import numpy as np, xgboost as xgb

FEATURES, ROWS = 30, 4096
MODELS = {"t100d6": (100, 6), "t500d6": (500, 6), "t100d8": (100, 8), "t1000d8": (1000, 8)}


def train(folder, *names):
    r = np.random.default_rng(1)
    x = r.normal(size=(20000, FEATURES)).astype(np.float32)
    s = x[:, 0] + x[:, 1] * x[:, 2] + np.sin(3 * x[:, 3]) + r.normal(size=len(x))
    x[r.random(x.shape) < 0.05] = np.nan
    for name in names:
        trees, depth = MODELS[name]
        b = xgb.train({"objective": "binary:logistic", "max_depth": depth, "tree_method": "hist", "eta": 0.05, "nthread": 1}, xgb.DMatrix(x, label=s > 0), trees)
        b.save_model(f"{folder}/{name}.json")
        x[:ROWS].tofile(f"{folder}/{name}.rows")
        b.predict(xgb.DMatrix(x[:ROWS]), output_margin=True).tofile(f"{folder}/{name}.margins")


def fastest(call, rows, budget=0.5):
    """Processor nanoseconds a row, the fastest of many runs."""
    best, end = float("inf"), time.process_time() + budget
    while time.process_time() < end:
        n = max(1, 256 // rows)
        at = time.process_time_ns()
        for i in range(n): call(i)
        best = min(best, (time.process_time_ns() - at) / (n * rows))
    return best


def score(folder, name):
    b = xgb.Booster({"nthread": 1})
    b.load_model(f"{folder}/{name}.json")
    b.set_param({"nthread": 1})
    x = np.fromfile(f"{folder}/{name}.rows", np.float32).reshape(-1, FEATURES)
    lib, out = xgb.core._LIB, {}
    config = json.dumps({"type": 0, "training": False, "iteration_begin": 0, "iteration_end": 0, "strict_shape": False, "missing": float("nan")}).encode()
    shape, dim, result = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64(), ctypes.POINTER(ctypes.c_float)()
    for rows in (1, 64, 1024):
        parts = [np.ascontiguousarray(x[i * rows:(i + 1) * rows]) for i in range(min(64, len(x) // rows))]
        texts = [json.dumps({"data": [p.ctypes.data, True], "shape": list(p.shape), "typestr": "<f4", "version": 3}).encode() for p in parts]

        def direct(i):
            if lib.XGBoosterPredictFromDense(b.handle, texts[i % len(texts)], config, None, ctypes.byref(shape), ctypes.byref(dim), ctypes.byref(result)):
                raise RuntimeError("XGBoosterPredictFromDense fails")

        out[rows] = {"c": fastest(direct, rows), "python": fastest(lambda i: b.inplace_predict(parts[i % len(parts)]), rows)}
    print(json.dumps({"version": xgb.__version__, "rows": out}))


{"train": train, "score": score}[sys.argv[1]](*sys.argv[2:])
