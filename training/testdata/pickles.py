# SPDX-License-Identifier: Apache-2.0
"""Trains models of scikit-learn on the first 700 rows of argv[1] and pickles each below
argv[2]."""

import os
import pickle
import sys

import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

table = pd.read_csv(sys.argv[1])[:700]
x, y = table[["x"]], table["y"]
for name, model in {
    "tree": make_pipeline(SimpleImputer(), DecisionTreeRegressor(max_depth=8, random_state=7)).fit(x, y),
    "linear": make_pipeline(StandardScaler(), LinearRegression()).fit(x, y),
    "neighbours": KNeighborsRegressor(3).fit(x, y),
    "logistic": LogisticRegression().fit(x, y > 10),
    "words": LogisticRegression().fit(x, (y > 10).map({False: "few", True: "many"})),
}.items():
    os.mkdir(os.path.join(sys.argv[2], name))
    with open(os.path.join(sys.argv[2], name, "model.pkl"), "wb") as f:
        pickle.dump(model, f)
