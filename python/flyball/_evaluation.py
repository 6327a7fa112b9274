# SPDX-License-Identifier: Apache-2.0
"""The files of a run's evaluation, as docs/formats/evaluation.md has them."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import math
from dataclasses import dataclass
from typing import Any, Iterable, List, Mapping, Optional

from . import errors

_FORMAT = 1
_ROWS = 1_000_000
_BYTES = 128 << 20
_COLUMNS = 32
_FIELD = 4096
_KEY = 512
_OWN = ("key", "label", "prediction", "weight", "block")


@dataclass(frozen=True)
class Files:
    """evaluation.json, and predictions.csv compressed with gzip."""

    about: bytes
    rows: bytes


def files(
    keys: Iterable[Any],
    labels: Iterable[Any],
    predictions: Iterable[Any],
    weights: Optional[Iterable[Any]],
    blocks: Optional[Iterable[Any]],
    columns: Optional[Mapping[str, Iterable[Any]]],
    kind: Optional[str],
    dataset: Any,
    positive: Optional[Any],
    threshold: Optional[float],
) -> Files:
    """The files, or an Invalid error that names the row and what is wrong with it."""
    key = [_text(k, "key", i) for i, k in enumerate(_list(keys))]
    score = [_number(p, "prediction", i) for i, p in enumerate(_list(predictions))]
    truth = _list(labels)
    _same_length(key, truth, "labels")
    _same_length(key, score, "predictions")
    _check_keys(key)
    if kind is None:
        kind = _kind_of(truth, score)
    if kind not in ("binary", "regression"):
        raise errors.Invalid("kind is %r" % kind, do='pass "binary" or "regression"')
    about: "dict[str, Any]" = {"format": _FORMAT, "kind": kind}
    if dataset is not None:
        about["dataset"] = _dataset(dataset)
    if kind == "binary":
        label = [_text(v, "label", i) for i, v in enumerate(truth)]
        about["positive"] = _positive(label, positive)
        if threshold is not None:
            if not 0 < threshold < 1:
                raise errors.Invalid("threshold is %r" % threshold, do="pass a number between 0 and 1")
            about["threshold"] = float(threshold)
        _check_probabilities(score)
    else:
        if positive is not None or threshold is not None:
            raise errors.Invalid("positive and threshold are of kind binary alone", do="leave them out")
        label = [repr(_number(v, "label", i)) for i, v in enumerate(truth)]
    table = {"key": key, "label": label, "prediction": [repr(p) for p in score]}
    table.update(_optional(len(key), weights, blocks, columns))
    return Files(json.dumps(about, ensure_ascii=False).encode(), _csv(table))


def _optional(
    rows: int,
    weights: Optional[Iterable[Any]],
    blocks: Optional[Iterable[Any]],
    columns: Optional[Mapping[str, Iterable[Any]]],
) -> "dict[str, List[str]]":
    """The columns that need not be there."""
    out: "dict[str, List[str]]" = {}
    if weights is not None:
        numbers = [_number(w, "weight", i) for i, w in enumerate(_list(weights))]
        for i, w in enumerate(numbers):
            if w <= 0:
                raise errors.Invalid("weight %d is %r" % (i, w), do="leave rows without weight out")
        out["weight"] = [repr(w) for w in numbers]
    if blocks is not None:
        out["block"] = [_text(b, "block", i) for i, b in enumerate(_list(blocks))]
    if columns is not None and len(columns) > _COLUMNS:
        raise errors.TooLarge("%d slice columns" % len(columns), "at most %d are kept" % _COLUMNS)
    for name, values in (columns or {}).items():
        if name in _OWN or not name:
            raise errors.Invalid("a slice column is named %r" % name, "the name is taken", "give it another")
        out[name] = [_text(v, "column %r, row" % name, i) for i, v in enumerate(_list(values))]
    for name, column in out.items():
        if len(column) != rows:
            raise errors.Invalid("%d keys and %d of %r" % (rows, len(column), name), do="pass one for each row")
    return out


def _list(values: Iterable[Any]) -> "List[Any]":
    """The values as Python's own; NumPy and pandas turn theirs into them by tolist."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    return list(values)


def _same_length(key: "List[str]", other: "List[Any]", name: str) -> None:
    if len(key) != len(other):
        raise errors.Invalid("%d keys and %d %s" % (len(key), len(other), name), do="pass one of each for each row")


