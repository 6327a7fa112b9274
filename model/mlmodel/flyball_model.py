# SPDX-License-Identifier: Apache-2.0
"""Scores a version of Flyball in Python, as an MLflow model.

MLflow finds this file by the loader_module of an MLmodel file and calls
_load_pyfunc with the folder of the version's files. It needs numpy alone; rows may
be a pandas.DataFrame or a mapping of column to values. Python 3.9 and later.

The numbers are Flyball's, bit for bit, up to log, sin, cos and powers in expressions:
there two mathematical libraries may differ in the last place, and loader.json says how
much of a difference the replay of the golden rows lets pass.
"""

import datetime
import hashlib
import json
import os
import re

import numpy as np

NO_TIME = np.iinfo(np.int64).min  # microseconds of a time that is missing
NAN = float("nan")


def _load_pyfunc(path):
    """The version in a folder, for MLflow."""
    return Model(path)


class Refused(ValueError):
    """Files or rows that cannot be scored, with what is wrong."""


class Model:
    """A version, ready to score. It does not change and may be used by many threads."""

    def __init__(self, path):
        self.bundle = _read(path, "bundle.json", "flyball.bundle/v1")
        extra = _read(path, "loader.json", "flyball.loader/v1")
        for name, digest in self.bundle["files"].items():
            if name in ("pipeline.json", self.bundle["estimator"]) and _digest(path, name) != digest:
                raise Refused("%s is not the file that this version was made of" % name)
        steps = _read(path, "pipeline.json", "flyball.pipeline/v1")
        if steps["semantics"] != 1:
            raise Refused("the pipeline has semantics %s; this loader knows 1" % steps["semantics"])
        self.pipeline = Pipeline(steps, extra["expressions"])
        kind = ESTIMATORS.get(self.bundle["estimator"])
        if kind is None:
            raise Refused("no estimator is known by the file name %r" % self.bundle["estimator"])
        self.estimator = kind(_read(path, self.bundle["estimator"], kind.format))
        self._replay(extra["golden"], extra["tolerance"])

    def predict(self, model_input, params=None):
        """The score of each row: a probability (binary) or a number (regression), or a
        row of probabilities in the order of the classes (multiclass)."""
        names, features = self.pipeline.transform(model_input)
        if names != self.bundle["features"]:
            raise Refused("the pipeline makes other features than bundle.json names")
        scores = self.estimator.score(features)
        if self.bundle["kind"] == "multiclass":
            return scores
        return scores[:, 0]

    def _replay(self, golden, tolerance):
        """Scores the rows that came with the version, and refuses to go on if one differs."""
        want = np.array(golden["scores"], dtype=np.float64)
        columns = {c: _Replayed(v) for c, v in golden["columns"].items()}
        got = self.predict(columns).reshape(want.shape)
        bad = ~((got == want) | (np.abs(got - want) <= tolerance * np.abs(want)))
        if len(want) == 0 or bad.any():
            row = int(np.argmax(bad.any(axis=1))) if len(want) else 0
            raise Refused(
                "golden row %d scores %s here, %s when this version was made: do not use it"
                % (row, list(got[row : row + 1].ravel()), list(want[row : row + 1].ravel()))
            )


class _Replayed(list):
    """A column of golden rows, where a time is a number of microseconds."""


def _read(path, name, format):
    with open(os.path.join(path, name), encoding="utf-8") as f:
        content = json.load(f)
    if format and content.get("format") != format:
        raise Refused("%s has format %r; this loader reads %r" % (name, content.get("format"), format))
    return content


