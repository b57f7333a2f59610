"""What a judge is: its model, its question, and how its reply is read. `scorer.json` holds these keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.settings import Settings, parse_settings

RUBRIC = (
    "The better answer does what the user asked for, is true, says what matters and nothing beside the point, and "
    "does no harm."
)
"""What judges go by where nobody says otherwise."""

Kind = Literal["pairwise", "pointwise"]
Reading = Literal["text", "log_odds"]


class RemoteBackend(Settings):
    """A model behind an OpenAI-compatible endpoint."""

    url: str
    """Base URL with its version, for example `https://api.example.com/v1`; `/chat/completions` is added."""

    model: str = Field(min_length=1)
    """Name of the model there."""

    key_env: str | None = None
    """Environment variable that holds the API key; no key is sent where absent. The key itself stands in no file."""

    timeout_s: float = Field(default=120.0, gt=0)
    """Seconds without an answer after which a request is given up; one that trickles in, after at most twice that."""

    retries: int = Field(default=5, ge=0)
    """Further tries after a time-out, a lost connection, a status of 408, 429 or 5xx, or a reply that is none."""

    backoff_s: float = Field(default=1.0, ge=0)
    """Seconds before the second try; doubled each time. `Retry-After` goes before it."""

    max_wait_s: float = Field(default=60.0, ge=0)
    """Longest wait between two tries. A server that asks for a longer one is given up."""

    concurrency: int = Field(default=8, ge=1)
    """Most requests under way at once."""

    temperature: float | None = Field(default=0.0, ge=0)
    """Sampling temperature; not sent where null, for models that take none."""

    token_limit_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls the limit on a reply's tokens."""

    extra: dict[str, Any] = Field(default_factory=dict)
    """Further fields of the request's body, for example `{"seed": 0}`."""

    prompt_price: float | None = Field(default=None, ge=0)
    """Price of a million prompt tokens, in any currency; without it no cost is counted."""

    completion_price: float | None = Field(default=None, ge=0)
    """Price of a million tokens of replies."""

    max_cost: float | None = Field(default=None, gt=0)
    """Once this much was spent, no further request is made; needs both prices."""

    @field_validator("url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("wanted a URL such as https://api.example.com/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("the URL must hold no user, key or query; name the key's variable in key_env")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _limit_needs_prices(self) -> Self:
        if self.max_cost is not None and (self.prompt_price is None or self.completion_price is None):
            raise ValueError("max_cost needs prompt_price and completion_price")
        return self


class LocalBackend(Settings):
    """A causal language model in this process."""

    local: str = Field(min_length=1)
    """Folder, hub id or built-in model, for example `builtin:smollm2-135m-instruct`."""

    precision: Literal["float32", "bf16"] = "float32"
    """What the network computes in; bf16 is faster and keeps about three digits of the log-odds."""


class JudgeSettings(Settings):
    """A judge."""

    kind: Kind
    """`pairwise`: which of two answers is better. `pointwise`: how good is one answer."""

    backend: RemoteBackend | LocalBackend
    """The model."""

    reading: Literal["auto", "text", "log_odds"] = "auto"
    """`text`: the model writes its reasons and a verdict. `log_odds`: the probabilities of the verdict's token, without
    a word written; only of local models. `auto`: log-odds of a local model, text of another."""

    rubric: str = RUBRIC
    """What the judge goes by; empty for a plain question."""

    scale: tuple[int, int] = (1, 9)
    """Worst and best score (pointwise). Each score of 1 to 9 is one token, so that log-odds can be read."""

    rounds: int = Field(default=0, ge=0, le=8)
    """Rounds in which the judge criticises its verdict and revises it."""

    parse_retries: int = Field(default=2, ge=0)
    """How often a reply without a verdict is asked for again, with what was wrong (text)."""

    max_reply_tokens: int = Field(default=512, ge=1)
    """Longest reply."""

    no_verdict: Literal["raise", "nan"] = "raise"
    """Where there is still no verdict: stop, or a reward of NaN, which is counted and never compared."""

    max_rivals: int = Field(default=8, ge=2)
    """Most others that each answer is compared with, where a prompt has many (pairwise); see `groups.comparisons`."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.scale[0] >= self.scale[1]:
            raise ValueError(f"the scale must rise, got {self.scale[0]} to {self.scale[1]}")
        if self.reading == "log_odds" and isinstance(self.backend, RemoteBackend):
            raise ValueError("log-odds are read from local models only: endpoints do not give them reliably")
        return self

    @property
    def reads(self) -> Reading:
        """How replies are read."""
        if self.reading != "auto":
            return self.reading
        return "log_odds" if isinstance(self.backend, LocalBackend) else "text"


def parse_judge(values: Mapping[str, Any], *, where: str) -> JudgeSettings:
    """The settings that `values` hold.

    Raises:
        SettingsError: A key is unknown or a value is wrong; the file, the key and the nearest valid one are named.
    """
    backend = values.get("backend")
    if not isinstance(backend, Mapping) or ("url" in backend) == ("local" in backend):
        raise SettingsError(
            "the judge names no model", wanted='backend: {"url", "model"} or {"local"}', got=backend, where=where
        )
    kind = RemoteBackend if "url" in backend else LocalBackend
    parsed = parse_settings(kind, backend, where=f"{where}: backend")
    return parse_settings(JudgeSettings, {**values, "backend": parsed}, where=where)
