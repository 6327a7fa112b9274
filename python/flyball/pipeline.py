# SPDX-License-Identifier: Apache-2.0
"""A fitted pipeline in Python, with NumPy and nothing else: the same features as Flyball makes,
bit for bit.

    from flyball import pipeline

    p = pipeline.load("pipeline.json")
    x = p.transform({"hotel": ["City Hotel", None], "adr": [99.5, 120.0]})   # float32, a row each

A pipeline that has golden rows in it is tried on them while it is loaded, and refused where a
bit differs. What is not known here is refused by name."""

from __future__ import annotations

import base64
import datetime
import json
import math
import os
import re
import unicodedata
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np

from . import _arithmetic as arithmetic
from . import errors
from ._expression import Expression, Term

FORMAT = "flyball.pipeline/v1"

# The version of what the operations do; a pipeline of another is refused.
SEMANTICS = 1

_NO_TIME = np.iinfo(np.int64).min
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ](\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?)(Z|[+-]\d\d:\d\d)?)?")

Rows = Any  # columns by name, several dicts, or a table of pandas or Polars
Array = Any  # of NumPy


def load(source: "Union[str, os.PathLike[str], bytes]") -> "Pipeline":
    """The pipeline of a pipeline.json: its path, or its bytes."""
    if not isinstance(source, bytes):
        with open(source, "rb") as f:
            source = f.read()
    try:
        document = json.loads(source)
    except ValueError as e:
        raise errors.Invalid("this is not a fitted pipeline", str(e)) from None
    return Pipeline(document)


class Pipeline:
    """A fitted pipeline. It is not changed by being used, and may be used by many threads."""

    def __init__(self, document: "Mapping[str, Any]"):
        """document is pipeline.json, as json.load gives it."""
        if document.get("format") != FORMAT or document.get("semantics") != SEMANTICS:
            raise errors.Invalid(
                "the pipeline has format %r, semantics %r" % (document.get("format"), document.get("semantics")),
                "this version reads %s, semantics %d" % (FORMAT, SEMANTICS),
            )
        self.inputs: "Dict[str, str]" = dict(document["spec"]["inputs"])
        states = document["states"]
        steps = document["spec"].get("steps") or []
        if len(states) != len(steps):
            raise errors.Invalid("the pipeline has %d steps and learned %d" % (len(steps), len(states)))
        self._steps = [_step(i, s, st) for i, (s, st) in enumerate(zip(steps, states))]
        self.features: "List[str]" = list(self._run(_empty(self.inputs), 0))
        self._golden: "Optional[_Golden]" = None
        if document.get("golden") is not None:
            self._golden = _Golden(document["golden"], self.inputs, self.features)
            self._golden.compare(self._matrix(self._golden.columns, self._golden.rows))

    def transform(self, rows: Rows) -> Array:
        """The features of the rows: float32, NaN where missing, a row each.

        rows are columns by name, several dicts, or a table of pandas or Polars. A column that is
        absent is an error; None, NaN and NaT are missing. A time is a datetime, a datetime64, a text
        as ISO 8601 has it or whole microseconds since 1970; without a zone it is UTC."""
        columns, n = _columns(rows, self.inputs)
        return self._matrix(columns, n)

    def check(self, session: Any) -> None:
        """Refuses a session of onnxruntime whose features of the golden rows are others."""
        if self._golden is None:
            raise errors.Invalid("the pipeline has no golden rows", do="fit it again with this version of Flyball")
        feed: "Dict[str, Array]" = {}
        for name, c in self._golden.columns.items():
            if isinstance(c, Text):
                feed[name + ".missing"] = (c.places < 0).reshape(-1, 1)
                c = np.array(c.words + [""], dtype=object)[c.places]
            feed[name] = c.reshape(-1, 1)
        taken = [i.name for i in session.get_inputs()] + [i.name for i in session.get_overridable_initializers()]
        self._golden.compare(session.run(None, {name: feed[name] for name in feed if name in taken})[0])

    def _matrix(self, columns: "Dict[str, Any]", n: int) -> Array:
        out = np.empty((n, len(self.features)), dtype=np.float32)
        with np.errstate(all="ignore"):
            for k, c in enumerate(self._run(columns, n).values()):
                x = np.asarray(c).astype(np.float32)
                out[:, k] = np.where(np.isfinite(x), x, np.float32(np.nan))
        return out

    def _run(self, columns: "Dict[str, Any]", n: int) -> "Dict[str, Any]":
        """What stands after all steps, in order."""
        with np.errstate(all="ignore"):
            table = _Table(columns, n)
            for step in self._steps:
                step.apply(table)
        for name, c in table.standing.items():
            if not isinstance(c, np.ndarray) or c.dtype != np.float64:
                raise errors.Invalid("the column %r is no feature as it stands" % name)
        return table.standing


