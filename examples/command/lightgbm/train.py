# SPDX-License-Identifier: Apache-2.0
"""Train LightGBM on what Flyball gives, and leave the model where it looks."""
import json
import os

import lightgbm as lgb
import pandas as pd

train = pd.read_parquet(os.environ["FLYBALL_TRAIN"])
label = train.pop(os.environ["FLYBALL_LABEL"])
settings = json.loads(os.environ["FLYBALL_SETTINGS"])
model = lgb.LGBMRegressor(**settings, random_state=int(os.environ["FLYBALL_SEED"]), n_jobs=1, verbose=-1)
model.fit(train, label)
model.booster_.save_model(os.path.join(os.environ["FLYBALL_OUT"], "model.txt"))
print("trained on", len(train), "rows and", len(train.columns), "features")
