# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, one class for each kind; all are flyball.Error.

An error says what happened, why, and what to do about it, as far as each is known.
What the server says comes as it said it.
"""

from __future__ import annotations

from typing import Mapping, Optional, Type


class Error(Exception):
    """A request that did not succeed.

    status is the HTTP status, 0 where no answer came.
    """

    def __init__(self, what: str, why: str = "", do: str = "", status: int = 0) -> None:
        self.what = what
        self.why = why
        self.do = do
        self.status = status
        text = what
        if why:
            text += ": " + why
        if do:
            text += "; " + do
        super().__init__(text)

    def __reduce__(self) -> "tuple[Type[Error], tuple[str, str, str, int]]":
        return type(self), (self.what, self.why, self.do, self.status)


class Invalid(Error):
    """The request is wrong; the same again fails again."""


class Unauthenticated(Error):
    """The server does not know the caller."""


class Denied(Error):
    """The caller may not do this."""


class NotFound(Error):
    """The thing named does not exist."""


class Conflict(Error):
    """The thing changed meanwhile, exists already, or something else must happen first."""


class TooLarge(Error):
    """A bound was passed: of the body, of the rows."""


class Refused(Error):
    """A rule answers no."""


class Exhausted(Error):
    """A limit is used up, also after the retries; later may work."""


class Unavailable(Error):
    """No server answers, or a part of it that is needed; later may work."""


class Internal(Error):
    """The server failed; its log says why."""


_BY_STATUS: "Mapping[int, Type[Error]]" = {
    400: Invalid,
    401: Unauthenticated,
    403: Denied,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Refused,
    429: Exhausted,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def of_status(status: int, said: Optional[str]) -> Error:
    """The error of an HTTP status, with what the server said of it."""
    kind = _BY_STATUS.get(status, Internal if status >= 500 else Invalid)
    what = said or "the server answered with HTTP status %d" % status
    do = ""
    if status == 401:
        do = "pass token to connect, or set FLYBALL_TOKEN"
    return kind(what, do=do, status=status)
