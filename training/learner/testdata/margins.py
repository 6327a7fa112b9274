# Loads a model that Flyball wrote in XGBoost and prints the margins it gives, as bits.
# usage: margins.py MODEL.json ROWS.f32 COLUMNS
import json, sys
import numpy as np
import xgboost

booster = xgboost.Booster(model_file=sys.argv[1])
rows = np.fromfile(sys.argv[2], dtype="<f4").reshape(-1, int(sys.argv[3]))
names = booster.feature_names
margins = booster.predict(xgboost.DMatrix(rows, feature_names=names, feature_types=booster.feature_types, enable_categorical=True), output_margin=True)
print(json.dumps({"margins": margins.astype("<f4").reshape(-1).view("<u4").tolist(), "rounds": booster.num_boosted_rounds()}))