def _digest(path, name):
    with open(os.path.join(path, name), "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


# Rows become columns of float64 (NaN is missing), text (None is missing) or
# microseconds since 1970 in UTC (NO_TIME is missing).


def _missing(v):
    try:
        return v is None or bool(v != v)
    except TypeError:
        return True  # pandas.NA: whether it equals itself is not known


def _objects(values):
    """The values as a column, whatever they are: the None keeps lists of one length
    from becoming a matrix."""
    return np.array([*values, None], dtype=object)[:-1]


def _column(rows, name, kind):
    try:
        values = rows[name]
    except (KeyError, IndexError, TypeError):
        raise Refused("column %r is absent; send it, a null says that its value is missing" % name) from None
    if kind == "time" and isinstance(values, _Replayed):
        return np.array([NO_TIME if v is None else v for v in values], dtype=np.int64)
    a = values.to_numpy() if hasattr(values, "to_numpy") else values
    if not isinstance(a, np.ndarray):
        a = _objects(a)
    if kind == "number" and a.dtype.kind in "fiub":
        return _finite(a.astype(np.float64))
    if kind == "time" and a.dtype.kind == "M":
        return a.astype("datetime64[us]").astype(np.int64)
    read, missing, dtype = READERS[kind]
    out = np.empty(len(a), dtype=dtype)
    for i, v in enumerate(a.astype(object)):
        try:
            out[i] = missing if _missing(v) else read(v)
        except (TypeError, ValueError, OverflowError):
            raise Refused("row %d, column %r: %r is not a %s" % (i, name, v, kind)) from None
    return _finite(out) if kind == "number" else out


def _number(v):
    if isinstance(v, (str, bytes)):
        raise ValueError
    return float(v)


def _text(v):
    if not isinstance(v, str):
        raise ValueError
    return str(v)


ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII
)
EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)


def _time(v):
    if isinstance(v, np.datetime64):
        return int(v.astype("datetime64[us]").astype(np.int64))
    if isinstance(v, datetime.datetime):
        if v.tzinfo is not None:
            v = v.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return (v - EPOCH) // MICROSECOND
    if isinstance(v, datetime.date):
        return (datetime.datetime(v.year, v.month, v.day) - EPOCH) // MICROSECOND
    found = ISO.fullmatch(v)
    if not found:
        raise ValueError
    year, month, day, hour, minute, second = (int(x or 0) for x in found.groups()[:6])
    at = datetime.datetime(year, month, day, hour, minute, second) - EPOCH
    at += datetime.timedelta(microseconds=int((found[7] or "0").ljust(6, "0")[:6]))
    zone = found[8]
    if zone and zone != "Z":
        off = datetime.timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
        at += off if zone[0] == "-" else -off
    return at // MICROSECOND


READERS = {
    "number": (_number, NAN, np.float64),
    "text": (_text, None, object),
    "time": (_time, NO_TIME, np.int64),
}


def _finite(x):
    """x, with NaN for what is infinite."""
    return np.where(np.isinf(x), NAN, x)


class Pipeline:
    """The steps from rows to features, as docs/formats/pipeline.md tells them."""

    def __init__(self, content, expressions):
        self.inputs = content["spec"]["inputs"]
        self.steps = list(zip(content["spec"].get("steps") or [], content["states"] or []))
        self.expressions = expressions
        for step, _ in self.steps:
            if step["op"] not in OPERATIONS and step["op"] not in ("expr", "select"):
                raise Refused("the pipeline has the operation %r, which this loader does not know" % step["op"])

    def transform(self, rows):
        """The names of the features, and their values as float32: a row each."""
        columns = {}  # what stands, in order: name to kind and values
        for name, kind in self.inputs.items():
            columns[name] = (kind, _column(rows, name, kind))
        lengths = {len(values) for _, values in columns.values()}
        if len(lengths) > 1:
            raise Refused("the columns have different lengths")
        n = lengths.pop() if lengths else len(rows)
        newest = dict(columns)  # what an expression sees, the replaced too
        with np.errstate(all="ignore"):
            for i, (step, state) in enumerate(self.steps):
                columns = self._apply(i, step, state, columns, newest, n)
        out = np.empty((n, len(columns)), dtype=np.float32)
        with np.errstate(all="ignore"):
            for j, (_, values) in enumerate(columns.values()):
                out[:, j] = values
        out[~np.isfinite(out)] = np.nan
        return list(columns), out

    def _apply(self, i, step, state, columns, newest, n):
        of = step.get("in", [])
        of = [of] if isinstance(of, str) else of
        if step["op"] == "select":
            return {name: columns[name] for name in of}
        if step["op"] == "expr":
            value = np.broadcast_to(evaluate(self.expressions[str(i)], newest), n).astype(np.float64)
            made = {step["as"]: ("number", _finite(value))}
            newest.update(made)
            return {**columns, **made}
        for k, name in enumerate(of):
            kind, values = columns[name]
            made = OPERATIONS[step["op"]](step, state, k, step.get("as") or name, kind, values)
            newest.update(made)
            if step.get("as"):
                columns = {**columns, **made}
                continue
            put = {}
            for old in columns:
                put.update(made if old == name else {old: columns[old]})
            columns = put
        return columns


