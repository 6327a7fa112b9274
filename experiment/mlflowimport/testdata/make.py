# SPDX-License-Identifier: Apache-2.0
"""Fills a small tracking database through MLflow's own client. With a name it makes a
new SQLite database and writes <name>.sql, its dump, and <name>.json, what the client
reads from it; with an address (a URI with ://) it fills that server, or database.

    OUT=. python make.py mlflow-3.17
    python make.py postgresql://flyball@/postgres
"""

import json
import math
import os
import shutil
import sqlite3
import sys
import tempfile

name = sys.argv[1]
folder = tempfile.mkdtemp()
os.chdir(folder)
os.environ["MLFLOW_TRACKING_URI"] = name if "://" in name else f"sqlite:///{folder}/mlflow.db"

import mlflow  # noqa: E402
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType  # noqa: E402

client = mlflow.MlflowClient()
e1 = client.create_experiment("first", artifact_location="mlflow-artifacts:/1", tags={"team": "pricing"})
e2 = client.create_experiment("Zweites Experiment, gelöscht", artifact_location="mlflow-artifacts:/2")
e3 = client.create_experiment("in a bucket", artifact_location="s3://bucket/x")
runs = []
for i in range(5):
    r = client.create_run(e1, start_time=1_700_000_000_000 + i, run_name=f"run {i}", tags={"mlflow.user": "ana", "k": "v"})
    runs.append(r.info.run_id)
    client.log_batch(
        r.info.run_id,
        metrics=[Metric("loss", 1 / (s + 1), 1_700_000_000_000 + s, s) for s in range(20)]
        + [Metric("odd", v, 7, 0) for v in (math.nan, math.inf, -math.inf, -0.5)],
        params=[Param("depth", str(i)), Param("long", "x" * 5000)],
        tags=[RunTag("mlflow.note.content", "zwei\nZeilen")],
    )
    client.set_terminated(r.info.run_id, ["FINISHED", "FAILED", "KILLED", "RUNNING", "SCHEDULED"][i], end_time=1_700_000_100_000)
client.log_inputs(
    runs[0],
    [DatasetInput(Dataset("bookings", "abc", "local", '{"uri": "b.csv"}', schema='{"a": 1}'), [InputTag("mlflow.data.context", "training")])],
)
client.delete_run(runs[4])
client.create_run(e3, start_time=5, run_name="far away")
gone = client.create_run(e2, start_time=6, run_name="with its experiment")
client.delete_experiment(e2)
if hasattr(client, "create_logged_model"):
    m = client.create_logged_model(e1, name="model", source_run_id=runs[0], params={"p": "1"}, tags={"t": "2"}, model_type="xgboost")
    client.finalize_logged_model(m.model_id, "READY")
    client.log_metric(runs[0], "auc", 0.75, timestamp=9, step=3, model_id=m.model_id, dataset_name="bookings", dataset_digest="abc")
    from mlflow.entities import LoggedModelOutput

    client.log_outputs(runs[0], [LoggedModelOutput(m.model_id, 3)])
client.create_registered_model("hotel", tags={"owner": "bo"}, description="Will they come?")
client.create_registered_model("empty")
for i in range(3):
    client.create_model_version("hotel", source=f"mlflow-artifacts:/1/{runs[i]}/artifacts/model", run_id=runs[i], tags={"i": str(i)}, description=f"the {i}th")
client.delete_model_version("hotel", "2")
client.set_registered_model_alias("hotel", "best", "3")
client.transition_model_version_stage("hotel", "1", "Archived")

if "://" in name:
    shutil.rmtree(folder)
    sys.exit()
want = {"runs": {}}
for r in mlflow.search_runs(experiment_ids=[e1, e2, e3], run_view_type=ViewType.ALL, output_format="list"):
    want["runs"][r.info.run_id] = {
        "name": r.info.run_name, "status": r.info.status, "start": r.info.start_time, "end": r.info.end_time or 0,
        "stage": r.info.lifecycle_stage, "params": r.data.params, "tags": r.data.tags,
        "metrics": {k: "NaN" if math.isnan(v) else v for k, v in r.data.metrics.items()},
        "points": sum(len(client.get_metric_history(r.info.run_id, k)) for k in r.data.metrics),
        "inputs": [d.dataset.name for d in r.inputs.dataset_inputs],
        "outputs": [o.model_id for o in r.outputs.model_outputs] if getattr(r, "outputs", None) else [],
    }
out = os.environ["OUT"]
with open(f"{out}/{name}.json", "w") as f:
    json.dump(want, f, indent=1, sort_keys=True, ensure_ascii=False)
with open(f"{out}/{name}.sql", "w") as f:
    for line in sqlite3.connect(f"{folder}/mlflow.db").iterdump():
        f.write(line + "\n")
shutil.rmtree(folder)
