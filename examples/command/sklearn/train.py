# SPDX-License-Identifier: Apache-2.0
"""Train scikit-learn under mlflow.autolog, which finds its run and server by itself."""
import json
import os

import mlflow
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor

mlflow.autolog(log_models=False, log_datasets=False)
train = pd.read_parquet(os.environ["FLYBALL_TRAIN"]).fillna(0)
label = train.pop(os.environ["FLYBALL_LABEL"])
settings = json.loads(os.environ["FLYBALL_SETTINGS"])
model = GradientBoostingRegressor(**settings, random_state=int(os.environ["FLYBALL_SEED"]))
model.fit(train, label)
mlflow.sklearn.save_model(model, os.path.join(os.environ["FLYBALL_OUT"], "model"), input_example=train.head(5), serialization_format="cloudpickle")
print("trained on", len(train), "rows and", len(train.columns), "features")
