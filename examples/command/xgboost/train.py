# SPDX-License-Identifier: Apache-2.0
"""Train XGBoost on what Flyball gives, and leave the model where it looks."""
import json
import os

import pandas as pd
import xgboost as xgb

train = pd.read_parquet(os.environ["FLYBALL_TRAIN"])
label = train.pop(os.environ["FLYBALL_LABEL"])
settings = json.loads(os.environ["FLYBALL_SETTINGS"])
model = xgb.XGBRegressor(**settings, random_state=int(os.environ["FLYBALL_SEED"]))
model.fit(train, label)
model.save_model(os.path.join(os.environ["FLYBALL_OUT"], "model.json"))
print("trained on", len(train), "rows and", len(train.columns), "features")
