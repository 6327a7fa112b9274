# SPDX-License-Identifier: Apache-2.0
"""Writes reference.json: rows, and what scikit-learn measures on them.

    python reference.py > reference.json      (scikit-learn 1.9.1, numpy of that day)
"""
import json
import warnings

import numpy as np
from sklearn import metrics as m

warnings.filterwarnings("ignore")
random = np.random.default_rng(20250101)


def ece(y, p, w):
    """Mean distance between score and truth over tenths of the scores; equal scores share the lowest one's tenth."""
    tenth = 10 * np.searchsorted(np.sort(p), p, "left") // len(p)
    return sum(abs(np.sum((w * (p - y))[tenth == k])) for k in range(10)) / w.sum()


def binary(name, truth, score, above=0.5, weight=None):
    y, p = np.asarray(truth, float), np.asarray(score, float)
    said = (p > above).astype(float)
    if weight is not None:
        return weighted(name, y, p, said, above, weight)
    want = {
        "log_loss": m.log_loss(y, p, labels=[0, 1]),
        "brier": m.brier_score_loss(y, p, pos_label=1),
        "accuracy": m.accuracy_score(y, said),
        "auc": m.roc_auc_score(y, p),
        "pr_auc": m.average_precision_score(y, p),
        "f1": m.f1_score(y, said),
        "recall": m.recall_score(y, said),
        "balanced_accuracy": m.balanced_accuracy_score(y, said),
        "bias": float(np.mean(p - y)),
        "mean_score": float(np.mean(p)),
        "ece": ece(y, p, np.ones(len(y))),
    }
    if said.sum() > 0:
        want["precision"] = m.precision_score(y, said)
    return {"name": name, "kind": "binary", "truth": y.tolist(), "scores": p.tolist(), "above": above, "want": want}


def weighted(name, y, p, said, above, w):
    want = {
        "log_loss": m.log_loss(y, p, labels=[0, 1], sample_weight=w),
        "brier": m.brier_score_loss(y, p, pos_label=1, sample_weight=w),
        "accuracy": m.accuracy_score(y, said, sample_weight=w),
        "auc": m.roc_auc_score(y, p, sample_weight=w),
        "pr_auc": m.average_precision_score(y, p, sample_weight=w),
        "f1": m.f1_score(y, said, sample_weight=w),
        "precision": m.precision_score(y, said, sample_weight=w),
        "recall": m.recall_score(y, said, sample_weight=w),
        "balanced_accuracy": m.balanced_accuracy_score(y, said, sample_weight=w),
        "bias": float(np.average(p - y, weights=w)),
        "mean_score": float(np.average(p, weights=w)),
        "ece": ece(y, p, w),
    }
    return {"name": name, "kind": "binary", "truth": y.tolist(), "scores": p.tolist(), "weight": w.tolist(), "above": above, "want": want}


def multiclass(name, truth, score, classes):
    y, p = np.asarray(truth, int), np.asarray(score, float)
    said = p.argmax(axis=1)
    want = {
        "log_loss": m.log_loss(y, p, labels=list(range(classes))),
        "accuracy": m.accuracy_score(y, said),
        "balanced_accuracy": m.balanced_accuracy_score(y, said),
    }
    return {"name": name, "kind": "multiclass", "classes": classes, "truth": y.astype(float).tolist(),
            "scores": p.ravel().tolist(), "want": want}


def regression(name, truth, score):
    y, p = np.asarray(truth, float), np.asarray(score, float)
    want = {
        "mae": m.mean_absolute_error(y, p),
        "mse": m.mean_squared_error(y, p),
        "rmse": m.root_mean_squared_error(y, p),
        "bias": float(np.mean(p - y)),
        "mean_score": float(np.mean(p)),
    }
    if np.ptp(y) > 0:
        want["r2"] = m.r2_score(y, p)
    if (y != 0).all():
        want["mape"] = m.mean_absolute_percentage_error(y, p)
    return {"name": name, "kind": "regression", "truth": y.tolist(), "scores": p.tolist(), "want": want}


cases = []
for n, rate, digits in [(60, 0.5, 15), (90, 0.2, 2), (120, 0.05, 1)]:
    y = (random.random(n) < rate).astype(float)
    y[:2], y[2:4] = 1, 0
    p = np.clip(0.3 * y + random.random(n) * 0.7, 0, 1).round(digits)
    cases.append(binary(f"{n} random rows, scores of {digits} digits", y, p))
    cases.append(binary(f"{n} random rows decided above 0.3", y, p, 0.3))
cases += [
    binary("sure mistakes are clipped", [1, 1, 0, 0, 1], [0, 1, 1, 0, 0.5]),
    binary("one score for all rows", [1, 0, 1, 0], [0.4, 0.4, 0.4, 0.4]),
    binary("no row is said to be a yes", [1, 0, 1, 0], [0.1, 0.2, 0.3, 0.4]),
    binary("every row is said to be a yes", [1, 0, 1, 0], [0.6, 0.7, 0.8, 0.9]),
    binary("a score on the threshold is a no", [1, 0, 1, 0, 1], [0.5, 0.5, 0.51, 0.49, 0.9]),
    binary("perfect", [1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1]),
    binary("perfectly wrong", [1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]),
]
for n, k in [(60, 3), (80, 5)]:
    y = random.integers(0, k, n)
    cases.append(multiclass(f"{n} random rows of {k} classes", y, random.dirichlet(np.ones(k), n), k))
cases.append(multiclass("a class that no row has", [0, 1, 0, 1], random.dirichlet(np.ones(3), 4), 3))
for n, scale in [(50, 1), (70, 1e6), (40, 1e-6)]:
    y = random.normal(3, 1, n) * scale
    cases.append(regression(f"{n} random rows about {scale:g}", y, y + random.normal(0.1, 0.5, n) * scale))
cases += [
    regression("large numbers close together", 1e8 + random.random(30), 1e8 + random.random(30)),
    regression("a truth that never changes", [5, 5, 5], [4, 5, 7]),
    regression("a truth of zero", [0, 1, 2], [0.5, 1, 1]),
    regression("worse than the mean", [1, 2, 3], [3, 2, 1]),
]
y = (random.random(80) < 0.4).astype(float)
cases.append(binary("80 rows that count differently", y, np.clip(0.3 * y + random.random(80) * 0.7, 0, 1).round(2), weight=random.exponential(2, 80) + 0.01))
y, w = random.normal(3, 1, 60), random.exponential(2, 60) + 0.01
p = y + random.normal(0.1, 0.5, 60)
cases.append({"name": "60 numbers that count differently", "kind": "regression", "truth": y.tolist(), "scores": p.tolist(), "weight": w.tolist(), "want": {
    "mae": m.mean_absolute_error(y, p, sample_weight=w), "mse": m.mean_squared_error(y, p, sample_weight=w),
    "rmse": m.root_mean_squared_error(y, p, sample_weight=w), "r2": m.r2_score(y, p, sample_weight=w),
    "mape": m.mean_absolute_percentage_error(y, p, sample_weight=w),
    "bias": float(np.average(p - y, weights=w)), "mean_score": float(np.average(p, weights=w))}})
print(json.dumps(cases))
