# SPDX-License-Identifier: Apache-2.0
"""Trains a model with missing values for each objective that is named; prints it, in
both formats, rows and raw margins as JSON, by objective."""
import base64, json, sys
import numpy as np, xgboost as xgb
bits = lambda a: np.ascontiguousarray(a, dtype=np.float32).view(np.uint32).ravel().tolist()
out = {}
for objective in sys.argv[1:]:
    r = np.random.default_rng(7)
    x = r.normal(size=(300, 4)).astype(np.float32)
    s = x[:, 0] + x[:, 1] * x[:, 2]
    x[r.random(x.shape) < 0.15] = np.nan
    p = {"objective": objective, "max_depth": 4, "nthread": 1}
    if objective == "binary:logistic": y = (s > 0.3).astype(int)
    elif objective == "multi:softprob": y = np.digitize(s, [-0.5, 0.5]); p["num_class"] = 3
    else: y = np.abs(s + 3)
    d = xgb.DMatrix(x, label=y)
    b = xgb.train(p, d, 20)
    out[objective] = {
        "model": json.loads(b.save_raw("json")), "ubj": base64.b64encode(b.save_raw("ubj")).decode(), "x": bits(x),
        "margins": bits(b.predict(d, output_margin=True)),
        "first": bits(b.predict(d, output_margin=True, iteration_range=(0, 7))),
    }
print(json.dumps(out))