class Text:
    """A column of texts: each row has the place of its word, or -1 where it is missing."""

    def __init__(self, words: "List[str]", places: Array):
        self.words, self.places = words, places

    def fill(self, word: str) -> "Text":
        """The column with the word where a text is missing."""
        if word in self.words:
            at = self.words.index(word)
            return Text(self.words, np.where(self.places < 0, at, self.places))
        return Text(self.words + [word], np.where(self.places < 0, len(self.words), self.places))

    def each(self, of: "Mapping[str, float]", unseen: float, missing: float) -> Array:
        """A number for each row's word."""
        table = np.array([of.get(w, unseen) for w in self.words] + [missing], dtype=np.float64)
        return table[self.places]


class _Table:
    """Columns on their way through the steps."""

    def __init__(self, columns: "Dict[str, Any]", rows: int):
        self.standing = dict(columns)
        self.ever = dict(columns)  # the newest of each name
        self.rows = rows

    def put(self, name: str, made: "Dict[str, Any]", replace: bool) -> None:
        """Lets what was made stand in the place of a column, or at the end."""
        self.ever.update(made)
        if not replace:
            self.standing.update(made)
            return
        out: "Dict[str, Any]" = {}
        for other, c in self.standing.items():
            if other == name:
                out.update(made)
            else:
                out[other] = c
        self.standing = out

    def read(self, name: str) -> "Optional[Term]":
        c = self.ever.get(name)
        if isinstance(c, Text):
            return Term("word", np.array(c.words + [""], dtype=object)[c.places])
        if isinstance(c, np.ndarray) and c.dtype == np.float64:
            return Term("number", c)
        return None


def _finite(x: Array) -> Array:
    return np.where(np.isinf(x), np.nan, x)


class _Step:
    """One operation. make gives what it makes of its k-th column, by name."""

    def __init__(self, spec: "Mapping[str, Any]", state: "Mapping[str, Any]"):
        self.spec, self.state = spec, state
        named = spec.get("in") or []
        self.columns: "List[str]" = [named] if isinstance(named, str) else list(named)

    def apply(self, t: _Table) -> None:
        inputs = [t.standing[name] for name in self.columns]
        for k, (name, c) in enumerate(zip(self.columns, inputs)):
            made = self.make(k, self.spec.get("as") or name, c)
            t.put(name, made, not self.spec.get("as"))

    def make(self, k: int, name: str, c: Any) -> "Dict[str, Any]":
        raise NotImplementedError


class _Select(_Step):
    def apply(self, t: _Table) -> None:
        t.standing = {name: t.standing[name] for name in self.columns}


class _Expr(_Step):
    def __init__(self, spec: "Mapping[str, Any]", state: "Mapping[str, Any]"):
        super().__init__(spec, state)
        self.code = Expression(spec["expr"])

    def apply(self, t: _Table) -> None:
        x = np.broadcast_to(_finite(self.code.evaluate(t.read)), (t.rows,))
        t.put("", {self.spec["as"]: x}, False)


