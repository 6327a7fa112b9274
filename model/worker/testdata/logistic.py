# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's LogisticRegression of 30 columns, fitted where it is loaded."""

import numpy as np
from sklearn.linear_model import LogisticRegression


def _load_pyfunc(path):
    x = np.random.default_rng(1).normal(size=(500, 30))
    return LogisticRegression().fit(x, x[:, 0] > 0)