def _impute(step, state, k, name, kind, values):
    if kind == "text":
        word = state["words"][k]
        return {name: (kind, _objects(word if v is None else v for v in values))}
    return {name: (kind, np.where(np.isnan(values), state["fill"][k], values))}


def _scale(step, state, k, name, kind, values):
    return {name: (kind, _finite((values - state["center"][k]) / state["scale"][k]))}


def _places(state, k, values):
    """The place of each category: len(kept) for the rare and the unseen, -1 for a missing one."""
    place = {c: i for i, c in enumerate(state["kept"][k])}
    rest = len(place)
    return np.array([-1 if v is None else place.get(v, rest) for v in values], dtype=np.int64)


def _one_hot(step, state, k, name, kind, values):
    at = _places(state, k, values)
    words = [*state["kept"][k], "other"]
    return {name + "=" + w: ("number", (at == i).astype(np.float64)) for i, w in enumerate(words)}


def _ordinal(step, state, k, name, kind, values):
    at = _places(state, k, values)
    return {name: ("number", np.where(at < 0, NAN, at))}


def _bucketize(step, state, k, name, kind, values):
    at = np.searchsorted(np.array(state["edges"][k], dtype=np.float64), values, side="right")
    return {name: (kind, np.where(np.isnan(values), NAN, at))}


def _clip(step, state, k, name, kind, values):
    if step.get("min") is not None:
        values = np.where(values < step["min"], step["min"], values)
    if step.get("max") is not None:
        values = np.where(values > step["max"], step["max"], values)
    return {name: (kind, values)}


DAY = 86_400_000_000  # microseconds


def _datetime(step, state, k, name, kind, values):
    gone = values == NO_TIME
    at = np.where(gone, 0, values)
    days = at // DAY
    date = days.astype("datetime64[D]")
    month, year = date.astype("datetime64[M]"), date.astype("datetime64[Y]")
    parts = {
        "year": year.astype(np.int64) + 1970,
        "month": month.astype(np.int64) % 12 + 1,
        "day": (date - month.astype("datetime64[D]")).astype(np.int64) + 1,
        "weekday": (days + 3) % 7,
        "hour": at % DAY // 3_600_000_000,
        "minute": at % 3_600_000_000 // 60_000_000,
        "yearday": (date - year.astype("datetime64[D]")).astype(np.int64) + 1,
    }
    return {name + "_" + p: ("number", np.where(gone, NAN, parts[p])) for p in step["parts"]}


OPERATIONS = {
    "impute": _impute,
    "scale": _scale,
    "one_hot": _one_hot,
    "ordinal": _ordinal,
    "bucketize": _bucketize,
    "clip": _clip,
    "datetime": _datetime,
}


# An expression comes as a tree: a number, a word or a truth value stands for itself,
# a list is an operator and what it works on. It is worked out for all rows at once.


def evaluate(tree, columns):
    """The value of an expression over columns; see the comment above."""
    if not isinstance(tree, list):
        return float(tree) if isinstance(tree, (int, float)) and not isinstance(tree, bool) else tree
    if tree[0] == "column":
        kind, values = columns[tree[1]]
        if kind == "text":
            return _objects("" if v is None else v for v in values)
        return values
    return OPERATORS[tree[0]](*(evaluate(t, columns) for t in tree[1:]))


