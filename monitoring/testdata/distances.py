# SPDX-License-Identifier: Apache-2.0
"""Distances and isotonic curves of SciPy and scikit-learn, for python_test.go.

Reads {"a": [...], "b": [...], "x": [...], "y": [...]} and writes what they say of them.
"""

import json
import sys

import numpy as np
from scipy import stats
from scipy.spatial import distance
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import ndcg_score, roc_auc_score

d = json.load(sys.stdin)
a, b = np.array(d["a"]), np.array(d["b"])
at = np.union1d(a, b)
p, q = [np.array([(v == x).mean() for x in at]) for v in (a, b)]
x, y = np.array(d["x"]), np.array(d["y"])
curve = IsotonicRegression(out_of_bounds="clip").fit(x, y)
share = curve.predict(x)

# The expected area of CBPE as NannyML has it: rows in order of the score, each hit by
# its probability, and the trapezoids below.
order = np.argsort(-x, kind="stable")
hits, misses = np.cumsum(share[order]), np.cumsum(1 - share[order])
area = np.trapezoid(np.r_[0, hits] / hits[-1], np.r_[0, misses] / misses[-1])

json.dump({
    "ks": stats.ks_2samp(a, b).statistic,
    "js": distance.jensenshannon(p, q),
    "w1": stats.wasserstein_distance(a, b),
    "isotonic": share.tolist(),
    "area": area,
    "accuracy": float(np.mean(np.where(x > 0.5, share, 1 - share))),
    "brier": float(np.mean(share * (1 - x) ** 2 + (1 - share) * x**2)),
    "ndcg": ndcg_score([d["was"]], [d["now"]]),
    "auc": roc_auc_score(y, x),
}, sys.stdout)
