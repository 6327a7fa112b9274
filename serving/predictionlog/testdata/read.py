# SPDX-License-Identifier: Apache-2.0
"""Reads sealed predictions as people do, with DuckDB and with pandas, and prints what is
there as JSON. python read.py FOLDER"""
import json
import math
import sys

import duckdb
import pandas as pd

folder = sys.argv[1]


def plain(v):
    if hasattr(v, "tolist"):
        v = v.tolist()
    if isinstance(v, bytes):
        return v.hex()
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, float) and not math.isfinite(v):
        return str(v)
    return None if v is pd.NaT or v is pd.NA else v


duckdb.sql("SET TimeZone = 'UTC'")
table = f"read_parquet('{folder}/model=m/*/*.parquet', hive_partitioning = true)"
times = 'epoch_us(time) AS time, epoch_us(due) AS due, epoch_us("at") AS "at"'  # AT is a word of DuckDB's
rows = duckdb.sql(f"SELECT * EXCLUDE (date, model) REPLACE ({times}) FROM {table} ORDER BY id")
duck = dict(
    types={name: kind for name, kind, *_ in duckdb.sql(f"DESCRIBE SELECT * EXCLUDE (date, model) FROM {table}").fetchall()},
    rows=[{name: plain(v) for name, v in zip(rows.columns, row)} for row in rows.fetchall()],
    lead=duckdb.sql(f"SELECT (row->>'$.lead_time')::DOUBLE FROM {table} WHERE row IS NOT NULL ORDER BY id LIMIT 1").fetchall()[0][0],
    dates=duckdb.sql(f"SELECT date::VARCHAR, count(*) FROM {table} GROUP BY date ORDER BY date").fetchall())

p = pd.read_parquet(f"{folder}/model=m").sort_values("id").drop(columns="date")
types = {name: str(kind) for name, kind in p.dtypes.items()}
for name in ("time", "due", "at"):
    p[name] = p[name].astype("datetime64[us, UTC]").astype("int64")
for name in ("key", "decision", "others", "row", "reasons", "score", "vector"):
    p[name] = p[name].astype(object).where(p[name].notna(), None)
print(json.dumps(dict(duckdb=duck, pandas=dict(
    types=types, rows=[{n: plain(v) for n, v in zip(p.columns, row)} for row in p.itertuples(index=False)]))))
