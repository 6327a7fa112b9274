# SPDX-License-Identifier: Apache-2.0
"""What people write by hand: FastAPI and onnxruntime. python fastapi_onnx.py model.json port

The ensemble is written as ONNX by hand, so that no converter is needed.
"""
import json
import math
import sys

import numpy as np
import onnx
import onnxruntime as ort
import uvicorn
from fastapi import FastAPI, Request
from onnx import TensorProto, helper

learner = json.load(open(sys.argv[1]))["learner"]
names = learner["feature_names"]
base = float(learner["learner_model_param"]["base_score"].strip("[]"))
nodes = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "missing_value_tracks_true")}
leaves = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}
for t, tree in enumerate(learner["gradient_booster"]["model"]["trees"]):
    for i, left in enumerate(tree["left_children"]):
        leaf = left < 0
        for k, v in {
            "treeids": t, "nodeids": i, "featureids": 0 if leaf else tree["split_indices"][i], "values": 0.0 if leaf else tree["split_conditions"][i],
            "modes": "LEAF" if leaf else "BRANCH_LT", "truenodeids": 0 if leaf else left,
            "falsenodeids": 0 if leaf else tree["right_children"][i], "missing_value_tracks_true": 0 if leaf else int(tree["default_left"][i]),
        }.items():
            nodes[k].append(v)
        if leaf:
            for k, v in {"treeids": t, "nodeids": i, "ids": 0, "weights": tree["split_conditions"][i]}.items():
                leaves[k].append(v)
ensemble = helper.make_node(
    "TreeEnsembleRegressor", ["x"], ["margin"], domain="ai.onnx.ml", n_targets=1, base_values=[math.log(base / (1 - base))],
    **{f"nodes_{k}": v for k, v in nodes.items()}, **{f"target_{k}": v for k, v in leaves.items()},
)
graph = helper.make_graph(
    [ensemble, helper.make_node("Sigmoid", ["margin"], ["p"])], "m",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, len(names)])], [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 1])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=8)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(model.SerializeToString(), options)
app = FastAPI()


@app.post("/predict")
async def predict(request: Request):
    rows = (await request.json())["rows"]
    x = np.array([[row[n] for n in names] for row in rows], dtype=np.float32)
    return {"predictions": session.run(None, {"x": x})[0].tolist()}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
