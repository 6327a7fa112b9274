# SPDX-License-Identifier: Apache-2.0
"""The client of one server."""

from __future__ import annotations

import datetime
import json
import os
import time
import urllib.parse
import uuid
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Mapping, Optional, Sequence, Union, overload

from . import _evaluation, errors
from ._transport import Transport
from ._values import Row, Rows, encode, plain, rows_of

# Labels that one request may hold.
_LABELS = 10_000


@dataclass(frozen=True)
class Prediction:
    """The answer to one row.

    value is the number, or the probability of 1; None when nothing could answer, or
    when the model has classes, whose scores are in scores. version is 0 and arm is
    "fallback" where no version answered.
    """

    id: str
    version: int
    arm: str
    value: Optional[float]
    key: str = ""
    scores: Sequence[float] = ()
    decision: str = ""
    flags: Sequence[str] = ()


@dataclass(frozen=True)
class Answer(Sequence[Prediction]):
    """The predictions of one request, in the order of its rows."""

    model: str
    version: int
    generation: int
    predictions: "tuple[Prediction, ...]"

    def __len__(self) -> int:
        return len(self.predictions)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.predictions)

    @overload
    def __getitem__(self, i: int) -> Prediction: ...

    @overload
    def __getitem__(self, i: slice) -> "tuple[Prediction, ...]": ...

    def __getitem__(self, i: Union[int, slice]) -> "Union[Prediction, tuple[Prediction, ...]]":
        return self.predictions[i]


@dataclass(frozen=True)
class Label:
    """The truth of one prediction, which id or key names, one of the two.

    at is when it became known; without it, now.
    """

    value: Union[float, bool, str]
    key: str = ""
    id: str = ""
    at: Union[datetime.datetime, str, None] = None


@dataclass(frozen=True)
class Labeled:
    """What became of labels. unmatched name no prediction yet; they wait for it."""

    accepted: int
    unmatched: int


def connect(
    url: Optional[str] = None, token: Optional[str] = None, *, timeout: float = 30.0, patience: float = 60.0
) -> "Client":
    """A client of the server at url, else FLYBALL_URL, else http://127.0.0.1:7180.

    token, else FLYBALL_TOKEN, says who asks. timeout bounds one try, patience all tries
    of a request, both in seconds. Nothing is sent until the first request.
    """
    url = url or os.environ.get("FLYBALL_URL") or "http://127.0.0.1:7180"
    return Client(Transport(url, token or os.environ.get("FLYBALL_TOKEN") or None, timeout, patience))


