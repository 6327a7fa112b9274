# SPDX-License-Identifier: Apache-2.0
# Prints the test cases that the ONNX package has for single operators: JSON by lines.
# Arguments: the operators wanted. Cases with types that Flyball does not know are left
# out. Environment: scripts/requirements/onnx.txt.
import base64
import json
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

warnings.filterwarnings("ignore")
KNOWN = {1, 6, 7, 8, 9, 11}
wanted = set(sys.argv[1:])


def tensor(a):
    if isinstance(a, onnx.TensorProto):
        t = a
    else:
        t = numpy_helper.from_array(np.asarray(a))
    return base64.b64encode(t.SerializeToString()).decode() if t.data_type in KNOWN else None


for case in collect_testcases(None):
    g = case.model.graph
    if not {n.op_type for n in g.node} <= wanted:
        continue
    values = list(g.input) + list(g.output)
    if any(v.type.WhichOneof("value") != "tensor_type" or v.type.tensor_type.elem_type not in KNOWN for v in values):
        continue
    inputs, outputs = case.data_sets[0]
    inputs, outputs = [tensor(a) for a in inputs], [tensor(a) for a in outputs]
    if None in inputs or None in outputs:
        continue
    print(json.dumps({
        "name": case.name, "onnx": base64.b64encode(case.model.SerializeToString()).decode(),
        "inputs": inputs, "outputs": outputs, "ops": sorted({n.op_type for n in g.node}),
    }))
