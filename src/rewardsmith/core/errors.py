"""Every error that rewardsmith raises on purpose.

RewardsmithError            exit  http
├── SettingsError             2    400   a recipe, an option or a key is wrong
├── DataError                 3    422   a preference file or one of its rows cannot be used
├── ModelError                4    422   a model folder, a head or a tokenizer cannot be used
│   └── OverlengthError       4    413   a text has more tokens than the model takes
├── ArtefactError             5    409   a folder is not the artefact that the stage wanted
│   ├── FullDiskError         5    507   there is no room for what the stage writes
│   └── MissingArtefactError  5    404   there is no such artefact
├── MissingDependencyError    6    501   an optional package is not installed
├── JudgeError               10    502   a judge cannot be asked, or what it says holds no verdict
└── ServingError             11    500   a server cannot answer a request
    ├── UnauthorizedError    11    401   no key, or one that is not known
    ├── ForbiddenError       11    403   a known key that may not do that
    ├── UnknownModelError    11    404   no model of that name is served
    ├── TooLargeError        11    413   more bytes, texts or tokens than a request may have
    ├── SlowClientError      11    408   the body of a request did not arrive in time
    ├── OverloadError        11    429   there is too much to do; says when to come again
    │   └── RateLimitError   11    429   a client has used up what it may
    ├── WorkerError          11    503   the model's process failed, or the model is not ready
    └── DeadlineError        11    504   the answer took longer than the server waits

Exit codes 7, 8 and 9 are answers, not errors: a model failed its gate, the evidence does not suffice (both
`gate.verdict`), a candidate is worse than the incumbent (`gate.comparison`), or an export than its source
(`pipeline.export`).
"""

from __future__ import annotations

from typing import Any


class RewardsmithError(Exception):
    """What went wrong, in one line that also says what to do.

    Args:
        problem: What happened, without a full stop.
        wanted: What would have been accepted.
        got: What came instead (shortened to 200 characters).
        where: File, line, key or row.
        fix: The next thing that the user should do.
    """

    exit_code = 1
    http_status = 500

    def __init__(
        self,
        problem: str,
        *,
        wanted: str | None = None,
        got: object | None = None,
        where: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.problem = problem
        self.wanted = wanted
        self.got = None if got is None else shorten(got)
        self.where = where
        self.fix = fix
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        parts = [place + self.problem]
        if self.wanted:
            parts.append(f"wanted {self.wanted}")
        if self.got is not None:
            parts.append(f"got {self.got}")
        if self.fix:
            parts.append(f"fix: {self.fix}")
        return "; ".join(parts)


class SettingsError(RewardsmithError):
    """A recipe, an option or a key is wrong."""

    exit_code = 2
    http_status = 400


class DataError(RewardsmithError):
    """A preference file, or one of its rows, cannot be used."""

    exit_code = 3
    http_status = 422


class ModelError(RewardsmithError):
    """A model folder, a head or a tokenizer cannot be used."""

    exit_code = 4
    http_status = 422


class OverlengthError(ModelError):
    """A text has more tokens than the model takes, and truncation was not asked for."""

    http_status = 413


class ArtefactError(RewardsmithError):
    """A folder is not the artefact that the stage wanted."""

    exit_code = 5
    http_status = 409


class FullDiskError(ArtefactError):
    """There is no room for what is to be written."""

    http_status = 507


class MissingArtefactError(ArtefactError):
    """There is no such artefact."""

    http_status = 404


class MissingDependencyError(RewardsmithError):
    """An optional package is needed and not installed."""

    exit_code = 6
    http_status = 501


class JudgeError(RewardsmithError):
    """A judge cannot be asked, or what it says holds no verdict."""

    exit_code = 10
    http_status = 502


class ServingError(RewardsmithError):
    """A server cannot answer a request."""

    exit_code = 11


class UnauthorizedError(ServingError):
    """The request names no key, or one that is not known."""

    http_status = 401


class ForbiddenError(ServingError):
    """The key is known, and may not do that."""

    http_status = 403


class UnknownModelError(ServingError):
    """No model of that name is served."""

    http_status = 404


class TooLargeError(ServingError):
    """A request has more bytes, texts or tokens than it may."""

    http_status = 413


class OverloadError(ServingError):
    """There is too much to do; nothing of the request was begun.

    Args:
        problem: What happened.
        retry_after_s: When there may be room, in seconds from now.
        **details: See `RewardsmithError`.
    """

    http_status = 429

    def __init__(self, problem: str, *, retry_after_s: float = 1.0, **details: Any) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(problem, **details)


class RateLimitError(OverloadError):
    """A client has used up the requests or tokens that it may have in this time."""


class SlowClientError(ServingError):
    """The body of a request did not arrive in time."""

    http_status = 408


class WorkerError(ServingError):
    """The model's process failed on the request, or the model is not ready."""

    http_status = 503


class DeadlineError(ServingError):
    """The answer took longer than the server waits."""

    http_status = 504


def shorten(value: object, max_chars: int = 200) -> str:
    """One line of at most `max_chars` characters that shows `value`."""
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"