class _Impute(_Step):
    def make(self, k: int, name: str, c: Any) -> "Dict[str, Any]":
        if isinstance(c, Text):
            return {name: c.fill(self.state["words"][k])}
        return {name: np.where(np.isnan(c), self.state["fill"][k], c)}


class _Scale(_Step):
    def make(self, k: int, name: str, c: Any) -> "Dict[str, Any]":
        return {name: _finite((c - self.state["center"][k]) / self.state["scale"][k])}


class _Clip(_Step):
    def make(self, k: int, name: str, c: Any) -> "Dict[str, Any]":
        low, high = self.spec.get("min"), self.spec.get("max")
        if low is not None:
            c = np.where(c < low, np.float64(low), c)
        if high is not None:
            c = np.where(c > high, np.float64(high), c)
        return {name: c}


class _Bucketize(_Step):
    def make(self, k: int, name: str, c: Any) -> "Dict[str, Any]":
        edges = np.array(self.state["edges"][k], dtype=np.float64)
        at: Array = np.searchsorted(edges, c, side="right").astype(np.float64)
        return {name: np.where(np.isnan(c), c, at)}


class _Ordinal(_Step):
    def make(self, k: int, name: str, c: Any) -> "Dict[str, Any]":
        kept = self.state["kept"][k]
        places = {w: float(i) for i, w in enumerate(kept)}
        return {name: c.each(places, float(len(kept)), math.nan)}


class _OneHot(_Step):
    def make(self, k: int, name: str, c: Any) -> "Dict[str, Any]":
        kept = self.state["kept"][k]
        place = c.each({w: float(i) for i, w in enumerate(kept)}, float(len(kept)), -1.0)
        names = [name + "=" + w for w in kept] + [name + "=other"]
        return {n: (place == i).astype(np.float64) for i, n in enumerate(names)}


class _TargetEncode(_Step):
    def make(self, k: int, name: str, c: Any) -> "Dict[str, Any]":
        kept, means = self.state["kept"][k], self.state["means"][k]
        places = {w: i for i, w in enumerate(kept)}
        out: "Dict[str, Any]" = {}
        for j, of in enumerate(means):
            one = name if len(means) == 1 else "%s_%d" % (name, j)
            out[one] = c.each({w: of[i] for w, i in places.items()}, of[len(kept)], of[len(kept) + 1])
        return out


class _Log(_Step):
    def make(self, k: int, name: str, c: Any) -> "Dict[str, Any]":
        of = arithmetic.log1p if self.spec.get("strategy") == "log1p" else arithmetic.log
        return {name: _finite(of(c))}


class _Interactions(_Step):
    def apply(self, t: _Table) -> None:
        for i, a in enumerate(self.columns):
            for b in self.columns[i + 1 :]:
                t.put("", {a + "*" + b: _finite(t.standing[a] * t.standing[b])}, False)


class _Hashed(_Step):
    """A step whose columns are features of each row's text, by numbers that values gives."""

    def values(self, k: int, word: str) -> "List[Tuple[int, float]]":
        raise NotImplementedError

    def make(self, k: int, name: str, c: Any) -> "Dict[str, Any]":
        features: int = self.spec["features"]
        table: Array = np.zeros((len(c.words) + 1, features))
        for i, word in enumerate(c.words):
            for at, x in self.values(k, word):
                table[i, at] = x
        return {"%s_%d" % (name, j): table[:, j][c.places] for j in range(features)}


class _Hash(_Hashed):
    def values(self, k: int, word: str) -> "List[Tuple[int, float]]":
        h = _murmur3(word)
        return [(abs(h) % self.spec["features"], -1.0 if h < 0 else 1.0)]


