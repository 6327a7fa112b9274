# SPDX-License-Identifier: Apache-2.0
# linear.py ROWS SEED: tables, and the coefficients that scikit-learn finds for them.
# linear.json is what it prints for 40 1.
import json
import math
import sys

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.preprocessing import StandardScaler

rows, seed = int(sys.argv[1]), int(sys.argv[2])
r = np.random.default_rng(seed)
cases = []


def table(features, missing):
    x = r.normal(size=(rows, features)) * 10.0 ** r.integers(-2, 3, features) + r.integers(-5, 6, features)
    z = ((x - x.mean(0)) / x.std(0)) @ np.linspace(1, -1, features) + 0.7 * r.normal(size=rows)
    if missing:
        x[r.random(x.shape) < 0.1] = np.nan
    return x.astype(np.float32).astype(np.float64), z


def estimator(kind, objective, l2, weights, classes):
    exact = {"tol": 1e-13, "max_iter": 10000}
    if kind != "regression":
        by = classes if classes in (None, "balanced") else dict(enumerate(classes))
        return LogisticRegression(C=1 / l2 if l2 else math.inf, solver="newton-cholesky", class_weight=by, **exact)
    if objective == "poisson":
        return PoissonRegressor(alpha=l2 / weights.sum(), solver="newton-cholesky", **exact)
    return Ridge(alpha=l2, solver="svd") if l2 else LinearRegression()


def case(name, kind, features=3, l2=1.0, standardize=True, objective=None, weighted=False, classes=None, missing=False, twist=None):
    x, z = table(features, missing)
    if kind == "binary":
        y = (z > 0.2).astype(int)
    elif kind == "multiclass":
        y = np.digitize(z, [-0.8, 0.6])
    elif objective == "poisson":
        y = r.poisson(np.exp(0.6 * z))
    else:
        y = 100 + 7 * z
    if twist:
        x, y = twist(x, y)
    w = r.integers(0, 4, rows).astype(float) if weighted else np.ones(rows)
    scaler = StandardScaler(with_std=standardize).fit(x, sample_weight=w)
    model = estimator(kind, objective, l2, w, classes)
    model.fit(np.nan_to_num(scaler.transform(x)), y, sample_weight=w)
    scale = scaler.scale_ if standardize else 1.0
    coefficients = np.atleast_2d(model.coef_) / scale
    intercepts = np.atleast_1d(model.intercept_) - coefficients @ scaler.mean_
    settings = {"l2": l2}
    if not standardize:
        settings["standardize"] = False
    if objective:
        settings["objective"] = objective
    if classes:
        settings["class_weight"] = classes
    cases.append({
        "name": name, "kind": kind, "classes": 3 if kind == "multiclass" else 0, "settings": settings, "features": x.shape[1],
        "x": [None if v != v else v for v in x.ravel().tolist()], "y": y.tolist(), "weights": w.tolist() if weighted else None,
        "coefficients": coefficients.tolist(), "intercepts": intercepts.tolist(),
    })


def rare(x, y):
    """A twentieth of the rows are of the last class."""
    last = y.max()
    few = r.permutation(rows)[: max(2, rows // 20)]
    y = np.where(y == last, 0, y)
    y[few] = last
    return x, y


def collinear(x, y):
    """The last feature is twice the first, and one does not vary."""
    return np.column_stack([x, 2 * x[:, 0], np.full(rows, 0.1, dtype=np.float32)]), y


for kind in ["binary", "multiclass", "regression", "poisson"]:
    more = {"kind": kind}
    if kind == "poisson":
        more = {"kind": "regression", "objective": "poisson"}
    case(kind, **more)
    case(kind + ", features as they are", standardize=False, **more)
    case(kind + ", one feature", features=1, l2=0.01, **more)
    case(kind + ", weights", weighted=True, **more)
    case(kind + ", weights, features as they are", weighted=True, standardize=False, l2=3.5, **more)
    case(kind + ", missing values", missing=True, weighted=True, **more)
    case(kind + ", collinear", twist=collinear, l2=0.1, **more)
    case(kind + ", a large penalty", l2=1e4, **more)
    case(kind + ", no penalty", l2=0.0, **more)
    case(kind + ", many features", features=min(130, rows // 4), **more)
    if more["kind"] != "regression":
        case(kind + ", balanced", classes="balanced", weighted=True, **more)
        case(kind + ", weights of classes", classes=[1, 7.5] if kind == "binary" else [1, 7.5, 2], **more)
        case(kind + ", a rare class", twist=rare, **more)
        case(kind + ", a rare class, balanced", twist=rare, classes="balanced", **more)

json.dump(cases, sys.stdout)
