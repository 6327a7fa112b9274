# SPDX-License-Identifier: Apache-2.0
"""Puts runs and a long metric history into the database of an MLflow server.

    python seed.py sqlite|postgres DATABASE EXPERIMENT RUNS LONG_RUN POINTS
"""

import io
import sys
import time
import uuid

engine, database, experiment, runs, long_run, points = sys.argv[1:]
runs, points = int(runs), int(points)

if engine == "sqlite":
    import sqlite3

    db = sqlite3.connect(database, timeout=60)
    db.execute("PRAGMA cache_size = -500000")
else:
    import psycopg2

    db = psycopg2.connect(database)


def insert(table, columns, rows):
    if engine == "sqlite":
        db.executemany("INSERT INTO %s (%s) VALUES (%s)" % (table, ",".join(columns), ",".join("?" * len(columns))), rows)
        return
    text = io.StringIO()
    for row in rows:
        text.write("\t".join("\\N" if v is None else str(v) for v in row) + "\n")
    text.seek(0)
    db.cursor().copy_from(text, table, columns=columns)


def value(i, k):
    return (i * 7919 + k * 104729) % 9973 / 9973


false = 0 if engine == "sqlite" else "f"
metric = ("key", "value", "timestamp", "run_uuid", "step", "is_nan")
for at in range(0, runs, 5000):
    ids = {i: uuid.uuid4().hex for i in range(at, min(at + 5000, runs))}
    now = int(time.time() * 1000)
    insert(
        "runs",
        ("run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status", "start_time",
         "source_version", "lifecycle_stage", "artifact_uri", "experiment_id"),
        ((r, "run-%d" % i, "UNKNOWN", "", "", "bench", "RUNNING", now + i, "", "active",
          "mlflow-artifacts:/%s/%s/artifacts" % (experiment, r), int(experiment)) for i, r in ids.items()),
    )
    for table in ("metrics", "latest_metrics"):
        insert(table, metric, (("m%d" % k, value(i, k), 1, r, 0, false) for i, r in ids.items() for k in range(20)))
    insert("params", ("key", "value", "run_uuid"), (("p%d" % k, "v%d" % ((i + k) % 10), r) for i, r in ids.items() for k in range(20)))
    insert("tags", ("key", "value", "run_uuid"), (("mlflow.runName", "run-%d" % i, r) for i, r in ids.items()))
for at in range(0, points, 100_000):
    insert("metrics", metric, (("loss", value(i, 0), i, long_run, i, false) for i in range(at, min(at + 100_000, points))))
insert("latest_metrics", metric, [("loss", value(points - 1, 0), points - 1, long_run, points - 1, false)])
db.commit()
if engine == "postgres":
    db.autocommit = True
db.cursor().execute("ANALYZE")
