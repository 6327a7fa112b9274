# SPDX-License-Identifier: Apache-2.0
"""Trains scikit-learn on what Flyball gives, and leaves the model as ONNX."""

import os

import pyarrow.parquet
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

columns = pyarrow.parquet.read_table(os.environ["FLYBALL_TRAIN"])
label = columns[os.environ["FLYBALL_LABEL"]].to_numpy()
features = columns.drop_columns([os.environ["FLYBALL_LABEL"]])
rows = list(zip(*(features[name].to_pylist() for name in features.column_names)))
model = make_pipeline(SimpleImputer(), DecisionTreeRegressor(max_depth=10, random_state=int(os.environ["FLYBALL_SEED"])))
model.fit(rows, label)
converted = to_onnx(model, initial_types=[("rows", FloatTensorType([None, features.num_columns]))])
with open(os.path.join(os.environ["FLYBALL_OUT"], "model.onnx"), "wb") as f:
    f.write(converted.SerializeToString(deterministic=True))
