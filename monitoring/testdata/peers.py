# SPDX-License-Identifier: Apache-2.0
"""Writes evidently.json or nannyml.json: rows, and what the library says of them.

The libraries with all that they need are 0.7 and 1.3 GB, so their answers are kept here.
To make them anew, each in an environment of its own:

    uv venv /tmp/peer && uv pip install --python /tmp/peer/bin/python evidently==0.7.21 'pandas<3'
    /tmp/peer/bin/python monitoring/testdata/peers.py evidently

and likewise nannyml==0.13.1 with statsmodels.
"""

import json
import os
import random
import sys
import warnings

warnings.filterwarnings("ignore")
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
os.environ["DO_NOT_TRACK"] = "1"

import pandas as pd


def distributions():
    """Two tables: whole numbers 0 to 11, words, and some missing words and one new in the second."""
    r = random.Random(7)
    was = {"level": [], "word": []}
    now = {"level": [], "word": []}
    for _ in range(1500):
        was["level"].append(min(r.randrange(12), r.randrange(16)))
        was["word"].append(None if r.random() < 0.05 else r.choice("aaaabbbccd"))
    for _ in range(900):
        now["level"].append(min(r.randrange(12), r.randrange(13)))
        now["word"].append(None if r.random() < 0.12 else r.choice("aabbbccccdde"))
    return was, now


def binary(n, skew, r):
    """Scores whose truth is score**skew; with 1 they are calibrated."""
    p = [round(0.02 + 0.96 * r.random(), 3) for _ in range(n)]
    return {"score": p, "truth": [int(r.random() < x**skew) for x in p]}


def classes(n, r):
    """Probabilities of three classes, and truths drawn of them."""
    rows, truth = [], []
    for _ in range(n):
        w = [r.random() ** 2 + 0.02 for _ in range(3)]
        p = [round(x / sum(w), 3) for x in w]
        p[2] = round(1 - p[0] - p[1], 3)
        rows.append(p)
        truth.append(r.choices(range(3), p)[0])
    return {"scores": rows, "truth": truth}


def evidently():
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    was, now = distributions()
    a, b = pd.DataFrame(was), pd.DataFrame(now)
    out = {}
    for column, kind, tests in (
        ("level", ColumnType.Numerical, ("psi", "jensenshannon", "wasserstein", "ks", "kl_div")),
        ("word", ColumnType.Categorical, ("psi", "jensenshannon", "chisquare", "kl_div")),
    ):
        ref, cur = a[column].dropna(), b[column].dropna()
        if column == "word":
            cur = cur[cur != "e"]  # a new word is another matter
        for test in tests:
            f = get_stattest(ref, cur, kind, test)
            out[f"{column} {test}"] = float(f(ref, cur, kind, None).drift_score)
    from evidently import Dataset, Report
    from evidently.metrics import MissingValueCount

    snapshot = Report([MissingValueCount(column="word")]).run(Dataset.from_pandas(b), None)
    value = snapshot.dict()["metrics"][0]["value"]
    out["word missing"] = float(value["share"])
    return {"was": was, "now": now, "says": out}


def nannyml():
    import nannyml as nml

    was, now = distributions()
    a, b = pd.DataFrame(was), pd.DataFrame(now)
    b_known = b[b["word"] != "e"]
    for f in (a, b, b_known):
        f["level"] = f["level"].astype(str)
    out = {}

    def one(frame, column):
        """The value of the last chunk of a result."""
        data = frame.filter(period="analysis").to_df()
        return float(data[column].iloc[0])

    methods = ["jensen_shannon", "hellinger", "l_infinity"]
    for column, cur in (("level", b), ("word", b_known)):
        calc = nml.UnivariateDriftCalculator(
            column_names=[column], treat_as_categorical=[column], categorical_methods=methods, chunk_number=1
        ).fit(a[[column]].dropna())
        got = calc.calculate(cur[[column]].dropna())
        for m in methods:
            out[f"{column} {m}"] = one(got, (column, m, "value"))
    calc = nml.UnivariateDriftCalculator(
        column_names=["level"], continuous_methods=["kolmogorov_smirnov", "wasserstein"], chunk_number=1
    ).fit(a[["level"]].astype(float))
    got = calc.calculate(b[["level"]].astype(float))
    for m in ("kolmogorov_smirnov", "wasserstein"):
        out[f"level {m}"] = one(got, ("level", m, "value"))
    got = nml.MissingValuesCalculator(column_names=["word"], normalize=True, chunk_number=1).fit(a).calculate(b)
    out["word missing"] = one(got, ("word", "value"))
    got = nml.UnseenValuesCalculator(column_names=["word"], normalize=True, chunk_number=1).fit(a).calculate(b)
    out["word unseen"] = one(got, ("word", "value"))

    r = random.Random(9)
    sets = {}
    for name, skew in (("calibrated", 1), ("skewed", 2)):
        ref, cur = binary(1000, skew, r), binary(500, skew, r)
        sets[name] = {"was": ref, "now": cur}
        fa = pd.DataFrame({"p": ref["score"], "y": ref["truth"]})
        fb = pd.DataFrame({"p": cur["score"], "y": cur["truth"]})
        for f in (fa, fb):
            f["hat"] = (f["p"] > 0.5).astype(int)
        est = nml.CBPE(
            y_pred_proba="p", y_pred="hat", y_true="y", metrics=["roc_auc", "accuracy"],
            problem_type="classification_binary", chunk_number=1,
        ).fit(fa)
        for how in ("curve", "as they are"):
            est.needs_calibration = how == "curve"
            got = est.estimate(fb.drop(columns="y"))
            for m in ("roc_auc", "accuracy"):
                out[f"{name} {how} {m}"] = one(got, (m, "value"))
    ref, cur = classes(1000, r), classes(500, r)
    sets["classes"] = {"was": ref, "now": cur}
    frames = []
    for part in (ref, cur):
        f = pd.DataFrame(part["scores"], columns=["p0", "p1", "p2"])
        f["y"] = [str(t) for t in part["truth"]]
        f["hat"] = [str(max(range(3), key=lambda k: p[k])) for p in part["scores"]]
        frames.append(f)
    est = nml.CBPE(
        y_pred_proba={"0": "p0", "1": "p1", "2": "p2"}, y_pred="hat", y_true="y", metrics=["accuracy"],
        problem_type="classification_multiclass", chunk_number=1,
    ).fit(frames[0])
    got = est.estimate(frames[1].drop(columns="y"))
    out["classes curve accuracy"] = one(got, ("accuracy", "value"))
    est._calibrators = {k: nml.calibration.NoopCalibrator() for k in "012"}
    got = est.estimate(frames[1].drop(columns="y"))
    out["classes as they are accuracy"] = one(got, ("accuracy", "value"))
    return {"was": was, "now": now, "sets": sets, "says": out}


which = sys.argv[1]
out = {"evidently": evidently, "nannyml": nannyml}[which]()
module = __import__(which)
out = {"made": f"{which} {module.__version__}, by peers.py"} | out
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{which}.json")
with open(path, "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
print(json.dumps(out["says"], indent=1))