def _check_keys(key: "List[str]") -> None:
    if not key:
        raise errors.Invalid("there are no rows", do="pass what the run predicted")
    if len(key) > _ROWS:
        raise errors.TooLarge("%d rows" % len(key), "at most %d are kept" % _ROWS, "pass a sample of them")
    first: "dict[str, int]" = {}
    for i, k in enumerate(key):
        if not k:
            raise errors.Invalid("key %d is empty" % i, do="pass the caller's own key of each row")
        if len(k.encode()) > _KEY:
            raise errors.Invalid("key %d is longer than %d bytes" % (i, _KEY), do="pass a shorter one")
        if first.setdefault(k, i) != i:
            raise errors.Invalid(
                "keys %d and %d are both %r" % (first[k], i, k),
                "a key names one row",
                "add what tells the rows apart, such as the day",
            )


def _kind_of(truth: "List[Any]", score: "List[float]") -> str:
    """binary when the labels are texts, or only 0 and 1 with probabilities."""
    if any(isinstance(v, (str, bool)) for v in truth):
        return "binary"
    if all(v in (0, 1) for v in truth) and all(0 <= p <= 1 for p in score):
        return "binary"
    return "regression"


def _positive(label: "List[str]", positive: Optional[Any]) -> str:
    """The label that counts as yes."""
    classes = sorted(set(label))
    if len(classes) > 2 and len({_by_value(c) for c in classes}) > 2:
        raise errors.Invalid(
            "the labels have %d different values" % len(classes),
            "binary has two",
            'pass kind="regression" when they are numbers; several classes cannot be compared',
        )
    for i, text in enumerate(label):
        if not text:
            raise errors.Invalid("label %d is empty" % i, do="leave rows out whose truth is not known")
    yes = "1" if positive is None else _text(positive, "positive", 0)
    alike = [_by_value(c) for c in classes]
    known = _by_value(yes) in alike or alike == [0.0] or (positive is not None and len(alike) == 1)
    if not known:
        raise errors.Invalid(
            "the labels are %s" % " and ".join(map(repr, classes)),
            "none of them is %s" % yes,
            "pass positive=, the one that counts as yes",
        )
    return yes


def _by_value(text: str) -> Any:
    """A number by its value, another text as it is: 1.0 is 1."""
    try:
        return float(text)
    except ValueError:
        return text


def _check_probabilities(score: "List[float]") -> None:
    for i, p in enumerate(score):
        if not 0 <= p <= 1:
            raise errors.Invalid("prediction %d is %r" % (i, p), "binary wants the probability of yes", "pass a number from 0 to 1")


def _number(value: Any, name: str, i: int) -> float:
    try:
        out = float(value)
    except (TypeError, ValueError):
        raise errors.Invalid("%s %d is %r" % (name, i, value), do="pass a number") from None
    if not math.isfinite(out):
        raise errors.Invalid("%s %d is %r" % (name, i, out), do="leave rows without a finite one out")
    return out


def _text(value: Any, name: str, i: int) -> str:
    """The value as text; a missing one is empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (datetime.datetime, datetime.date)):
        value = value.isoformat()
    text = str(value)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise errors.Invalid("%s %d is not text" % (name, i), do="pass it without surrogates") from None
    if size > _FIELD:
        raise errors.TooLarge("%s %d has %d bytes" % (name, i, size), "at most %d are kept" % _FIELD)
    return text


def _dataset(dataset: Any) -> "dict[str, str]":
    """Name and digest of a text, a dict, or a dataset of MLflow."""
    if isinstance(dataset, str):
        return {"name": dataset, "digest": ""}
    if isinstance(dataset, Mapping):
        found = {k: dataset.get(k) for k in ("name", "digest")}
    else:
        found = {k: getattr(dataset, k, None) for k in ("name", "digest")}
    if found["name"] is None and found["digest"] is None:
        raise errors.Invalid("dataset has neither name nor digest", do='pass {"name": …, "digest": …} or a dataset of MLflow')
    return {k: str(v or "") for k, v in found.items()}


def _csv(table: "dict[str, List[str]]") -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values()))
    raw = text.getvalue().encode()
    if len(raw) > _BYTES:
        raise errors.TooLarge("the rows take %d bytes" % len(raw), "at most %d are kept" % _BYTES, "pass fewer columns or a sample")
    return gzip.compress(raw, compresslevel=6, mtime=0)
