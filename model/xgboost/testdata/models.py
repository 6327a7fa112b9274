# SPDX-License-Identifier: Apache-2.0
"""Trains models of every kind with the XGBoost at hand and writes each, in both formats,
with rows, raw margins and what predict answers:

    models.py FOLDER ROWS NAME...      those that are named; none: all that this version can
    models.py FOLDER ROWS --packed     one file, small, gzipped: what testdata keeps of old versions

Without --packed, NAME.json and NAME.ubj are the model, NAME.bin holds rows, margins, answers
and the margins of the first iterations (float32, little-endian), and index.json says how many
of what."""
import base64, gzip, json, sys
import numpy as np, xgboost as xgb

VERSION = tuple(int(v) for v in xgb.__version__.split(".")[:2])
FEATURES, SEED = 8, 7


def spec(objective="reg:squarederror", rounds=20, since=(1, 6), **more):
    return {"objective": objective, "rounds": rounds, "since": since, **more}


def suite():
    s = {}
    if "--packed" in sys.argv: return small()
    for depth in (1, 2, 3, 4, 6, 8, 10, 12, 16):
        s[f"depth{depth}"] = spec(max_depth=depth, missing=[0, 0.05, 0.15, 0.3][depth % 4], rounds=40 if depth < 8 else 12)
    for classes in (2, 3, 5, 10):
        s[f"classes{classes}"] = spec("multi:softprob", num_class=classes, max_depth=5, rounds=8, missing=0.1)
    s["softmax"] = spec("multi:softmax", num_class=4, max_depth=3, rounds=6)
    s["logistic"] = spec("binary:logistic", max_depth=6, missing=0.2)
    s["logistic_base"] = spec("binary:logistic", max_depth=4, base_score=0.137)
    s["logistic_ones"] = spec("binary:logistic", max_depth=2, rounds=3, since=(3, 2), ones=True)
    s["reg_logistic"] = spec("reg:logistic", max_depth=4)
    s["logitraw"] = spec("binary:logitraw", max_depth=4, base_score=0.3)
    s["hinge"] = spec("binary:hinge", max_depth=4)
    s["base"] = spec(max_depth=3, base_score=-12.3456789)
    s["absolute"] = spec("reg:absoluteerror", max_depth=5, since=(1, 7))
    s["squaredlog"] = spec("reg:squaredlogerror", max_depth=5)
    s["huber"] = spec("reg:pseudohubererror", max_depth=5)
    s["poisson"] = spec("count:poisson", max_depth=5, missing=0.1)
    s["gamma"] = spec("reg:gamma", max_depth=4)
    s["tweedie"] = spec("reg:tweedie", max_depth=4, tweedie_variance_power=1.3)
    s["quantile"] = spec("reg:quantileerror", max_depth=4, quantile_alpha=0.3, since=(2, 0))
    s["quantiles"] = spec("reg:quantileerror", max_depth=4, quantile_alpha=[0.1, 0.5, 0.9], since=(2, 0))
    s["cox"] = spec("survival:cox", max_depth=3)
    s["aft"] = spec("survival:aft", max_depth=3)
    s["pairwise"] = spec("rank:pairwise", max_depth=4)
    s["ndcg"] = spec("rank:ndcg", max_depth=4)
    s["targets"] = spec(max_depth=4, targets=3)
    s["labels"] = spec("binary:logistic", max_depth=4, targets=3)
    s["forest"] = spec(max_depth=6, num_parallel_tree=15, rounds=2, subsample=0.7, missing=0.1)
    s["forest_classes"] = spec("multi:softprob", num_class=3, max_depth=4, num_parallel_tree=5, rounds=3, subsample=0.7)
    s["dart"] = spec(booster="dart", max_depth=5, rate_drop=0.3, rounds=30, missing=0.1)
    s["dart_classes"] = spec("multi:softprob", booster="dart", num_class=3, max_depth=4, rate_drop=0.3, rounds=10)
    s["dart_logistic"] = spec("binary:logistic", booster="dart", max_depth=4, rate_drop=0.5, base_score=0.2)
    s["onehot"] = spec(max_depth=5, categories=12, max_cat_to_onehot=100, missing=0.1)
    s["partition"] = spec(max_depth=6, categories=40, max_cat_to_onehot=1, missing=0.1)
    s["partition_dart"] = spec("binary:logistic", booster="dart", rate_drop=0.3, max_depth=4, categories=70, max_cat_to_onehot=4)
    s["lossguide"] = spec(tree_method="hist", grow_policy="lossguide", max_leaves=40, max_depth=0)
    s["linear"] = spec(booster="gblinear", missing=0.2)
    s["linear_classes"] = spec("multi:softprob", booster="gblinear", num_class=3, missing=0.1)
    s["linear_logistic"] = spec("binary:logistic", booster="gblinear", base_score=0.3)
    return {k: v for k, v in s.items() if VERSION >= v["since"]}