class Client:
    """Speaks to one server; connect makes it. It may be used by many threads at once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def url(self) -> str:
        """The server's address."""
        return self._transport.url

    def predict(self, model: str, rows: Rows, *, audit: Optional[Rows] = None) -> Answer:
        """Asks for an answer to each row: a dict, several, or a table of pandas.

        audit is the groups of people or things that each row belongs to, as many and in
        the same order, where the model file names them under predict.audit. They are
        kept apart from the rows, and no model sees them.

        Each answer is kept by the server, so a request that may have arrived is not sent
        twice: an Unavailable error leaves open whether it was answered.
        """
        asked = {"rows": rows_of(rows)}
        if audit is not None:
            asked["audit"] = rows_of(audit)
        return _answer(self._post(_of(model, "/predict"), asked, idempotent=False))

    def log_prediction(
        self,
        model: str,
        row: Row,
        value: Union[float, Sequence[float]],
        *,
        version: int,
        at: Union[datetime.datetime, str, None] = None,
        id: Optional[str] = None,
        audit: Optional[Row] = None,
    ) -> Prediction:
        """Keeps a prediction that the live version made elsewhere, as if the server had.

        value is the number, the probability of 1, or the scores of the classes. version
        must be live. at is when it was made; without it, now. id is a UUIDv7, by which
        the same prediction told twice is one; without it, a new one. audit is as for
        predict.
        """
        given = {
            "id": id or _new_id(),
            "row": rows_of(row)[0],
            "version": version,
        }
        scores = plain(value.tolist() if hasattr(value, "tolist") else value, "value")
        given["scores" if isinstance(scores, list) else "value"] = scores
        if at is not None:
            given["at"] = _moment(at)
        if audit is not None:
            given["audit"] = rows_of(audit)[0]
        answer = self._post(_of(model, "/predictions"), {"predictions": [given]}, idempotent=True)
        return _answer(answer)[0]

    def label(self, model: str, labels: Union[Mapping[str, Any], Iterable[Label]]) -> Labeled:
        """Tells truths: values by the caller's key, or Label by Label.

        The latest truth of a prediction counts, so telling one twice is harmless. More
        than 10,000 go in several requests; each is kept whole or not at all.
        """
        if isinstance(labels, Mapping):
            labels = [Label(value=v, key=str(k)) for k, v in labels.items()]
        told = [_label(i, l) for i, l in enumerate(labels)]
        accepted = unmatched = 0
        for at in range(0, len(told), _LABELS):
            answer = self._post(_of(model, "/labels"), {"labels": told[at : at + _LABELS]}, idempotent=True)
            accepted += answer["accepted"]
            unmatched += answer["unmatched"]
        return Labeled(accepted, unmatched)

    def log_predictions(
        self,
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
        """Keeps what a run predicted on rows whose truth is known, beside the run.

        Runs that have this are compared row by row, with intervals: the rows are those
        whose keys both runs have. keys are the caller's own, such as booking numbers;
        each value is of the row at the same place. predictions are probabilities of
        yes, or numbers. Rows of one block are one draw, such as a customer or a day.
        columns name the parts that are looked at by themselves.

        kind is "binary" or "regression"; without it, binary when the labels are texts,
        or 0 and 1 with probabilities. dataset names the rows: a text, a dict with name
        and digest, or a dataset of MLflow. Of kind binary, positive is the label that
        counts as yes (default 1), and a prediction above threshold is decided yes
        (default 0.5). Logging again replaces what was there.
        """
        made = _evaluation.files(
            keys, labels, predictions, weights, blocks, columns, kind, dataset, positive, threshold
        )
        folder = self._artifacts(run_id) + "/evaluation"
        # The file under its other name would contradict the one written here.
        self._transport.send("DELETE", folder + "/predictions.csv", idempotent=True)
        self._transport.send("PUT", folder + "/predictions.csv.gz", made.rows, "application/gzip", idempotent=True)
        self._transport.send("PUT", folder + "/evaluation.json", made.about, idempotent=True)

    def _artifacts(self, run_id: str) -> str:
        """The path under which the server takes artifacts of the run."""
        run = self._get("/api/2.0/mlflow/runs/get", {"run_id": run_id})["run"]
        uri = urllib.parse.urlsplit(run["info"]["artifact_uri"])
        if uri.scheme != "mlflow-artifacts" or uri.netloc:
            raise errors.Refused(
                "artifacts of run %s lie at %s" % (run_id, run["info"]["artifact_uri"]),
                "the server does not keep them",
                "log the run in an experiment whose artifacts it keeps",
            )
        return "/api/2.0/mlflow-artifacts/artifacts" + urllib.parse.quote(uri.path)

    def _post(self, path: str, value: Any, idempotent: bool) -> Any:
        return _read(self._transport.send("POST", path, encode(value), idempotent=idempotent))

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        return _read(self._transport.send("GET", path + "?" + urllib.parse.urlencode(query), idempotent=True))


def _of(model: str, rest: str) -> str:
    if not model:
        raise errors.Invalid("no model is named", do="pass its name, as flyball status shows it")
    return "/v1/models/" + urllib.parse.quote(model, safe="") + rest


def _answer(answer: Any) -> Answer:
    return Answer(
        model=answer["model"],
        version=answer["version"],
        generation=answer["generation"],
        predictions=tuple(
            Prediction(
                id=p["id"],
                version=p["version"],
                arm=p["arm"],
                value=p.get("value"),
                key=p.get("key", ""),
                scores=tuple(p.get("scores") or ()),
                decision=p.get("decision", ""),
                flags=tuple(p.get("flags") or ()),
            )
            for p in answer["predictions"]
        ),
    )


def _new_id() -> str:
    """A UUIDv7 (RFC 9562, 5.7): the moment in milliseconds, and randomness."""
    number = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number))


def _moment(at: Union[datetime.datetime, str]) -> str:
    if isinstance(at, str):
        return at
    if at.tzinfo is None:
        raise errors.Invalid("%s has no time zone" % at.isoformat(), do="pass one with tzinfo")
    return at.isoformat()


def _label(i: int, label: Label) -> "dict[str, Any]":
    out = {"value": plain(label.value, "label %d" % i)}
    if out["value"] is None:
        raise errors.Invalid("label %d has no value" % i, do="leave out what is not known yet")
    if label.id:
        out["id"] = label.id
    if label.key:
        out["key"] = label.key
    if label.at is not None:
        out["at"] = _moment(label.at)
    return out


def _read(body: bytes) -> Any:
    try:
        return json.loads(body) if body else {}
    except ValueError:
        raise errors.Internal(
            "the answer is not JSON", do="check that the address is that of a Flyball server"
        ) from None