def _words(of):
    """of, a function of words, for columns of them."""
    return lambda *args: np.vectorize(of, otypes=[np.float64])(*args)


LAST, LEAST = 7.09782712893383973096e02, -7.45133219101941108420e02


def exp(x):
    """e to the power of x, in the steps of Flyball's stat.Exp, which says where they are
    from: np.exp differs in the last place from one processor to another."""
    x = np.asarray(x, dtype=np.float64)
    inside = np.where((x >= LEAST) & (x <= LAST), x, 0.0)
    k = np.trunc(1.44269504088896338700e00 * inside + np.copysign(0.5, inside))
    high = inside - k * 6.93147180369123816490e-01
    low = k * 1.90821492927058770002e-10
    r = high - low
    t = r * r
    p = -1.65339022054652515390e-06 + t * 4.13813679705723846039e-08
    p = 6.61375632143793436117e-05 + t * p
    p = -2.77777777770155933842e-03 + t * p
    p = 1.66666666666666019037e-01 + t * p
    c = r - t * p
    y = 1 - ((low - r * c / (2 - c)) - high)
    k = k.astype(np.int32)
    y = y * np.ldexp(1.0, k >> 1) * np.ldexp(1.0, k - (k >> 1))
    return np.where(x > LAST, np.inf, np.where(x < LEAST, 0.0, np.where(x != x, x, y)))


def _round(x):
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.copysign(1.0, x), whole)


def _larger(a, b):
    return np.where((b > a) | (b != b), b, a)


def _smaller(a, b):
    return np.where((b < a) | (b != b), b, a)


OPERATORS = {
    "+": lambda a, b: np.add(a, b),
    "-": lambda a, b: np.subtract(a, b),
    "*": lambda a, b: np.multiply(a, b),
    "/": lambda a, b: np.divide(a, b),
    "**": lambda a, b: np.power(a, b),
    "negate": lambda a: np.negative(a),
    "==": lambda a, b: np.equal(a, b),
    "!=": lambda a, b: np.not_equal(a, b),
    "<": lambda a, b: np.less(a, b),
    "<=": lambda a, b: np.less_equal(a, b),
    ">": lambda a, b: np.greater(a, b),
    ">=": lambda a, b: np.greater_equal(a, b),
    "and": lambda a, b: np.logical_and(a, b),
    "or": lambda a, b: np.logical_or(a, b),
    "not": lambda a: np.logical_not(a),
    "if": lambda c, a, b: np.where(c, a, b),
    "contains": lambda a, b: _words(lambda x, y: y in x)(a, b) == 1,
    "startsWith": lambda a, b: _words(lambda x, y: x.startswith(y))(a, b) == 1,
    "endsWith": lambda a, b: _words(lambda x, y: x.endswith(y))(a, b) == 1,
    "len": lambda a: _words(len)(a),
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": _round,
    "log": np.log,
    "log1p": np.log1p,
    "exp": exp,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "max": _larger,
    "min": _smaller,
    "mod": np.fmod,
}


# Estimators take float32 features, a row each, and give float64 scores.


def _softmax(margins):
    e = exp(margins - margins.max(axis=1, keepdims=True))
    return e / np.add.accumulate(e, axis=1)[:, -1:]


def _logistic(margins):
    return 1 / (1 + exp(-margins))


class Constant:
    """Group means: constant.json."""

    format = "flyball.constant/1"

    def __init__(self, content):
        self.overall = np.array(content["overall"], dtype=np.float64)
        self.groups = {}
        for g in content["groups"] or []:
            key = np.array([[NAN if v is None else v for v in g["key"]]], dtype=np.float32)
            self.groups[self._keys(key)[0]] = g["scores"]

    @staticmethod
    def _keys(x):
        """One form for each row: zeros without a sign, one NaN."""
        bits = np.where(np.isnan(x), np.float32(NAN), x + np.float32(0))
        return [row.tobytes() for row in bits.astype(np.float32)]

    def score(self, x):
        return np.array([self.groups.get(k, self.overall) for k in self._keys(x)], dtype=np.float64).reshape(
            len(x), len(self.overall)
        )


