# SPDX-License-Identifier: Apache-2.0
"""Makes CSV files, and reads them with pandas, Polars, Arrow or DuckDB; see main.go."""

import json
import sys
import time


def make(folder, rows):
    import numpy as np
    import pandas as pd

    r = np.random.default_rng(0)
    words = np.array(["alpha", "beta", "gamma delta", "epsilon"])
    mixed = {f"f{i}": r.normal(size=rows).round(4) for i in range(8)}
    mixed |= {f"i{i}": r.integers(0, 10_000, rows) for i in range(4)}
    mixed |= {f"c{i}": words[r.integers(0, 4, rows)] for i in range(2)}
    mixed["id"] = [f"user-{x}" for x in r.integers(0, 10**9, rows)]
    mixed["note"] = [f'the "{x}"' if x % 10 == 0 else "plain" for x in r.integers(0, 100, rows)]
    pd.DataFrame(mixed).to_csv(f"{folder}/mixed.csv", index=False)
    numbers = {f"f{i}": r.normal(size=rows).round(6) for i in range(10)}
    pd.DataFrame(numbers).to_csv(f"{folder}/numbers.csv", index=False)
    long = {f"f{i}": r.normal(size=rows) for i in range(10)}  # 17 digits each
    pd.DataFrame(long).to_csv(f"{folder}/long.csv", index=False)


def read(how, path):
    if how.startswith("pandas"):
        import pandas as pd

        types = None
        if how == "pandas-kinds":
            types = pd.read_csv(path, nrows=1000).dtypes.to_dict()
        start, used = time.perf_counter(), time.process_time()
        table = pd.read_csv(path, dtype=types)
        took = time.perf_counter() - start, time.process_time() - used
        return took, len(table), float(table.select_dtypes("number").sum().sum())
    if how == "polars":
        import polars as pl

        start, used = time.perf_counter(), time.process_time()
        table = pl.read_csv(path, infer_schema_length=None)
        took = time.perf_counter() - start, time.process_time() - used
        sums = [s.sum() for s in table if s.dtype.is_numeric()]
        return took, len(table), float(sum(sums))
    if how == "arrow":
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import csv

        start, used = time.perf_counter(), time.process_time()
        table = csv.read_csv(path)
        took = time.perf_counter() - start, time.process_time() - used
        numbers = [c for c in table.columns if pa.types.is_floating(c.type) or pa.types.is_integer(c.type)]
        return took, len(table), float(sum(pc.sum(c).as_py() for c in numbers))
    import duckdb

    start, used = time.perf_counter(), time.process_time()
    table = duckdb.sql(f"select * from read_csv('{path}', sample_size=-1)").df()
    took = time.perf_counter() - start, time.process_time() - used
    return took, len(table), float(table.select_dtypes("number").sum().sum())


if sys.argv[1] == "make":
    make(sys.argv[2], int(sys.argv[3]))
else:
    (seconds, processor), rows, total = read(sys.argv[1], sys.argv[2])
    print(json.dumps({"seconds": seconds, "processor": processor, "rows": rows, "sum": total}))