class _TextStep(_Hashed):
    def values(self, k: int, word: str) -> "List[Tuple[int, float]]":
        fewest, most = self.spec.get("ngrams") or (1, 1)
        weights, words = self.state["weights"][k], _words(word)
        counts: "Dict[int, float]" = {}
        for n in range(fewest, most + 1):
            for i in range(len(words) - n + 1):
                at = abs(_murmur3(" ".join(words[i : i + n]))) % len(weights)
                counts[at] = counts.get(at, 0.0) + 1.0
        length = 0.0
        for at in sorted(counts):
            x = counts[at] * weights[at]
            length += x * x
        length = math.sqrt(length)
        if not 0 < length < math.inf:
            return []
        return [(at, n * weights[at] / length) for at, n in counts.items()]


def _words(text: str) -> "List[str]":
    """The runs of two or more letters, digits and _, each character made lower by itself."""
    out: "List[str]" = []
    run: "List[str]" = []
    for c in text + " ":
        if c == "_" or unicodedata.category(c)[0] in "LN":
            run.append(c.lower()[0])
            continue
        if len(run) > 1:
            out.append("".join(run))
        run = []
    return out


def _murmur3(text: str) -> int:
    """MurmurHash3_x86_32 with seed 0, by Austin Appleby (public domain), of the UTF-8; signed."""
    b = text.encode("utf-8", "replace")
    h, mask = 0, 0xFFFFFFFF

    def mixed(k: int) -> int:
        k = k * 0xCC9E2D51 & mask
        return (k << 15 | k >> 17) * 0x1B873593 & mask

    whole = len(b) // 4 * 4
    for i in range(0, whole, 4):
        h ^= mixed(int.from_bytes(b[i : i + 4], "little"))
        h = ((h << 13 | h >> 19) * 5 + 0xE6546B64) & mask
    h ^= mixed(int.from_bytes(b[whole:], "little")) ^ len(b)
    h = (h ^ h >> 16) * 0x85EBCA6B & mask
    h = (h ^ h >> 13) * 0xC2B2AE35 & mask
    h ^= h >> 16
    return h - (1 << 32) if h >> 31 else h


# After how much a part of a time comes again.
_PERIODS = {"month": 12, "day": 31, "weekday": 7, "hour": 24, "minute": 60, "yearday": 366}


def _circle(of: Any, period: int) -> Array:
    """The sine or cosine of each value of a part, as float32; what is nearer to 0 than 1e-9 is 0."""
    out = [of(2 * math.pi * v / period) for v in range(period + 1)]
    return np.array([0.0 if abs(x) < 1e-9 else float(np.float32(x)) for x in out])


class _Datetime(_Step):
    def make(self, k: int, name: str, c: Any) -> "Dict[str, Any]":
        parts = _calendar(c)
        out: "Dict[str, Any]" = {}
        for part in self.spec["parts"]:
            if self.spec.get("cyclic"):
                for word, of in (("sin", math.sin), ("cos", math.cos)):
                    x = _circle(of, _PERIODS[part])[parts[part]]
                    out["%s_%s_%s" % (name, part, word)] = np.where(c == _NO_TIME, np.nan, x)
                continue
            out[name + "_" + part] = np.where(c == _NO_TIME, np.nan, parts[part].astype(np.float64))
        return out


_STEPS = {
    "select": _Select, "expr": _Expr, "impute": _Impute, "scale": _Scale, "clip": _Clip,
    "bucketize": _Bucketize, "ordinal": _Ordinal, "one_hot": _OneHot, "datetime": _Datetime,
    "target_encode": _TargetEncode, "log": _Log, "interactions": _Interactions, "hash": _Hash, "text": _TextStep,
}  # fmt: skip


