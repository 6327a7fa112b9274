# SPDX-License-Identifier: Apache-2.0
"""Trains LightGBM models and says what they answer; the test compares.

    python models.py ROWS NAME...        names of CASES; one JSON line a model
    python models.py 40 --all > v3.jsonl the recorded file, by LightGBM 3.3.5

A line holds name, model (the text), rows, features, and, as little-endian float64 in
base64: x (row-major), margins, scores, contributions of the first rows.
"""
import base64
import json
import sys

import lightgbm as lgb
import numpy as np

# name: (parameters, iterations, classes, share of missing values, more)
CASES = {
    "binary": (dict(objective="binary", num_leaves=31), 60, 2, 0.1, ""),
    "multiclass": (dict(objective="multiclass", num_leaves=15), 15, 5, 0.05, ""),
    "regression by category": (dict(objective="regression", num_leaves=31, min_data_per_group=5, cat_smooth=1, max_cat_to_onehot=2), 40, 1, 0.1, "categories"),
    "random forest": (dict(objective="binary", boosting="rf", bagging_freq=1, bagging_fraction=0.6, num_leaves=63), 30, 2, 0.1, ""),
    "dart, zero as missing": (dict(objective="regression", boosting="dart", zero_as_missing=True, num_leaves=31), 30, 1, 0.1, "zeros"),
    "stumps": (dict(objective="regression", num_leaves=2), 50, 1, 0, ""),
    "depth 16": (dict(objective="regression", num_leaves=2000, max_depth=16, min_data_in_leaf=1, min_sum_hessian_in_leaf=0), 20, 1, 0.3, ""),
    "no missing values used": (dict(objective="binary", use_missing=False), 30, 2, 0.3, "zeros"),
    "zeros": (dict(objective="binary", sigmoid=0.7), 30, 2, 0.1, "zeros"),
    "goss": (dict(objective="binary", boosting="goss"), 40, 2, 0.2, ""),
    "ten classes": (dict(objective="multiclass", num_leaves=7), 8, 10, 0.1, ""),
    "one against all": (dict(objective="multiclassova", num_leaves=15, sigmoid=1.3), 15, 4, 0.1, ""),
    "forest of classes": (dict(objective="multiclass", boosting="rf", bagging_freq=1, bagging_fraction=0.5), 7, 3, 0.1, ""),
    "classes by category": (dict(objective="multiclass", num_leaves=15, min_data_per_group=5, cat_smooth=1), 10, 3, 0.1, "categories"),
    "categories, zero as missing": (dict(objective="binary", zero_as_missing=True, min_data_per_group=5, cat_smooth=1), 20, 2, 0.1, "categories zeros"),
    "square root": (dict(objective="regression", reg_sqrt=True), 30, 1, 0.1, ""),
    "absolute error": (dict(objective="regression_l1"), 30, 1, 0.1, ""),
    "huber": (dict(objective="huber"), 20, 1, 0.1, ""),
    "fair": (dict(objective="fair"), 20, 1, 0.1, ""),
    "quantile": (dict(objective="quantile", alpha=0.8), 20, 1, 0.1, ""),
    "mape": (dict(objective="mape"), 20, 1, 0.1, "positive"),
    "poisson": (dict(objective="poisson"), 30, 1, 0.1, "positive"),
    "gamma": (dict(objective="gamma"), 30, 1, 0.1, "positive"),
    "tweedie": (dict(objective="tweedie"), 30, 1, 0.1, "positive"),
    "cross entropy": (dict(objective="cross_entropy"), 30, 1, 0.1, "share"),
    "cross entropy lambda": (dict(objective="cross_entropy_lambda"), 30, 1, 0.1, "share"),
    "lambdarank": (dict(objective="lambdarank"), 20, 1, 0.1, "groups"),
    "an objective of one's own": (dict(), 10, 1, 0.1, "own"),
    "extra trees, monotone, regularised": (dict(objective="binary", extra_trees=True, lambda_l1=1, lambda_l2=2, path_smooth=1, feature_fraction=0.7, monotone_constraints=[1, -1, 0, 0, 0, 0]), 40, 2, 0.2, ""),
    "nothing to learn": (dict(objective="regression"), 3, 1, 0, "constant"),
    "stopped early": (dict(objective="binary", learning_rate=0.5), 200, 2, 0.1, "early"),
}
FEATURES = 6