def small():
    """A few models of each kind, small enough to be kept."""
    s = {}
    for objective in ("reg:squarederror", "binary:logistic", "binary:logitraw", "count:poisson", "survival:aft", "rank:ndcg"):
        s[objective.replace(":", "_")] = spec(objective, max_depth=3, rounds=4, missing=0.1)
    s["quantiles"] = spec("reg:quantileerror", max_depth=3, rounds=3, quantile_alpha=[0.1, 0.9], since=(2, 0))
    s["multi"] = spec("multi:softprob", num_class=3, max_depth=3, rounds=3, missing=0.1)
    s["targets"] = spec(max_depth=3, targets=2, rounds=3)
    s["forest"] = spec(max_depth=3, num_parallel_tree=4, rounds=3, subsample=0.7, missing=0.1)
    s["dart"] = spec("binary:logistic", booster="dart", max_depth=3, rate_drop=0.5, rounds=6, base_score=0.2, missing=0.1)
    s["onehot"] = spec(max_depth=4, categories=12, max_cat_to_onehot=100, rounds=4, missing=0.1)
    s["partition"] = spec(max_depth=4, categories=40, max_cat_to_onehot=1, rounds=4, missing=0.1)
    s["linear"] = spec("multi:softprob", booster="gblinear", num_class=3, rounds=3, missing=0.1)
    return {k: v for k, v in s.items() if VERSION >= v["since"]}


def label(objective, s, p, more):
    if more.get("targets"):
        y = np.stack([s, -s * 2, s * s], 1)
        return (y > 0.3).astype(int) if "logistic" in objective else y
    if more.get("ones"): return np.ones(len(s))
    if objective.startswith("binary:"): return (s > 0.3).astype(int)
    if objective == "reg:logistic": return 1 / (1 + np.exp(-s))
    if objective.startswith("multi:"): return np.digitize(s, np.quantile(s, np.linspace(0, 1, p["num_class"] + 1)[1:-1]))
    if objective.startswith("rank:"): return np.digitize(s, [-0.5, 0.5])
    return np.abs(s + 3) if objective != "reg:squarederror" else s


def table(r, rows, missing, categories):
    """Rows to train on, or (categories < 0) to score, with numbers that are no categories."""
    x = r.normal(size=(rows, FEATURES)).astype(np.float32)
    x[:, 5] = r.integers(0, 6, rows)
    n = abs(categories)
    for f in (1, 3) if n else ():
        x[:, f] = r.integers(0, n, rows)
        if categories < 0:
            odd = np.array([-1, -0.5, 0.5, 2.999, n, n + 31, n + 500, 2**24 - 1, 2**24, 3e9, 3e38, -3e38], np.float32)
            x[:, f] = np.where(r.random(rows) < 0.2, r.choice(odd, rows), x[:, f])
    x[r.random(x.shape) < missing] = np.nan
    return x


def train(p):
    p = dict(p)
    r = np.random.default_rng(SEED)
    more = {k: p.pop(k, None) for k in ("rounds", "since", "missing", "categories", "targets", "ones")}
    n = more["categories"] or 0
    types = ["c" if n and f in (1, 3) else "float" for f in range(FEATURES)]
    p.update(nthread=1, seed=SEED, eta=p.get("eta", 0.3))
    if n: p.setdefault("tree_method", "hist" if VERSION >= (1, 7) else "approx")
    if more["targets"]: p.setdefault("tree_method", "hist")
    x = table(r, 1000, more["missing"] or 0, n)
    z = np.nan_to_num(x)
    s = z[:, 0] + z[:, 1] * z[:, 2] / (n or 1) + np.sin(3 * z[:, 3]) + 0.3 * r.normal(size=len(x))
    d = xgb.DMatrix(x, feature_types=types, enable_categorical=bool(n), label=label(p["objective"], s, p, more))
    if p["objective"].startswith("rank:"): d.set_group([100] * 10)
    if p["objective"] == "survival:aft":
        d.set_float_info("label_lower_bound", np.abs(s + 3)); d.set_float_info("label_upper_bound", np.abs(s + 4))
    return xgb.train(p, d, more["rounds"]), types, n, more


def results(rows, names):
    for name, p in suite().items():
        if names and name not in names: continue
        b, types, n, more = train(p)
        r = np.random.default_rng(SEED + 1)
        x = table(r, rows, more["missing"] or 0, -n)
        x[0] = np.nan
        if p.get("booster") != "gblinear":
            x[1], x[2] = 3e38, -3e38
        d = xgb.DMatrix(x, feature_types=types, enable_categorical=bool(n))
        margins = b.predict(d, output_margin=True).reshape(rows, -1)
        linear = p.get("booster") == "gblinear"
        first = margins if linear else b.predict(d, output_margin=True, iteration_range=(0, 2)).reshape(rows, -1)
        answers = b.predict(d).reshape(rows, -1)
        yield {"name": name, "rows": rows, "outputs": margins.shape[1], "answers": answers.shape[1], "version": xgb.__version__}, b, x, margins, answers, first


def main():
    folder, rows = sys.argv[1], int(sys.argv[2])
    packed = "--packed" in sys.argv
    index = []
    f32 = lambda a: np.ascontiguousarray(a, dtype="<f4").tobytes()
    for entry, b, x, margins, answers, first in results(rows, [a for a in sys.argv[3:] if a != "--packed"]):
        raw, ubj = bytes(b.save_raw("json")), bytes(b.save_raw("ubj"))
        data = f32(x) + f32(margins) + f32(answers) + f32(first)
        if packed:
            entry.update(json=base64.b64encode(raw).decode(), ubj=base64.b64encode(ubj if entry["name"] == "onehot" else b"").decode(), bin=base64.b64encode(data).decode())
        else:
            for end, what in (("json", raw), ("ubj", ubj), ("bin", data)):
                with open(f"{folder}/{entry['name']}.{end}", "wb") as f: f.write(what)
        index.append(entry)
    if packed:
        with gzip.GzipFile(f"{folder}/xgboost-{xgb.__version__}.json.gz", "wb", mtime=0) as f:
            f.write(json.dumps(index).encode())
    else:
        with open(f"{folder}/index.json", "w") as f: json.dump(index, f)


main()
