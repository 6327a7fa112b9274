# SPDX-License-Identifier: Apache-2.0
"""Writes the predictions of two made-up pairs of runs, and what SciPy and NumPy say of them, apart from Flyball.

    python reference.py        (numpy 2, scipy 1; writes binary-*.csv, number-*.csv and reference.json beside itself)
"""
import csv
import json
import pathlib

import numpy as np
from scipy import stats

here = pathlib.Path(__file__).parent
random = np.random.default_rng(20260301)


def write(name, key, label, prediction, **more):
    with open(here / name, "w", newline="") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(["key", "label", "prediction", *more])
        w.writerows(zip(key, [f"{v:g}" for v in label], [repr(float(v)) for v in prediction], *more.values()))


def mean(d, block):
    """The mean with its t interval; with blocks, the linearised variance over them."""
    if block is None:
        se, df = d.std(ddof=1) / np.sqrt(len(d)), len(d) - 1
    else:
        r = np.array([(d - d.mean())[block == b].sum() for b in np.unique(block)])
        g = len(r)
        se, df = np.sqrt(g / (g - 1) * (r**2).sum()) / len(d), g - 1
    low, high = stats.t.interval(0.95, df, d.mean(), se)
    return {"value": d.mean(), "low": low, "high": high, "p": stats.t.cdf(d.mean() / se, df)}


def placements(y, s):
    p, n = s[y == 1], s[y == 0]
    psi = (p[:, None] > n[None, :]) + 0.5 * (p[:, None] == n[None, :])
    return psi.mean(axis=1), psi.mean(axis=0)


def delong(y, a, b):
    (pa, na), (pb, nb) = placements(y, a), placements(y, b)
    va = np.cov(pa, pb) / len(pa) + np.cov(na, nb) / len(na)
    d, se = pa.mean() - pb.mean(), np.sqrt(va[0, 0] + va[1, 1] - 2 * va[0, 1])
    x = np.concatenate([(pa - pb - d) / len(pa), (na - nb - d) / len(na)])  # each row's influence
    df = 2 * (x**2).sum() ** 2 / ((x**4).sum() - (x**2).sum() ** 2 / len(x))
    low, high = stats.t.interval(0.95, min(df, len(x) - 1), d, se)
    return {"value": d, "low": low, "high": high, "p": stats.t.cdf(d / se, min(df, len(x) - 1))}


def log_loss(y, p):
    return -np.where(y == 1, np.log(p), np.log1p(-p))


def holm(p):
    order, out, top = np.argsort(p), np.zeros(len(p)), 0
    for k, i in enumerate(order):
        top = max(top, min(1, p[i] * (len(p) - k)))
        out[i] = top
    return out


def decided(y, s):
    return ((s > 0.5) == (y == 1)).astype(float)


def judge(y, a, b, block=None):
    gain = log_loss(y, b) - log_loss(y, a)
    out = {"log_loss": mean(gain, block), "brier": mean((b - y) ** 2 - (a - y) ** 2, block), "accuracy": mean(decided(y, a) - decided(y, b), block)}
    if block is None:
        out["auc"] = delong(y, a, b)
    return out


n = 1200
key = np.array([f"r{i:04d}" for i in random.permutation(n)])
part = random.choice(["city", "resort", "airport", ""], n, p=[0.55, 0.35, 0.03, 0.07])
block = np.array([f"g{i}" for i in random.integers(0, 400, n)])
z = random.normal(-1, 1.2, n)
y = (random.random(n) < 1 / (1 + np.exp(-z))).astype(float)
a = 1 / (1 + np.exp(-(z + random.normal(0, 0.5, n))))
b = 1 / (1 + np.exp(-(z + random.normal(0, 1.1, n))))
# 1,150 rows of a and 1,100 of b; the rows that both have are 50 to 1,100
write("binary-a.csv", key[50:], y[50:], a[50:], part=part[50:], block=block[50:])
write("binary-b.csv", key[:1100], y[:1100], b[:1100], part=part[:1100], block=block[:1100])
both = slice(50, 1100)
y, a, b, part, block = y[both], a[both], b[both], part[both], block[both]
cut = sorted(v for v in set(part) if v and (part == v).sum() >= 100)
gain = log_loss(y, b) - log_loss(y, a)
parts = {v: mean(gain[part == v], None) for v in cut}
for v, q in zip(cut, holm(np.array([min(1, 2 * min(parts[v]["p"], 1 - parts[v]["p"])) for v in cut]))):
    parts[v]["holm"] = q
said, other = a > 0.5, b > 0.5
right = int((said == (y == 1))[said != other].sum())
changed = int((said != other).sum())
x = stats.binom
midp = min(1, 2 * x.cdf(min(right, changed - right), changed, 0.5) - x.pmf(min(right, changed - right), changed, 0.5))
binary = {
    "rows": len(y), "positives": int(y.sum()), "rows_judged": judge(y, a, b), "blocks_judged": judge(y, a, b, block), "blocks": len(np.unique(block)), "parts": parts,
    "changed": changed, "right": right, "midp": midp,
}

n = 900
key = np.array([f"d{i:04d}" for i in range(n)])
y = random.gamma(2, 50, n)
a, b = y + random.normal(2, 11, n), y + random.normal(1.8, 11.1, n)
write("number-a.csv", key, y, a)
write("number-b.csv", key, y, b)
y = np.array([float(f"{v:g}") for v in y])
number = {
    "rows": n, "mae": mean(np.abs(b - y) - np.abs(a - y), None), "rmse_a": float(np.sqrt(((a - y) ** 2).mean())), "rmse_b": float(np.sqrt(((b - y) ** 2).mean())),
    "errors": {f"{p:g}": float(np.quantile(a - y, p)) for p in (0.05, 0.5, 0.95)},
}
constant = {"rows": n, "mae": mean(np.abs(y.mean() - y) - np.abs(a - y), None)}
json.dump({"binary": binary, "number": number, "constant": constant}, open(here / "reference.json", "w"), indent=1)