class _Golden:
    """Rows, and the features that they came to where the pipeline was fitted."""

    def __init__(self, golden: "Mapping[str, Any]", inputs: "Mapping[str, str]", features: "List[str]"):
        self.rows: int = golden["rows"]
        self.features = features
        self.want: Array = np.frombuffer(base64.b64decode(golden["features"]), "<u4")
        self.columns: "Dict[str, Any]" = {}
        for (name, kind), values in zip(inputs.items(), golden["inputs"]):
            if kind != "text":
                values = np.frombuffer(base64.b64decode(values), "<f8" if kind == "number" else "<i8")
            if len(values) != self.rows:
                raise errors.Invalid("the golden rows of the pipeline do not have %d values of %r" % (self.rows, name))
            self.columns[name] = _KINDS[kind](name, values)
        if len(self.columns) != len(inputs) or len(self.want) != self.rows * len(features):
            raise errors.Invalid("the golden rows of the pipeline have other columns than it takes and makes")

    def compare(self, got: Array) -> None:
        """Refuses features whose bits are not those."""
        bits = np.ascontiguousarray(got, dtype=np.float32).reshape(-1).view(np.uint32)
        if len(bits) != len(self.want):
            raise errors.Invalid("the golden rows of the pipeline come to %d values, not %d" % (len(bits), len(self.want)))
        for at in np.nonzero(bits != self.want)[0]:
            row, k = divmod(int(at), len(self.features))
            raise errors.Invalid(
                "the pipeline does not make here what it made where it was fitted",
                "golden row %d, feature %r is %r, not %r"
                % (row, self.features[k], float(bits.view(np.float32)[at]), float(self.want.view(np.float32)[at])),
                "fit it again with the version of Flyball that this SDK is of",
            )


def _step(i: int, spec: "Mapping[str, Any]", state: "Mapping[str, Any]") -> _Step:
    of = _STEPS.get(spec["op"])
    if of is None:
        raise errors.Refused(
            "step %d: this version does not know the operation %r" % (i + 1, spec["op"]), do="install a newer flyball-sdk"
        )
    return of(spec, state)


