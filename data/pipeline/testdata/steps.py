# SPDX-License-Identifier: Apache-2.0
"""Makes steps.json: what scikit-learn 1.8.0 says of the rows in it, by steps that read the
target, hash, or weigh words.

    pip install scikit-learn==1.8.0 && python steps.py > steps.json
"""
import json
import sys

import numpy as np
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, TargetEncoder

r = np.random.default_rng(7)
n = 60
city = r.choice(["Oslo", "Rome", "Bern", "Lima", "Zürich"], n, p=[0.4, 0.3, 0.15, 0.1, 0.05]).astype(object)
city[r.random(n) < 0.1] = None
seen = ["Rome", "Paris", None, "Oslo", "Zürich", ""]  # Paris and the empty text were not met
targets = {
    "binary": [2, r.integers(0, 2, n).astype(float)],
    "number": [0, np.round(r.normal(size=n), 3)],
    "multiclass": [3, r.integers(0, 3, n).astype(float)],
}
folds = r.integers(0, 4, n)
kinds = {"binary": "binary", "number": "continuous", "multiclass": "multiclass"}


def column(words):
    return np.array([np.nan if w is None else w for w in words], dtype=object).reshape(-1, 1)


def rows(a):
    return np.asarray(a.todense() if hasattr(a, "todense") else a).tolist()


encoded = []
for name, (classes, y) in targets.items():
    for smooth in ["auto", 3.5]:
        encoder = lambda: TargetEncoder(smooth=smooth, target_type=kinds[name])
        whole = encoder().fit(column(city), y)
        out = np.zeros((n, classes if classes > 2 else 1))
        for f in range(4):
            out[folds == f] = encoder().fit(column(city[folds != f]), y[folds != f]).transform(column(city[folds == f]))
        encoded.append({"target": name, "classes": classes, "smooth": 0 if smooth == "auto" else smooth, "y": y.tolist(),
                        "seen": rows(whole.transform(column(seen))), "folded": rows(out)})  # fmt: skip

words = ["Oslo", "", "a", "ab", "abc", "abcd", "Zürich", "日本", "category 17", "x" * 31]
hashed = FeatureHasher(n_features=7, input_type="string").transform([[w] for w in words])

texts = [
    "The room was clean, the staff friendly", "THE Staff was not friendly!", "", "a b c", "Zimmer mit Aussicht über Zürich",
    "room_12 room_12 x-ray 4you", "ÉTÉ à la plage; été", "日本 の ホテル", "clean clean clean room", "Straße ΑΒΓ ½ ²³",
]  # fmt: skip
fresh = ["clean room, not the staff", "Zürich été 日本", "unknown words only", "."]
weighed = []
for ngrams in [[1, 1], [1, 2], [2, 3]]:
    p = make_pipeline(
        HashingVectorizer(n_features=16, ngram_range=tuple(ngrams), alternate_sign=False, norm=None), TfidfTransformer()
    ).fit(texts)
    weighed.append({"ngrams": ngrams, "rows": rows(p.transform(fresh)), "weights": p[-1].idf_.tolist()})

x = np.round(r.normal(size=(6, 3)) * 10, 2)
products = PolynomialFeatures(interaction_only=True, include_bias=False).fit_transform(x)
positive = np.abs(x[:, 0]) + 0.01
json.dump({
    "city": city.tolist(), "seen": seen, "folds": folds.tolist(), "target_encode": encoded,
    "words": words, "hash": rows(hashed),
    "texts": texts, "fresh": fresh, "text": weighed,
    "x": x.tolist(), "interactions": products.tolist(),
    "positive": positive.tolist(), "log": FunctionTransformer(np.log).transform(positive).tolist(),
    "log1p": FunctionTransformer(np.log1p).transform(positive).tolist(),
}, sys.stdout, ensure_ascii=False, indent=1)  # fmt: skip
print()
