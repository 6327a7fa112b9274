# SPDX-License-Identifier: Apache-2.0
"""HTTP to one server: one request a call, a bounded number of tries, no thread."""

from __future__ import annotations

import email.utils
import json
import random
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from http.client import HTTPException
from typing import IO, Any, Optional

from . import errors

# What is read of one answer; a longer one is not an answer of the API.
_LONGEST = 256 << 20

# Statuses after which an idempotent request may be sent again.
_PASSING = (429, 502, 503, 504)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The API never redirects; a token does not follow where another points."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


class Transport:
    """Carries requests to the server at url. It may be used by many threads at once."""

    def __init__(self, url: str, token: Optional[str], timeout: float, patience: float) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise errors.Invalid(
                "%r is not the address of a server" % url,
                do="write it as http://127.0.0.1:7180",
            )
        if token and ("\n" in token or "\r" in token):
            raise errors.Invalid("the token holds a line break", do="pass it without")
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.patience = patience
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirect())

    def send(
        self,
        method: str,
        path: str,
        body: Optional[bytes] = None,
        kind: str = "application/json",
        idempotent: bool = False,
    ) -> bytes:
        """The body of the answer.

        A request that the server put off with 429, or that never reached it, is sent
        again; one that may have been done is only when it is idempotent. The tries
        end after patience seconds.
        """
        until = time.monotonic() + self.patience
        tries = 0
        while True:
            try:
                return self._once(method, path, body, kind)
            except _Passing as p:
                wait = p.after if p.after is not None else min(8.0, 0.25 * 2**tries) * random.uniform(0.5, 1.5)
                if not (idempotent or p.undone) or time.monotonic() + wait > until:
                    raise p.error from None
                tries += 1
                time.sleep(wait)

    def _once(self, method: str, path: str, body: Optional[bytes], kind: str) -> bytes:
        request = urllib.request.Request(self.url + path, data=body, method=method)
        request.add_header("User-Agent", "flyball-sdk")
        request.add_header("Accept", "application/json, */*;q=0.5")
        if body is not None:
            request.add_header("Content-Type", kind)
        if self._token:
            request.add_header("Authorization", "Bearer " + self._token)
        try:
            with self._opener.open(request, timeout=self.timeout) as answer:
                out: bytes = answer.read(_LONGEST + 1)
        except urllib.error.HTTPError as e:
            with e:
                error = errors.of_status(e.code, _said(e))
                if e.code in _PASSING:
                    raise _Passing(error, undone=e.code == 429, after=_after(e.headers)) from None
            raise error from None
        except urllib.error.URLError as e:
            cause = e.reason if isinstance(e.reason, Exception) else e
            raise _Passing(self._unreachable(cause), undone=_unsent(cause)) from None
        except (OSError, HTTPException) as e:  # while the answer was read
            raise _Passing(self._unreachable(e), undone=False) from None
        if len(out) > _LONGEST:
            raise errors.Internal("the answer is longer than %d bytes" % _LONGEST)
        return out

    def _unreachable(self, cause: Exception) -> errors.Error:
        if isinstance(cause, (socket.timeout, TimeoutError)):
            return errors.Unavailable("%s did not answer within %g s" % (self.url, self.timeout))
        why = str(cause) or type(cause).__name__
        return errors.Unavailable(
            "no server answers at " + self.url, why, "start one with flyball serve, or set FLYBALL_URL"
        )


class _Passing(Exception):
    """A failure that may pass. undone: surely nothing was done."""

    def __init__(self, error: errors.Error, undone: bool, after: Optional[float] = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.undone = undone
        self.after = after


def _unsent(cause: Exception) -> bool:
    """Whether no connection came about, so that no request was sent."""
    return isinstance(cause, (ConnectionRefusedError, socket.gaierror))


def _after(headers: "Message[str, str]") -> Optional[float]:
    """Seconds that Retry-After asks to wait; None where it does not."""
    text = headers.get("Retry-After")
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, at.timestamp() - time.time())


def _said(answer: IO[bytes]) -> Optional[str]:
    """What the server says in the body of an error: the native API's form, or MLflow's."""
    try:
        problem = json.loads(answer.read(1 << 20))
    except (ValueError, OSError, HTTPException):
        return None
    if not isinstance(problem, dict):
        return None
    text = problem.get("detail") or problem.get("message")
    if not isinstance(text, str):
        return None
    fields = problem.get("errors")
    for e in fields if isinstance(fields, list) else []:
        if isinstance(e, dict):
            text += "; %s (%s)" % (e.get("message"), e.get("location"))
    return text
