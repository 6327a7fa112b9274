# SPDX-License-Identifier: Apache-2.0
# Writes the small models of this folder and small.json: rows, and what onnxruntime says
# of them. Environment: scripts/requirements/onnx.txt.
import json
import pathlib

import numpy as np
import onnxruntime as rt
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(0)
n = 200
x = rng.normal(size=(n, 3)).astype(np.float32)
x[rng.random(x.shape) < 0.1] = np.nan
whole = np.nan_to_num(x)
city = rng.choice(["ams", "ber", "cph"], n)
y = (whole[:, 0] + (city == "ber") + rng.normal(size=n) * 0.2 > 0.3).astype(np.int64)
three = np.digitize(whole[:, 1], [-0.4, 0.4])
words = np.array(["no", "yes"])[y]
f = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "city": city})
table = ColumnTransformer([
    ("n", make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b", "c"]),
    ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city"]),
])
ordinal = ColumnTransformer([
    ("c", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city"]), ("n", "passthrough", ["a", "b", "c"]),
])
numbers = [("X", FloatTensorType([None, 3]))]
columns = [(c, FloatTensorType([None, 1])) for c in "abc"] + [("city", StringTensorType([None, 1]))]
models = {
    "forest": (RandomForestClassifier(3, max_depth=4, random_state=0), whole, three, numbers),
    "boosting": (GradientBoostingRegressor(n_estimators=5, random_state=0), whole, whole[:, 0] * 2, numbers),
    "missing": (HistGradientBoostingClassifier(max_iter=4, max_leaf_nodes=5), x, y, numbers),
    "network": (MLPClassifier((4,), max_iter=30, random_state=0), whole, three, numbers),
    "vectors": (SVC(probability=True, C=0.1, random_state=0), whole[:40], words[:40], numbers),
    "table": (make_pipeline(table, LogisticRegression()), f, words, columns),
    "ordinal": (make_pipeline(ordinal, HistGradientBoostingClassifier(max_iter=4, max_leaf_nodes=5)), f, y, columns),
}
out = {}
for name, (m, data, target, types) in models.items():
    onx = to_onnx(m.fit(data, target), initial_types=types)
    (here / f"{name}.onnx").write_bytes(onx.SerializeToString())
    rows = data[:6]
    feed = {"X": rows} if types is numbers else {c: rows[[c]].values.astype(object if c == "city" else np.float32) for c in f.columns}
    got = rt.InferenceSession(onx.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)
    scores = got[0] if len(got) == 1 else [[r[k] for k in r] for r in got[1]]
    values = rows.values.tolist() if types is columns else rows.tolist()
    out[name] = {
        "rows": [[None if isinstance(v, float) and np.isnan(v) else v for v in r] for r in values],
        "scores": [[round(float(v), 7) for v in np.atleast_1d(r)] for r in scores],
    }
(here / "small.json").write_text("{\n" + ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in out.items()) + "\n}\n")
