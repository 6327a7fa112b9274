# SPDX-License-Identifier: Apache-2.0
# contribs.py FOLDER TREES DEPTH COLS: trains once, and then, for each line on standard
# input, explains so many rows on one thread and prints processor seconds.
import pathlib
import sys
import time

import numpy as np
import xgboost as xgb

folder, trees, depth, cols = pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:5])
r = np.random.default_rng(1)
x = r.normal(size=(20_000, cols)).astype(np.float32)
x[r.random(x.shape) < 0.03] = np.nan
z = np.nan_to_num(x)
y = (z[:, 0] * z[:, 1] + np.sin(2 * z[:, 2]) + z[:, 3:9].sum(axis=1) / 3 + r.normal(size=len(x)) > 0).astype(float)
booster = xgb.train({"objective": "binary:logistic", "max_depth": depth, "nthread": 1, "seed": 1}, xgb.DMatrix(x, y), trees)
booster.save_model(folder / "model.json")
x.astype("<f4").tofile(folder / "rows.bin")
print(xgb.__version__, flush=True)
for line in sys.stdin:
    rows = int(line)
    data = xgb.DMatrix(x[:rows], nthread=1)
    began = time.process_time()
    got = booster.predict(data, pred_contribs=True)
    took = time.process_time() - began
    got.astype("<f4").tofile(folder / "contribs.bin")
    print(took, flush=True)
