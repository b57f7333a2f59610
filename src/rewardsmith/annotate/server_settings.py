"""What the labelling server may be told: where it listens, what it is called, how much it takes."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from rewardsmith.core.settings import Settings


class ServerSettings(Settings):
    """Settings of `rewardsmith annotate serve`."""

    host: str = "127.0.0.1"
    """Address to listen at. Nobody but this machine can reach the default."""

    port: int = Field(default=8100, ge=0, le=65535)
    """Port to listen at; 0 takes a free one."""

    public_url: str | None = None
    """What raters call the server (`https://label.example.org`) where a proxy stands before it. With `https` cookies
    never go over a plain line, and a form from any other site is refused."""

    max_body_bytes: int = Field(default=256 * 2**10, ge=1)
    """Longest body of a request. A vote with its rationale is a few kilobytes."""

    body_timeout_s: float = Field(default=30.0, gt=0)
    """How long a body may take to arrive before it gets 408: a phone in a tunnel is slow."""

    links_per_s: float = Field(default=1.0, gt=0)
    """Access links a second that one address may open in the long run. Links are too long to guess; this keeps guesses
    away from the database."""

    links_burst: int = Field(default=60, ge=1)
    """Access links that one address may open at once: a class behind one router."""

    drain_s: float = Field(default=10.0, ge=0)
    """How long requests that were taken may go on after a signal to stop."""

    @model_validator(mode="after")
    def _require_origin(self) -> Self:
        if self.public_url is not None:
            parts = urlsplit(self.public_url)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
                raise ValueError("a public_url of scheme and name only, such as https://label.example.org")
        return self
