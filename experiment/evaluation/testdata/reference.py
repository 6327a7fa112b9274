# SPDX-License-Identifier: Apache-2.0
"""Writes reference.json: rows, and what scikit-learn measures on them.

    python reference.py [SEED] > reference.json      (scikit-learn 1.8.0, numpy of that day)
"""
import json
import sys
import warnings

import numpy as np
from sklearn import metrics as m

warnings.filterwarnings("ignore")
random = np.random.default_rng(int(sys.argv[1]) if len(sys.argv) > 1 else 20250101)


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
    costs, want["cost"] = cost(y, said)
    want |= at_k(y, p) | at_threshold(y, p)
    return {"name": name, "kind": "binary", "truth": y.tolist(), "scores": p.tolist(), "above": above, "costs": costs, "want": want}


def cost(y, said, w=None, classes=("0", "1")):
    """The mean of a table of costs over the confusion matrix."""
    table = (1 + np.arange(len(classes) ** 2).reshape(len(classes), -1)) * (1 - np.eye(len(classes)))
    count = m.confusion_matrix(y, said, labels=list(range(len(classes))), sample_weight=w)
    return ({a: {b: table[i, j] for j, b in enumerate(classes)} for i, a in enumerate(classes)},
            float((count * table).sum() / (len(y) if w is None else np.sum(w))))


def at_k(y, p):
    """Precision and recall where the k highest are said to be a yes, of rows without ties."""
    if len(set(p)) < len(p):
        return {}
    want = {}
    for k in (1, 3):
        said = np.zeros(len(y))
        said[np.argsort(-p)[:k]] = 1
        want[f"precision_at_k({k})"] = m.precision_score(y, said)
        want[f"recall_at_k({k})"] = m.recall_score(y, said)
        share = f"{100 * k / len(y)!r}%"
        want[f"precision_at_k({share})"] = want[f"precision_at_k({k})"]
        want[f"recall_at_k({share})"] = want[f"recall_at_k({k})"]
    return want


def at_threshold(y, p):
    said = (p > 0.4).astype(float)
    want = {"accuracy(0.4)": m.accuracy_score(y, said), "recall(0.4)": m.recall_score(y, said), "f1(0.4)": m.f1_score(y, said),
            "balanced_accuracy(0.4)": m.balanced_accuracy_score(y, said)}
    if said.sum() > 0:
        want["precision(0.4)"] = m.precision_score(y, said)
    return want


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
    costs, want["cost"] = cost(y, said, w)
    return {"name": name, "kind": "binary", "truth": y.tolist(), "scores": p.tolist(), "weight": w.tolist(), "above": above, "costs": costs, "want": want}


def multiclass(name, truth, score, classes, w=None):
    y, p = np.asarray(truth, int), np.asarray(score, float)
    said, labels = p.argmax(axis=1), list(range(classes))
    ones = np.ones(len(y)) if w is None else w
    want = {
        "log_loss": m.log_loss(y, p, labels=labels, sample_weight=w),
        "brier": m.brier_score_loss(y, p, labels=labels, sample_weight=w),
        "accuracy": m.accuracy_score(y, said, sample_weight=w),
        "balanced_accuracy": m.balanced_accuracy_score(y, said, sample_weight=w),
        "f1_macro": m.f1_score(y, said, average="macro", sample_weight=w),
        "f1_weighted": m.f1_score(y, said, average="weighted", sample_weight=w),
        "precision_macro": m.precision_score(y, said, average="macro", sample_weight=w),
        "precision_weighted": m.precision_score(y, said, average="weighted", sample_weight=w),
        "recall_macro": m.recall_score(y, said, average="macro", sample_weight=w),
        "ece": ece((y == said).astype(float), p.max(axis=1), ones),
        "top_k_accuracy(1)": m.top_k_accuracy_score(y, p, k=1, labels=labels, sample_weight=w),
        "top_k_accuracy(2)": m.top_k_accuracy_score(y, p, k=2, labels=labels, sample_weight=w),
    }
    if len(set(y)) == classes:
        want["auc_ovr"] = m.roc_auc_score(y, p, multi_class="ovr", sample_weight=w)
        want["pr_auc_macro"] = m.average_precision_score(y, p, sample_weight=w)
        if w is None:  # scikit-learn has none of rows that count differently
            want["auc_ovo"] = m.roc_auc_score(y, p, multi_class="ovo")
    names = [f"class {k}" for k in labels]
    costs, want["cost"] = cost(y, said, w, names)
    return {"name": name, "kind": "multiclass", "classes": names, "truth": y.astype(float).tolist(), "costs": costs,
            "scores": p.ravel().tolist(), "want": want} | ({} if w is None else {"weight": w.tolist()})


