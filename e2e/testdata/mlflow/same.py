# SPDX-License-Identifier: Apache-2.0
"""Reads two tracking servers through MLflow's client, and ends with an error unless
both say the same: python same.py URI URI."""

import math
import os
import sys

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"

from mlflow import MlflowClient
from mlflow.entities import ViewType

a, b = MlflowClient(sys.argv[1]), MlflowClient(sys.argv[2])


def plain(v):
    return "NaN" if isinstance(v, float) and math.isnan(v) else v


def texts(aliases):
    """Version numbers are texts over the wire and numbers in the database."""
    return {k: str(v) for k, v in aliases.items()}


def every(search, **kwargs):
    token = None
    while True:
        page = search(page_token=token, **kwargs)
        yield from page
        token = page.token
        if not token:
            return


def told(client, experiment, histories):
    for r in every(client.search_runs, experiment_ids=[experiment], run_view_type=ViewType.ALL, max_results=5000, order_by=["attributes.run_id ASC"]):
        i, d = r.info, r.data
        out = (
            i.run_id, i.run_name, i.status, i.start_time, i.end_time, i.lifecycle_stage, i.user_id, d.params, d.tags,
            {k: plain(v) for k, v in d.metrics.items()},
            sorted((x.dataset.name, x.dataset.digest, x.dataset.profile or "", [(t.key, t.value) for t in x.tags]) for x in r.inputs.dataset_inputs),
            [(o.model_id, o.step) for o in (r.outputs.model_outputs if r.outputs else [])],
        )
        if histories:
            out += tuple(sorted((k, m.timestamp, m.step, str(plain(m.value))) for k in d.metrics for m in client.get_metric_history(i.run_id, k)))
        yield out


runs = 0
names = {e.name: e for e in every(a.search_experiments, view_type=ViewType.ALL, max_results=1000)}
others = {e.name: e for e in every(b.search_experiments, view_type=ViewType.ALL, max_results=1000)}
assert names.keys() == others.keys(), (names.keys(), others.keys())
for name, e in sorted(names.items()):
    o = others[name]
    assert (e.lifecycle_stage, e.tags) == (o.lifecycle_stage, o.tags), (e, o)
    one, two = (told(c, x.experiment_id, histories=name != "seeded") for c, x in ((a, e), (b, o)))
    for x, y in zip(one, two, strict=True):
        assert x == y, f"{name}:\n{x}\n{y}"
        runs += 1

for m in every(a.search_registered_models, max_results=100):
    o = b.get_registered_model(m.name)
    assert (m.description or "", m.tags, texts(m.aliases)) == (o.description or "", o.tags, texts(o.aliases)), (m, o)
    for v in every(a.search_model_versions, filter_string=f"name = '{m.name}'", max_results=100):
        w = b.get_model_version(m.name, v.version)
        assert (v.source, v.run_id, v.description or "", v.tags, v.current_stage) == (w.source, w.run_id, w.description or "", w.tags, w.current_stage), (v, w)
print(runs, "runs are equal")
