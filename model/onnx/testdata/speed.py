# SPDX-License-Identifier: Apache-2.0
# Prints models with their rows, and how long onnxruntime takes for them, one thread:
# nanoseconds for one row by itself and for one of a thousand. Environment:
# scripts/requirements/onnx.txt.
import contextlib
import io
import json
import runpy
import sys
import time

import numpy as np
import onnxruntime as rt

options = rt.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1


def nanoseconds(f, seconds=1.0):
    f()
    n, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        f()
        n += 1
    return (time.perf_counter() - start) / n * 1e9


out = io.StringIO()
sys.argv = ["models.py", *sys.argv[1:]]
with contextlib.redirect_stdout(out):
    module = runpy.run_path(__file__.replace("speed.py", "models.py"))
for line in out.getvalue().splitlines():
    import base64
    x = json.loads(line)
    session = rt.InferenceSession(base64.b64decode(x["onnx"]), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    rows = np.stack([np.frombuffer(base64.b64decode(c["num"])) for c in x["columns"]], axis=1).astype(np.float32)
    x["one"] = nanoseconds(lambda: session.run(None, {name: rows[:1]}))
    x["many"] = nanoseconds(lambda: session.run(None, {name: rows})) / len(rows)
    print(json.dumps(x))