def _calendar(us: Array) -> "Dict[str, Any]":
    """The parts of microseconds since 1970, in UTC: the civil date of a day count, as
    https://howardhinnant.github.io/date_algorithms.html has it, where the year begins in March."""
    days, rest = np.divmod(us, 86_400_000_000)
    era, day = np.divmod(days + 719468, 146097)
    of = (day - day // 1460 + day // 36524 - day // 146096) // 365
    since = day - (365 * of + of // 4 - of // 100)
    march = (5 * since + 2) // 153
    early = march >= 10
    year = of + 400 * era + early
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return {
        "year": year,
        "month": march + np.where(early, -9, 3),
        "day": since - (153 * march + 2) // 5 + 1,
        "weekday": (days + 3) % 7,
        "hour": rest // 3_600_000_000,
        "minute": rest // 60_000_000 % 60,
        "yearday": np.where(early, since - 305, since + 60 + leap),
    }


def _empty(inputs: "Mapping[str, str]") -> "Dict[str, Any]":
    none: Array = np.zeros(0, dtype=np.int64)
    of: "Dict[str, Any]" = {"number": np.zeros(0), "time": none, "text": Text([], none)}
    return {name: of[kind] for name, kind in inputs.items()}


def _columns(rows: Rows, inputs: "Mapping[str, str]") -> "tuple[Dict[str, Any], int]":
    """The input columns, and how many rows they have."""
    if not hasattr(rows, "keys") and not hasattr(rows, "columns"):
        rows = _turned(list(rows), inputs)
    out: "Dict[str, Any]" = {}
    n = -1
    for name, kind in inputs.items():
        try:
            values = rows[name]
        except (KeyError, IndexError, ValueError):
            raise errors.Invalid("column %r is absent" % name, do="pass it; None says that its value is missing") from None
        except Exception as e:  # Polars has an error of its own
            raise errors.Invalid("column %r is absent" % name, str(e), "pass it; None says that its value is missing") from None
        if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
            values = [values]
        if n >= 0 and len(values) != n:
            raise errors.Invalid("column %r has %d rows, those before have %d" % (name, len(values), n))
        n = len(values)
        out[name] = _KINDS[kind](name, values)
    if n < 0:
        n = len(rows[next(iter(rows.keys()))]) if hasattr(rows, "keys") and len(rows.keys()) else 0
    return out, n


def _turned(rows: "List[Any]", inputs: "Mapping[str, str]") -> "Dict[str, List[Any]]":
    """Columns of dicts."""
    out: "Dict[str, List[Any]]" = {name: [] for name in inputs}
    for i, row in enumerate(rows):
        for name, values in out.items():
            if name not in row:
                raise errors.Invalid("row %d: column %r is absent" % (i, name), do="pass it; None says that its value is missing")
            values.append(row[name])
    return out


def _missing(v: Any) -> bool:
    return v is None or type(v).__name__ in ("NAType", "NaTType") or (isinstance(v, float) and v != v)


def _numbers(name: str, values: Any) -> Array:
    a = np.asarray(values)
    if a.dtype.kind not in "iuf":
        out: Array = np.empty(len(values), dtype=np.float64)
        for i, v in enumerate(values):
            if _missing(v):
                out[i] = np.nan
            elif isinstance(v, (str, bytes, bool, np.bool_)):
                raise errors.Invalid("row %d, column %r: %r is no number" % (i, name, v))
            else:
                try:
                    out[i] = float(v)
                except (TypeError, ValueError):
                    raise errors.Invalid("row %d, column %r: %r is no number" % (i, name, v)) from None
        a = out
    return _finite(a.astype(np.float64))


def _texts(name: str, values: Any) -> Text:
    words: "Dict[str, int]" = {}
    places: Array = np.empty(len(values), dtype=np.int64)
    for i, v in enumerate(values):
        if isinstance(v, str):
            places[i] = words.setdefault(v if type(v) is str else str(v), len(words))
        elif _missing(v):
            places[i] = -1
        else:
            raise errors.Invalid("row %d, column %r: %r is no text" % (i, name, v), do="pass it as str")
    return Text(list(words), places)


def _times(name: str, values: Any) -> Array:
    a = np.asarray(values)
    if a.dtype.kind == "M":
        return np.where(np.isnat(a), _NO_TIME, a.astype("datetime64[us]").astype(np.int64))
    if a.dtype.kind == "i":
        return a.astype(np.int64)
    out: Array = np.empty(len(values), dtype=np.int64)
    for i, v in enumerate(values):
        try:
            out[i] = _moment(v)
        except ValueError:
            raise errors.Invalid(
                "row %d, column %r: %r is no time" % (i, name, v),
                do="write ISO 8601, such as 2016-05-03 or 2016-05-03T14:00:00Z",
            ) from None
    return out


def _moment(v: Any) -> int:
    """Microseconds since 1970."""
    if _missing(v):
        return int(_NO_TIME)
    if isinstance(v, str):
        found = _TIME.fullmatch(v)
        if found is None:
            raise ValueError
        clock = found.group(1) or "00:00"
        if clock[1] == ":":
            clock = "0" + clock
        at: Any = np.datetime64(v[:10] + "T" + clock.replace(",", ".")[:15], "us").astype(np.int64)
        zone = found.group(2)
        shift = 0
        if zone and zone != "Z":
            shift = (int(zone[1:3]) * 60 + int(zone[4:6])) * (60_000_000 if zone[0] == "+" else -60_000_000)
        return int(at) - shift
    if isinstance(v, (int, np.integer)) and not isinstance(v, bool):
        return int(v)
    if isinstance(v, np.datetime64):
        return int(v.astype("datetime64[us]").astype(np.int64))
    if isinstance(v, datetime.datetime):
        if v.tzinfo is None:
            v = v.replace(tzinfo=datetime.timezone.utc)
        since = v - _EPOCH
        return int((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds)
    if isinstance(v, datetime.date):
        return int((v - _EPOCH.date()).days * 86_400_000_000)
    raise ValueError


_KINDS: "Dict[str, Any]" = {"number": _numbers, "text": _texts, "time": _times}
