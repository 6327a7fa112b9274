# SPDX-License-Identifier: Apache-2.0
"""Scores rows from standard input by the folder of the first argument, and writes the
bits of the scores; with "frame" as the second argument the rows are a DataFrame."""

import json
import os
import sys

import numpy as np

folder = sys.argv[1]
sys.path.insert(0, os.path.join(folder, "code"))
import flyball_model  # noqa: E402

model = flyball_model._load_pyfunc(os.path.join(folder, "flyball"))
rows = json.load(sys.stdin)
if sys.argv[2:] == ["frame"]:
    import pandas

    rows = pandas.DataFrame(rows)
scores = np.ascontiguousarray(model.predict(rows), dtype=np.float64)
json.dump([int(b) for b in scores.ravel().view(np.uint64)], sys.stdout)
