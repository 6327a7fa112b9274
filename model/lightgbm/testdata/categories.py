# SPDX-License-Identifier: Apache-2.0
"""What LightGBM answers to a DataFrame with category columns. Prints one JSON object."""
import json

import lightgbm as lgb
import numpy as np
import pandas as pd

r = np.random.default_rng(3)
n = 2000
colours, sizes = ["red", "green", "", "blue grey", "Ü"], [10, 2, 30]


def rows(n, colours, sizes):
    return pd.DataFrame({
        "x": r.normal(size=n),
        "colour": pd.Categorical(r.choice(colours, n), categories=colours),
        "size": pd.Categorical(r.choice(sizes, n), categories=sizes),
        "yes": pd.Categorical(r.random(n) < 0.4, categories=[False, True]),
    })


df = rows(n, colours, sizes)
df.loc[r.random(n) < 0.1, "colour"] = None
y = df.x + (df.colour == "red") * 2 - (df["size"] == 2) * 3 + df.yes.astype(float) * (df.colour == "Ü")
b = lgb.train(dict(verbose=-1, num_threads=1, min_data_per_group=5, cat_smooth=1, max_cat_to_onehot=1), lgb.Dataset(df, y.astype(float)), 30)
asked = rows(200, ["violet"] + colours, [99] + sizes)  # some were never seen, and the order is another
asked.loc[:20, "colour"] = None
print(json.dumps(dict(
    model=b.model_to_string(), x=asked.x.tolist(), colour=[None if pd.isna(c) else c for c in asked.colour],
    size=[float(s) for s in asked["size"]], yes=[float(s) for s in asked.yes],
    margins=b.predict(asked, raw_score=True).tolist())))
