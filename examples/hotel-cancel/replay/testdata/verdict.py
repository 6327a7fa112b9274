# SPDX-License-Identifier: Apache-2.0
"""Judges the two recipes of compare_test.go from what they predicted, with NumPy and SciPy alone; writes verdict.json.

    python verdict.py        (numpy 2, scipy 1; after go test -update)
"""
import csv
import gzip
import json
import pathlib

import numpy as np
from scipy import stats

here = pathlib.Path(__file__).parent


def read(name):
    with gzip.open(here / name, "rt", newline="") as f:
        return {r["key"]: r for r in csv.DictReader(f)}


deep, shallow = read("deep.csv.gz"), read("shallow.csv.gz")
keys = [k for k in shallow if k in deep]
y = np.array([float(shallow[k]["label"]) for k in keys])
a, b = (np.array([float(r[k]["prediction"]) for k in keys]) for r in (deep, shallow))
block = np.array([shallow[k]["block"] for k in keys])


def judge(gain, block):
    """The mean gain with its t interval over blocks: the linearised variance of a ratio."""
    names, of = np.unique(block, return_inverse=True)
    sums, sizes = np.bincount(of, gain), np.bincount(of)
    g, n = len(names), len(gain)
    se = np.sqrt(g / (g - 1) * ((sums - gain.mean() * sizes) ** 2).sum()) / n
    low, high = stats.t.interval(0.95, g - 1, gain.mean(), se)
    return {"value": gain.mean(), "low": low, "high": high}, 2 * stats.t.sf(abs(gain.mean() / se), g - 1)


def log_loss(y, p):
    return -np.where(y == 1, np.log(p), np.log1p(-p))


def auc(y, s):
    return stats.mannwhitneyu(s[y == 1], s[y == 0]).statistic / ((y == 1).sum() * (y == 0).sum())


def decided(s):
    return ((s > 0.5) == (y == 1)).astype(float)


gain = log_loss(y, b) - log_loss(y, a)
slices, p = {}, {}
for column in list(next(iter(shallow.values())))[4:]:
    value = np.array([shallow[k][column] for k in keys])
    for v in sorted(set(value) - {""}):
        rows = value == v
        if rows.sum() < 100 or min(y[rows].sum(), (1 - y[rows]).sum()) < 10:
            continue
        slices[f"{column}={v}"], p[f"{column}={v}"] = judge(gain[rows], block[rows])
        slices[f"{column}={v}"]["rows"] = int(rows.sum())
top = 0.0
for k, name in enumerate(sorted(p, key=p.get)):
    top = max(top, min(1, p[name] * (len(p) - k)))
    slices[name]["holm"] = top
changed = (a > 0.5) != (b > 0.5)
json.dump({
    "rows": len(y), "blocks": len(set(block)), "positives": int(y.sum()),
    "log_loss": judge(gain, block)[0], "brier": judge((b - y) ** 2 - (a - y) ** 2, block)[0], "accuracy": judge(decided(a) - decided(b), block)[0],
    "auc": {"deep": auc(y, a), "shallow": auc(y, b)},
    "changed": int(changed.sum()), "right": int(decided(a)[changed].sum()), "slices": slices,
}, open(here / "verdict.json", "w"), indent=1)
