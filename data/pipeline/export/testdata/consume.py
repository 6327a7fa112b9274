# SPDX-License-Identifier: Apache-2.0
"""Reads a folder of columns, transforms them with flyball.pipeline and with onnxruntime, and
prints, as JSON, for each how many bits differ from want.f32 and where the first does.

    consume.py FOLDER PYTHON_SDK
"""

import json
import os
import sys

import numpy as np

folder, sdk = sys.argv[1:]
sys.path.insert(0, sdk)
from flyball import pipeline  # noqa: E402

p = pipeline.load(os.path.join(folder, "pipeline.json"))
path = lambda name: os.path.join(folder, name)  # noqa: E731
columns, missing = {}, {}
for i, (name, kind) in enumerate(p.inputs.items()):
    if kind == "number":
        columns[name] = np.fromfile(path("%d.num" % i), "<f8")
    elif kind == "time":
        columns[name] = np.fromfile(path("%d.time" % i), "<i8")
    else:
        words = np.array(json.load(open(path("%d.json" % i), encoding="utf-8")) + [None], dtype=object)
        codes = np.fromfile(path("%d.text" % i), "<i4")
        columns[name] = words[codes]
        missing[name + ".missing"] = codes < 0
want = np.fromfile(path("want.f32"), "<u4")


def differ(x):
    bits = np.ascontiguousarray(x, dtype=np.float32).reshape(-1).view(np.uint32)
    if len(bits) != len(want):
        return {"differ": -1, "first": "%d features, not %d" % (len(bits), len(want))}
    bad = np.nonzero(bits != want)[0]
    first = ""
    if len(bad):
        row, k = divmod(int(bad[0]), len(p.features))
        first = "row %d, %s: %r, not %r (%s)" % (
            row, p.features[k], bits[bad[0] : bad[0] + 1].view(np.float32)[0], want[bad[0] : bad[0] + 1].view(np.float32)[0],
            {n: c[row] for n, c in columns.items()},
        )  # fmt: skip
    return {"differ": len(bad), "first": first}


out = {"python": differ(p.transform(columns)), "names": p.features}
if os.path.exists(path("pipeline.onnx")):
    import onnx
    import onnxruntime

    model = onnx.load(path("pipeline.onnx"))
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # that an input may be left out is meant
    s = onnxruntime.InferenceSession(path("pipeline.onnx"), options, providers=["CPUExecutionProvider"])
    feed = {}
    for name, v in columns.items():
        if name + ".missing" in missing:
            v = np.array(["" if x is None else x for x in v], dtype=object)
            feed[name + ".missing"] = missing[name + ".missing"].reshape(-1, 1)
        feed[name] = v.reshape(-1, 1)
    used = {i.name for i in s.get_inputs()} | {i.name for i in s.get_overridable_initializers()}
    feed = {name: v for name, v in feed.items() if name in used}
    got = []
    for at in range(0, len(want) // max(1, len(p.features)), 20000):
        got.append(s.run(["features"], {n: v[at : at + 20000] for n, v in feed.items()})[0])
    out["onnx"] = differ(np.concatenate(got))
    p.check(s)
    about = s.get_modelmeta().custom_metadata_map
    out["onnx_names"] = json.loads(about["flyball.features"])
print(json.dumps(out))
