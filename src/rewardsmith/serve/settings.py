"""What a server may be told: where it listens, how much it takes, what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from rewardsmith.core.settings import Settings


class ServeSettings(Settings):
    """Settings of `rewardsmith serve`."""

    host: str = "127.0.0.1"
    """Address to listen at. Nobody but this machine can reach the default."""

    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen at; 0 takes a free one."""

    max_body_bytes: int = Field(default=16 * 2**20, ge=1)
    """Longest body of a request. 16 MiB are some four million tokens."""

    body_timeout_s: float = Field(default=30.0, gt=0)
    """How long the body of a request may take to arrive before it gets 408."""

    max_texts: int = Field(default=4096, ge=1)
    """Most texts in a request."""

    max_text_tokens: int | None = Field(default=None, ge=1)
    """Longest text, in tokens; what the model takes where absent."""

    max_queue_requests: int = Field(default=1024, ge=1)
    """Most requests that wait for a model; further ones get 429."""

    max_queue_tokens: int = Field(default=2**20, ge=1)
    """Most tokens that wait for a model, as estimated from the characters. A request that is larger than that is taken
    where nothing else waits."""

    max_queue_s: float | None = Field(default=None, gt=0)
    """Longest that a request may be expected to wait for a model, by the speed of its last full batches; half of
    `timeout_s` where absent. Whoever would wait longer gets 429 at once rather than 504 in the end."""

    max_batch_tokens: int = Field(default=16384, ge=1)
    """Tokens that a model's process is given at once. More fills its passes better; fewer let a small request that
    comes behind a large one wait for less."""

    timeout_s: float = Field(default=60.0, gt=0)
    """How long a request may take in all before it gets 504."""

    batch_timeout_s: float = Field(default=600.0, gt=0)
    """How long a model's process may be silent over a batch before it is taken for hung, ended and started again."""

    load_timeout_s: float = Field(default=1800.0, gt=0)
    """How long a model may take to load."""

    drain_s: float = Field(default=30.0, ge=0)
    """How long requests that were taken may go on after a signal to stop."""

    precision: Literal["auto", "float32", "bf16"] = "auto"
    """Arithmetic inside the network. `auto` is bf16 for an encoder where the processor multiplies it faster, and
    float32 elsewhere: a decoder's rewards move too far in bf16."""

    threads: int | None = Field(default=None, ge=1)
    """Threads of a model's process; as many as there are cores (or OMP_NUM_THREADS) where absent. A short text gets one
    thread alone where that was quicker when the model was loaded."""

    cache_entries: int = Field(default=65536, ge=0)
    """Texts whose scores are kept in memory for each model, least recently used ones forgotten first. About half a
    kilobyte each."""

    cache_folder: Path | None = None
    """Folder that keeps rewards for later servers."""

    allow_ungated: bool = False
    """Serve models without a verdict that they passed; each reply then says so in a header."""

    verdicts: tuple[Path, ...] = ()
    """Folders of verdicts, beside those that lie by the models."""

    evaluations: tuple[Path, ...] = ()
    """Folders of evaluations or audits whose temperatures make probabilities, beside those that lie by the models."""

    model_roots: tuple[Path, ...] = ()
    """Folders from which models may be loaded over HTTP; with none of them nothing may."""

    keys_file: Path | None = None
    """File of API keys; without one, whoever reaches the server may use it."""

    no_keys: bool = False
    """Let others than this machine use the server without keys; else a host that is not loopback needs a keys file."""

    requests_per_s: float | None = Field(default=None, gt=0)
    """Requests a second that a key may send in the long run; no limit where absent."""

    tokens_per_s: float | None = Field(default=None, gt=0)
    """Tokens a second that a key may send in the long run; no limit where absent."""

    burst_s: float = Field(default=10.0, gt=0)
    """Seconds' worth of requests and of tokens that a key may send at once."""

    traffic_log: Path | None = None
    """Folder of the log of requests and rewards, which holds their texts; none is kept where absent."""

    traffic_share: float = Field(default=0.01, gt=0, le=1)
    """Share of the requests that goes into the traffic log."""

    log_texts: bool = False
    """Whether the server's own log lines may hold texts."""
