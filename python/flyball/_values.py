# SPDX-License-Identifier: Apache-2.0
"""Values of Python, pandas and NumPy as JSON; neither package is asked for."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from typing import Any, Iterable, Mapping, Union

from . import errors

# A row: columns by name.
Row = Mapping[str, Any]

# Rows as callers have them: one, several, or a table of pandas or Polars.
Rows = Union[Row, Iterable[Row], Any]


def rows_of(rows: Rows) -> "list[dict[str, Any]]":
    """The rows as JSON has them: a missing value is null."""
    if isinstance(rows, Mapping):
        rows = [rows]
    elif hasattr(rows, "to_dicts"):
        rows = rows.to_dicts()
    elif hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        rows = rows.to_dict(orient="records")
    out = []
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise errors.Invalid(
                "row %d is of type %s" % (i, type(row).__name__), do="pass each row as a dict of columns by name"
            )
        out.append({str(k): plain(v, "row %d, column %r" % (i, k)) for k, v in row.items()})
    return out


def plain(value: Any, where: str) -> Any:
    """The value as JSON has it. Not-a-number is null: it stands for a missing value."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (float, decimal.Decimal)):
        number = float(value)
        if math.isnan(number):
            return None
        if math.isinf(number):
            raise errors.Invalid("%s is infinite" % where, "JSON has no such number", "send None for a value that is missing")
        return number
    if isinstance(value, (datetime.datetime, datetime.date)):
        text = value.isoformat()
        return None if text == "NaT" else text  # pandas' missing time is a datetime too
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a scalar of NumPy
        return plain(value.item(), where)
    if isinstance(value, Mapping):
        return {str(k): plain(v, where) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v, where) for v in value]
    raise errors.Invalid(
        "%s is of type %s" % (where, type(value).__name__), "JSON has no such value", "send a number, a text, a time or None"
    )


def encode(value: Any) -> bytes:
    """Plain values as JSON."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
