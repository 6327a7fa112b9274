# SPDX-License-Identifier: Apache-2.0
"""Makes reference.json: what scikit-learn 1.5.2 says of the rows in it.

    pip install scikit-learn==1.5.2 && python reference.py > reference.json
"""
import json

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

x = [3.5, None, -1.25, 7.0, 3.5, 0.1, None, 1e6, 2.0, -8.75, 0.3, 41.0]
city = ["Oslo", "Rome", "Oslo", "Bern", "Rome", "Oslo", "Lima", "Rome", "Oslo", "Bern", "Nice", "Rome"]
seen = ["Rome", "Bern", "Lima", "Nice", "Oslo", "Paris"]  # Paris was not met

col = np.array([np.nan if v is None else v for v in x]).reshape(-1, 1)
full = col[~np.isnan(col)].reshape(-1, 1)
text = np.array(city, dtype=object).reshape(-1, 1)
new = np.array(seen, dtype=object).reshape(-1, 1)


def flat(a):
    return [None if np.isnan(v) else float(v) for v in np.asarray(a).ravel()]


out = {"x": x, "city": city, "seen": seen, "impute": {}, "scale": {}}
for strategy in ["mean", "median", "most_frequent"]:
    out["impute"][strategy] = flat(SimpleImputer(strategy=strategy).fit_transform(col))
for name, scaler in [("standard", StandardScaler()), ("minmax", MinMaxScaler()), ("robust", RobustScaler())]:
    out["scale"][name] = flat(scaler.fit_transform(col))

plain = OneHotEncoder(handle_unknown="ignore").fit(text)
out["one_hot"] = {"names": [f"city={c}" for c in plain.categories_[0]], "rows": plain.transform(new).toarray().tolist()}
rare = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2).fit(text)
out["one_hot_at_least_2"] = {
    "names": ["city=Bern", "city=Oslo", "city=Rome", "city=other"],
    "rows": rare.transform(new).toarray().tolist(),
}
ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=5).fit(text)
out["ordinal"] = flat(ordinal.transform(new))
bins = KBinsDiscretizer(n_bins=4, encode="ordinal", strategy="quantile", subsample=None).fit(full)
out["bucketize"] = {"edges": flat(bins.bin_edges_[0][1:-1]), "full": flat(full), "rows": flat(bins.transform(full))}
print(json.dumps(out, indent=1))