def regression(name, truth, score, w=None, deviance=True):
    y, p = np.asarray(truth, float), np.asarray(score, float)
    want = {
        "mae": m.mean_absolute_error(y, p, sample_weight=w),
        "mse": m.mean_squared_error(y, p, sample_weight=w),
        "rmse": m.root_mean_squared_error(y, p, sample_weight=w),
        "bias": float(np.average(p - y, weights=w)),
        "mean_score": float(np.average(p, weights=w)),
    }
    for q in (0.1, 0.5, 0.95):
        want[f"pinball({q})"] = m.mean_pinball_loss(y, p, alpha=q, sample_weight=w)
    if deviance and (y >= 0).all() and (p > 0).all():  # scikit-learn's loses the digits of large numbers
        want["poisson_deviance"] = m.mean_poisson_deviance(y, p, sample_weight=w)
    if np.ptp(y) > 0:
        want["r2"] = m.r2_score(y, p, sample_weight=w)
    if (y != 0).all():
        want["mape"] = m.mean_absolute_percentage_error(y, p, sample_weight=w)
    return {"name": name, "kind": "regression", "truth": y.tolist(), "scores": p.tolist(), "want": want} | ({} if w is None else {"weight": w.tolist()})


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
cases.append(multiclass("ties between classes", [0, 1, 2, 2, 1], [[.4, .4, .2], [.4, .4, .2], [.2, .4, .4], [1 / 3, 1 / 3, 1 / 3], [0, .5, .5]], 3))
cases.append(multiclass("one class alone is said", [0, 1, 2, 1, 0], [[.6, .2, .2]] * 5, 3))
y = random.integers(0, 4, 70)
cases.append(multiclass("70 rows of 4 classes that count differently", y, random.dirichlet(np.ones(4), 70), 4, random.exponential(2, 70) + 0.01))
for n, scale in [(50, 1), (70, 1e6), (40, 1e-6)]:
    y = random.normal(3, 1, n) * scale
    cases.append(regression(f"{n} random rows about {scale:g}", y, y + random.normal(0.1, 0.5, n) * scale))
cases += [
    regression("large numbers close together", 1e8 + random.random(30), 1e8 + random.random(30), deviance=False),
    regression("a truth that never changes", [5, 5, 5], [4, 5, 7]),
    regression("a truth of zero", [0, 1, 2], [0.5, 1, 1]),
    regression("counts, some of them zero", random.poisson(1.5, 40), random.exponential(1.5, 40) + 0.1),
    regression("worse than the mean", [1, 2, 3], [3, 2, 1]),
]
y = (random.random(80) < 0.4).astype(float)
cases.append(binary("80 rows that count differently", y, np.clip(0.3 * y + random.random(80) * 0.7, 0, 1).round(2), weight=random.exponential(2, 80) + 0.01))
y, w = random.normal(3, 1, 60), random.exponential(2, 60) + 0.01
cases.append(regression("60 numbers that count differently", y, y + random.normal(0.1, 0.5, 60), w))
cases.append(regression("50 counts that count differently", random.poisson(2, 50), random.exponential(2, 50) + 0.1, random.exponential(2, 50) + 0.01))
print(json.dumps(cases))
