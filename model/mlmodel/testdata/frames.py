# SPDX-License-Identifier: Apache-2.0
"""Loads a folder with MLflow itself and scores the same rows in every form in which
people hold them. Prints the bits of the scores, and the forms that score otherwise."""

import json
import sys

import mlflow
import numpy as np
import pandas as pd

model = mlflow.pyfunc.load_model(sys.argv[1])
rows = json.load(sys.stdin)
plain = pd.DataFrame(rows)
want = model.predict(plain)
instants = pd.to_datetime(plain["at"], utc=True, format="ISO8601")

forms = {
    "another index": plain.set_index(np.arange(len(plain))[::-1] * 7),
    "other columns beside, in another order": plain.assign(more=1)[["more", *plain.columns[::-1]]],
    "datetime64": plain.assign(at=instants.dt.tz_localize(None)),
    "datetimes with a zone": plain.assign(at=instants.dt.tz_convert("Asia/Tokyo")),
    "datetime objects": plain.assign(at=pd.Series([None if t is pd.NaT else t.to_pydatetime() for t in instants], dtype=object)),
    "nullable types": plain.assign(x=plain["x"].astype("Float64"), room=plain["room"].astype("string")),
    "categories": plain.assign(city=plain["city"].astype("category")),
    "objects": plain.astype(object),
    "columns": {c: list(plain[c]) for c in plain},
    "records": plain.astype(object).where(plain.notna(), None).to_dict("records"),
}
differ = []
for name, form in forms.items():
    try:
        if not np.array_equal(model.predict(form), want):
            differ.append("%s: other scores" % name)
    except Exception as e:
        differ.append("%s: %s" % (name, e))
whole = plain.assign(x=2)  # int64, which MLflow keeps out of a double
if not np.array_equal(model.predict(whole), model.predict(whole.assign(x=2.0))):
    differ.append("whole numbers: other scores")
example = model.input_example
if example is None or len(model.predict(example)) != 5:
    differ.append("the input example cannot be scored")
for name, form in {"a text for a number": plain.assign(x="2"), "a number for a text": plain.assign(city=3), "no column": plain.drop(columns="x")}.items():
    try:
        model.predict(form)
        differ.append("%s was scored" % name)
    except Exception as e:
        if "x" not in str(e) and "city" not in str(e):
            differ.append("%s: %s" % (name, e))
bits = np.ascontiguousarray(want, dtype=np.float64).view(np.uint64)
json.dump({"bits": [int(b) for b in bits.ravel()], "differ": differ}, sys.stdout)
