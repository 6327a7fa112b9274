# SPDX-License-Identifier: Apache-2.0
"""What XGBoost and scikit-learn say of the rows. python answers.py rows.json model.json [pickle]"""
import json
import sys

import joblib
import numpy as np
import xgboost as xgb

x = np.array(json.load(open(sys.argv[1])), dtype=np.float32)
booster = xgb.Booster({"nthread": 1})
booster.load_model(sys.argv[2])
out = {"trees": booster.inplace_predict(x, validate_features=False).tolist()}
if len(sys.argv) > 3 and sys.argv[3]:
    out["pickle"] = joblib.load(sys.argv[3]).predict(x).tolist()
json.dump(out, sys.stdout)
