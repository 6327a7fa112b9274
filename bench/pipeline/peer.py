# SPDX-License-Identifier: Apache-2.0
"""Does with scikit-learn, or with pandas and DuckDB, what main.go does with a pipeline: six
numbers are filled by their median and scaled, four texts become a column a category, one
becomes codes. Reads DIR/numbers.bin (float64, row by row) and DIR/texts.json; for each that is
named, writes DIR/NAME.bin (float32, row by row) and prints a line of JSON: processor seconds of
the fit, and of transforming all rows and one, a row. All use one thread.

    peer.py DIR ROWS TURNS NAME..."""
import json
import sys
import time

import numpy as np

where, rows, turns, names = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
numbers = np.fromfile(where + "/numbers.bin").reshape(rows, 6)
with open(where + "/texts.json", encoding="utf-8") as f:
    texts = np.array(json.load(f), dtype=object).T  # rows by 5


def best(work, times):
    took = []
    for _ in range(turns):
        start = time.process_time()
        for _ in range(times):
            out = work()
        took.append((time.process_time() - start) / times)
    return min(took), out


def scikit():
    import sklearn
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    # Numbers and texts are kept apart, which is the faster way: one table of objects is slow.
    number = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    hot = ColumnTransformer([
        ("hot", OneHotEncoder(handle_unknown="infrequent_if_exist", sparse_output=False), [0, 1, 2, 3]),
        ("code", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=1000), [4]),
    ])  # fmt: skip

    def fit():
        number.fit(numbers)
        hot.fit(texts)

    def transform(n):
        return np.hstack([number.transform(numbers[:n]), hot.transform(texts[:n])]).astype(np.float32)

    took, _ = best(fit, 1)
    return sklearn.__version__, took, transform


def learned():
    import pandas as pd

    median = np.nanmedian(numbers, axis=0)
    full = np.where(np.isnan(numbers), median, numbers)
    return median, full.mean(axis=0), full.std(axis=0), [sorted(pd.unique(texts[:, k])) for k in range(5)]


def frame():
    import pandas as pd

    return pd.DataFrame({**{f"n{k}": numbers[:, k] for k in range(6)}, **{f"t{k}": texts[:, k] for k in range(5)}})


def pandas():
    import pandas as pd

    table = frame()
    took, (median, mean, deviation, kept) = best(learned, 1)
    kinds = [pd.CategoricalDtype(words) for words in kept]

    def transform(n):
        t = table.iloc[:n]
        out = [(t[f"n{k}"].fillna(median[k]) - mean[k]) / deviation[k] for k in range(6)]
        out += [pd.get_dummies(t[f"t{k}"].astype(kinds[k]), dtype=np.float32) for k in range(4)]
        out.append(t["t4"].astype(kinds[4]).cat.codes)
        return pd.concat(out, axis=1).to_numpy(dtype=np.float32)

    return pd.__version__, took, transform


def duckdb():
    import duckdb

    con = duckdb.connect()
    con.execute("SET threads = 1")
    table = frame()
    con.register("given", table)  # its NaN becomes NULL
    con.execute("CREATE TABLE rows AS SELECT * FROM given")
    median, mean, deviation, kept = learned()

    def fit():
        for k in range(6):
            con.execute(f"SELECT quantile_cont(n{k}, 0.5), avg(n{k}), stddev_pop(n{k}) FROM rows").fetchall()
        for k in range(5):
            con.execute(f"SELECT DISTINCT t{k} FROM rows ORDER BY 1").fetchall()

    took, _ = best(fit, 1)
    parts = [
        f"((coalesce(n{k}, {float(median[k])!r}::DOUBLE) - {float(mean[k])!r}::DOUBLE) / {float(deviation[k])!r}::DOUBLE)::FLOAT AS n{k}"
        for k in range(6)
    ]
    for k in range(4):
        parts += [f"(t{k} = '{w}')::FLOAT AS t{k}_{i}" for i, w in enumerate(kept[k])]
    parts.append("(list_position([" + ", ".join(f"'{w}'" for w in kept[4]) + "], t4) - 1)::FLOAT AS t4")
    ask = "SELECT " + ", ".join(parts) + " FROM rows"

    def transform(n):
        got = con.execute(ask + (f" LIMIT {n}" if n < rows else "")).fetchnumpy()
        return np.stack(list(got.values()), axis=1)

    return duckdb.__version__, took, transform


for name in names:
    version, fit, transform = {"scikit-learn": scikit, "pandas": pandas, "duckdb": duckdb}[name]()
    batch, out = best(lambda: transform(rows), 1)
    row, _ = best(lambda: transform(1), 50)
    np.ascontiguousarray(out, dtype=np.float32).tofile(f"{where}/{name}.bin")
    print(json.dumps({"name": f"{name} {version}", "file": name, "fit": fit, "batch": batch / rows, "row": row}), flush=True)