def rows(r, n, missing, more):
    x = r.normal(size=(n, FEATURES))
    x[:, 1] = np.round(x[:, 1], 1)
    x[:, 2] = r.exponential(size=n)
    x[:, 5] = r.integers(-3, 4, n)
    if "zeros" in more:
        x[r.random(x.shape) < 0.3] = 0
    if "categories" in more:
        x[:, 0] = np.floor(r.exponential(20, n)) % 90
        x[:, 5] = r.integers(0, 4, n)
    x[r.random(x.shape) < missing] = np.nan
    return x


def odd(r, x):
    """Values that training does not see, put here and there."""
    strange = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-36, -1e-36, 1e-35, float(np.float32(1e-35)), -2e-35, -1.0, -0.5, 2.0**31, 1e300, -1e300, 5e-324, 200.0, 3.7]
    at = r.random(x.shape) < 0.05
    x[at] = r.choice(strange, at.sum())
    return x


def target(r, x, classes, more):
    z = np.nan_to_num(x)
    s = z[:, 0] % 3 + z[:, 1] * z[:, 2] - (z[:, 3] > 0.3) * 2 + np.sin(z[:, 4] * 3) + (z[:, 5] == 2) + r.normal(size=len(x)) * 0.3
    if "share" in more:
        return 1 / (1 + np.exp(-s))
    if "positive" in more:
        return np.exp(s / 3) + 0.1
    if "constant" in more:
        return np.full(len(x), 2.5)
    if "groups" in more:
        return np.clip(np.round(s), 0, 4)
    if classes > 1:
        return np.digitize(s, np.quantile(s, np.arange(1, classes) / classes))
    return s


def train(name):
    params, iterations, classes, missing, more = CASES[name]
    r = np.random.default_rng(sum(map(ord, name)))
    params = dict(params, verbose=-1, num_threads=1, seed=7, deterministic=True)
    if classes > 2:
        params["num_class"] = classes
    x = rows(r, 3000, missing, more)
    y = target(r, x, classes, more)
    data = lgb.Dataset(x, y, categorical_feature=[0, 5] if "categories" in more else "auto", group=[20] * 150 if "groups" in more else None)
    if "own" in more:
        def own(scores, data):
            return scores - data.get_label(), np.ones_like(scores)
        if lgb.__version__ >= "4":
            return r, lgb.train(dict(params, objective=own), data, iterations)
        return r, lgb.train(params, data, iterations, fobj=own)
    if "early" in more:
        v = rows(r, 1000, missing, more)
        valid = lgb.Dataset(v, target(r, v, classes, more), reference=data)
        return r, lgb.train(params, data, iterations, valid_sets=[valid], callbacks=[lgb.early_stopping(3, verbose=False)])
    return r, lgb.train(params, data, iterations)


def packed(a):
    return base64.b64encode(np.ascontiguousarray(a, dtype="<f8").tobytes()).decode()


def main(n, names):
    for name in names:
        r, trained = train(name)
        text = trained.model_to_string(num_iteration=trained.best_iteration)
        b = lgb.Booster(model_str=text)
        x = odd(r, rows(r, n, CASES[name][3], CASES[name][4]))
        print(json.dumps(dict(
            name=name, library=lgb.__version__, model=text, rows=n, features=FEATURES, x=packed(x), margins=packed(b.predict(x, raw_score=True)),
            scores=packed(b.predict(x)), contributions=packed(b.predict(x[:20], pred_contrib=True)))))


if __name__ == "__main__":
    main(int(sys.argv[1]), list(CASES) if sys.argv[2] == "--all" else sys.argv[2:])
