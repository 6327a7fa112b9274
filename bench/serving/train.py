# SPDX-License-Identifier: Apache-2.0
"""Trains the model that every server answers with: 300 trees of depth 6, 30 features."""
import sys

import numpy as np
import xgboost as xgb

random = np.random.default_rng(7)
x = random.normal(size=(20_000, 30)).astype(np.float32)
y = (x[:, :5].sum(axis=1) + random.normal(size=len(x)) > 0).astype(np.float32)
names = [f"f{i}" for i in range(30)]
booster = xgb.train(
    {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "tree_method": "hist", "seed": 7, "nthread": 1},
    xgb.DMatrix(x, y, feature_names=names),
    num_boost_round=300,
)
booster.save_model(sys.argv[1])
