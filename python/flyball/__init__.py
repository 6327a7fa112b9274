# SPDX-License-Identifier: Apache-2.0
"""Ask a Flyball server for predictions, tell it truths, and keep what a run predicted.

    import flyball

    client = flyball.connect("http://127.0.0.1:7180")
    answer = client.predict("bikes", {"ts": "2026-05-04T08:00", "hr": 8, "temp": 0.4})
    client.label("bikes", {"2026-05-04T08:00": 412})

The functions of the same names use the server that FLYBALL_URL and FLYBALL_TOKEN
name. Runs are logged with MLflow's own client: set MLFLOW_TRACKING_URI to the
server's address, and log_predictions adds what compares them row by row.
"""

from __future__ import annotations

import datetime
import os
from functools import lru_cache
from typing import Any, Iterable, Mapping, Optional, Sequence, Union

from ._values import Row, Rows
from .client import Answer, Client, Label, Labeled, Prediction, connect
from .errors import (
    Conflict,
    Denied,
    Error,
    Exhausted,
    Internal,
    Invalid,
    NotFound,
    Refused,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Client",
    "Conflict",
    "Denied",
    "Error",
    "Exhausted",
    "Internal",
    "Invalid",
    "Label",
    "Labeled",
    "NotFound",
    "Prediction",
    "Refused",
    "Row",
    "Rows",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "connect",
    "label",
    "log_prediction",
    "log_predictions",
    "predict",
]


@lru_cache(maxsize=1)
def _connected(url: Optional[str], token: Optional[str]) -> Client:
    return connect(url, token)


def _client() -> Client:
    return _connected(os.environ.get("FLYBALL_URL"), os.environ.get("FLYBALL_TOKEN"))


def predict(model: str, rows: Rows) -> Answer:
    """Client.predict of the server that the environment names."""
    return _client().predict(model, rows)


def label(model: str, labels: Union[Mapping[str, Any], Iterable[Label]]) -> Labeled:
    """Client.label of the server that the environment names."""
    return _client().label(model, labels)


def log_prediction(
    model: str,
    row: Row,
    value: Union[float, Sequence[float]],
    *,
    version: int,
    at: Union[datetime.datetime, str, None] = None,
    id: Optional[str] = None,
) -> Prediction:
    """Client.log_prediction of the server that the environment names."""
    return _client().log_prediction(model, row, value, version=version, at=at, id=id)


def log_predictions(
    run_id: str,
    keys: Iterable[Any],
    labels: Iterable[Any],
    predictions: Iterable[Any],
    weights: Optional[Iterable[Any]] = None,
    blocks: Optional[Iterable[Any]] = None,
    columns: Optional[Mapping[str, Iterable[Any]]] = None,
    *,
    kind: Optional[str] = None,
    dataset: Any = None,
    positive: Any = None,
    threshold: Optional[float] = None,
) -> None:
    """Client.log_predictions of the server that the environment names."""
    _client().log_predictions(
        run_id,
        keys,
        labels,
        predictions,
        weights,
        blocks,
        columns,
        kind=kind,
        dataset=dataset,
        positive=positive,
        threshold=threshold,
    )