class Linear:
    """A margin for each output, summed in the order of the features: linear.json."""

    format = "flyball.linear/v1"

    def __init__(self, content):
        self.content = content

    def score(self, x):
        m = self.content
        out = np.empty((len(x), len(m["intercepts"])))
        with np.errstate(all="ignore"):
            for o, start in enumerate(m["intercepts"]):
                total = np.full(len(x), float(start))
                for j, c in enumerate(m["coefficients"][o]):
                    v = x[:, j].astype(np.float64)
                    total = total + c * np.where(np.isnan(v), m["fill"][j], v)
                out[:, o] = total
            if m["kind"] == "binary":
                return _logistic(out)
            if m.get("link", "") == "log":
                return exp(out)
            return _softmax(out) if m["kind"] == "multiclass" else out


class Trees:
    """An ensemble in XGBoost's JSON, summed in float32 in the order of the trees."""

    format = None
    cells = 1 << 20  # rows times trees that are walked at once

    def __init__(self, content):
        learner = content["learner"]
        model = learner["gradient_booster"]["model"]
        trees = model["trees"]
        self.objective = learner["objective"]["name"]
        outputs = int(learner["learner_model_param"]["num_class"] or 0) if self.objective == "multi:softprob" else 1
        self._base(learner["learner_model_param"]["base_score"], outputs)
        sizes = [len(t["left_children"]) for t in trees]
        self.roots = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)[:-1]
        first = np.repeat(self.roots, sizes)

        def flat(key, dtype):
            return np.array([v for t in trees for v in t[key]], dtype=dtype)

        self.left, self.right = flat("left_children", np.int64), flat("right_children", np.int64)
        self.leaf = self.left < 0
        here = np.arange(len(self.left))
        self.left = np.where(self.leaf, here, self.left + first)
        self.right = np.where(self.leaf, here, self.right + first)
        self.feature = np.where(self.leaf, 0, flat("split_indices", np.int64))
        self.value = flat("split_conditions", np.float32)
        self.missing_left = flat("default_left", np.int64) != 0
        info = np.array(model["tree_info"], dtype=np.int64)
        self.of = [np.flatnonzero(info == o) for o in range(outputs)]

    def _base(self, text, outputs):
        """The margin before any tree; a binary model writes it as a probability."""
        parts = [np.float32(float(p)) for p in text.strip("[]").split(",")]
        if self.objective == "binary:logistic":
            one = np.float32(1)
            parts = [-np.float32(np.log(np.float64(one / p - one))) for p in parts]
        self.base = [parts[o % len(parts)] for o in range(outputs)]

    def score(self, x):
        out = np.empty((len(x), len(self.base)))
        block = max(1, self.cells // max(1, len(self.roots)))
        for at in range(0, len(x), block):
            out[at : at + block] = self._margins(x[at : at + block])
        with np.errstate(all="ignore"):
            if self.objective == "binary:logistic":
                return _logistic(out)
            return _softmax(out) if self.objective == "multi:softprob" else out

    def _margins(self, x):
        rows = np.arange(len(x))[:, None]
        at = np.broadcast_to(self.roots, (len(x), len(self.roots)))
        while len(self.roots) and not self.leaf[at].all():
            v = x[rows, self.feature[at]]
            left = (v < self.value[at]) | (np.isnan(v) & self.missing_left[at])
            at = np.where(left, self.left[at], self.right[at])
        out = np.empty((len(x), len(self.base)))
        for o, base in enumerate(self.base):
            terms = np.empty((len(x), len(self.of[o]) + 1), dtype=np.float32)
            terms[:, 0] = base
            if len(self.of[o]):
                terms[:, 1:] = self.value[at[:, self.of[o]]]
            out[:, o] = np.add.accumulate(terms, axis=1, dtype=np.float32)[:, -1]
        return out


ESTIMATORS = {"constant.json": Constant, "linear.json": Linear, "model.json": Trees}
