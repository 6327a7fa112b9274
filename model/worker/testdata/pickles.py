# SPDX-License-Identifier: Apache-2.0
"""Writes small models of scikit-learn, each as a folder below argv[1]."""

import os
import pickle
import sys

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

rng = np.random.default_rng(3)
x = pd.DataFrame(rng.normal(size=(100, 2)), columns=["a", "b"])
y = x["a"] > 0
texts = pd.DataFrame({"a": x["a"], "s": np.array(["u", "v"], dtype=object)[rng.integers(0, 2, 100)]})
one_hot = ColumnTransformer([("n", StandardScaler(), ["a"]), ("s", OneHotEncoder(handle_unknown="ignore"), ["s"])])

for name, model in {
    "logistic": LogisticRegression().fit(x, y),
    "columns": make_pipeline(one_hot, LogisticRegression()).fit(texts, y),
    "unknown": KernelDensity().fit(x),
}.items():
    os.mkdir(os.path.join(sys.argv[1], name))
    with open(os.path.join(sys.argv[1], name, "model.pkl"), "wb") as f:
        pickle.dump(model, f)
    with open(os.path.join(sys.argv[1], name, "MLmodel"), "w", encoding="utf-8") as f:
        f.write("flavors:\n  sklearn: {pickled_model: model.pkl, serialization_format: pickle}\n")
