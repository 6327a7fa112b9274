# SPDX-License-Identifier: Apache-2.0
# contribs.py FOLDER ROWS: models of XGBoost, rows, and what pred_contribs says of them.
import json
import pathlib
import sys

import numpy as np
import xgboost as xgb

folder, rows = pathlib.Path(sys.argv[1]), int(sys.argv[2])
r = np.random.default_rng(5)


def table(n, features, missing):
    x = r.normal(size=(n, features)).astype(np.float32)
    x[r.random(x.shape) < missing] = np.nan
    return x


index = []


def make(name, features, missing, rounds, category=False, outputs=1, **params):
    x = table(1500, features, missing)
    z = np.nan_to_num(x)
    y = z[:, 0] * z[:, 1] + np.sin(2 * z[:, 2]) + 0.3 * r.normal(size=len(x))
    types = ["q"] * features
    if category:
        x[:, 3] = r.integers(0, 12, len(x))
        y += (x[:, 3] % 3 == 1) * 2
        types[3] = "c"
    objective = params.get("objective", "reg:squarederror")
    if "binary" in objective:
        y = (y > 0.2).astype(float)
    elif "multi" in objective:
        y = np.digitize(y, np.quantile(y, np.arange(1, outputs) / outputs)).astype(float)
    elif "poisson" in objective:
        y = np.round(np.exp(y / 2))
    data = xgb.DMatrix(x, y, feature_types=types, enable_categorical=category)
    booster = xgb.train({"seed": 1, "nthread": 1, **params}, data, rounds)
    booster.save_model(folder / f"{name}.json")
    ask = x[:rows]
    got = booster.predict(xgb.DMatrix(ask, feature_types=types, enable_categorical=category), pred_contribs=True)
    ask.astype("<f4").tofile(folder / f"{name}.rows")
    got.astype("<f4").tofile(folder / f"{name}.contribs")
    index.append({"Name": name, "Rows": rows, "Features": features, "Outputs": outputs})


make("depth6", 20, 0.1, 40, objective="binary:logistic", max_depth=6)
make("depth1", 5, 0.0, 20, max_depth=1)
make("depth16", 12, 0.2, 8, max_depth=16, min_child_weight=0.1)
make("leafwise", 30, 0.05, 10, max_depth=0, max_leaves=200, grow_policy="lossguide", tree_method="hist")
make("poisson", 6, 0.1, 15, objective="count:poisson", max_depth=4)
make("classes", 8, 0.1, 12, outputs=4, objective="multi:softprob", num_class=4, max_depth=5)
make("dart", 8, 0.1, 20, booster="dart", rate_drop=0.3, max_depth=4)
make("category", 6, 0.1, 15, category=True, max_depth=5, max_cat_to_onehot=4)
make("forest", 8, 0.1, 2, num_parallel_tree=10, subsample=0.7, max_depth=6)
make("linear", 6, 0.1, 20, booster="gblinear")
(folder / "index.json").write_text(json.dumps(index))
