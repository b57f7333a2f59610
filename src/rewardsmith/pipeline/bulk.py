"""Many rows, many workers: what `rewardsmith score` does, spread over processes by Ray Data.

The rows are cut into shards. A worker loads the model once and takes one shard after the other; whoever is killed loses
the shards that were under way, and the same command again computes those and no others.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rewardsmith.core.errors import MissingDependencyError, RewardsmithError, SettingsError, WorkerError
from rewardsmith.core.locked import locked
from rewardsmith.core.progress import track
from rewardsmith.core.scores import Scorer
from rewardsmith.pipeline.score import read_asked, source_rows
from rewardsmith.pipeline.shards import Shard, join_shards, score_shard, write_shards
from rewardsmith.scoring.families.judge.load import FAMILY as JUDGE
from rewardsmith.scoring.families.spec import read_spec
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.remote import is_address

ROWS_PER_SHARD = 256
"""Rows that a killed worker loses at most."""

# Ray's own processes take no whole core, and its readers starve where each core has a worker: two spare ones, on paper.
_SPARE_CPUS = 2
_OBJECT_STORE_BYTES = 128 << 20
"""Only numbers of shards go through it, no texts."""

_BLOCKS_A_WORKER = 64


@dataclass(frozen=True, slots=True)
class BulkSummary:
    """What a bulk scoring took; as a string, one line of it.

    Attributes:
        rows: Rows, and so lines of results.
        shards: Shards in all.
        known: Shards that an earlier run had done.
        workers: Processes that scored.
        n_truncated: Conversations that were cut to fit.
        seconds: From the first row read to the file written.
    """

    rows: int
    shards: int
    known: int
    workers: int
    n_truncated: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.rows:,} rows in {self.shards:,} shards, {self.known:,} of them done before, "
            f"{self.n_truncated:,} texts cut to fit; {self.workers} workers, {self.seconds:,.1f} s"
        )


def score_in_bulk(
    model: str,
    source: str,
    *,
    out: Path,
    workers: int = 2,
    overlength: Overlength = "raise",
    cache: Path | None = None,
    weights: Mapping[str, float] | None = None,
    rows_per_shard: int = ROWS_PER_SHARD,
) -> BulkSummary:
    """Score the rows of `source` with several processes, and write to `out` what `score_file` would.

    Shards lie in `<out>.shards` until `out` is there. All rows are read before the first is scored, so that one that
    cannot be read costs no work. Where several conversations are refused, the error is that of the first.

    Args:
        source: File, folder or hub id; `-`: JSON lines on standard input.
        workers: Processes; each holds the model.
        cache: Folder that keeps rewards; all workers share it.
        weights: Attribute → weight, in the place of the model's own.

    Raises:
        DataError: A row cannot be read; no file is written.
        OverlengthError: One is too long, and truncation was not asked for. Shards that are done are kept.
        ModelError: There is no usable reward model.
        SettingsError: The number of workers is below one, or Ray runs in this process already.
        ArtefactError: Another process writes the same output.
        MissingDependencyError: Ray is not installed.
        WorkerError: A worker died again and again.
    """
    if workers < 1 or rows_per_shard < 1:
        raise SettingsError("nobody to work", wanted="at least 1", got=min(workers, rows_per_shard), where="workers")
    started = time.perf_counter()
    work = out.with_name(f"{out.name}.shards")
    with _claimed(work):
        rows = read_asked(source_rows(source))
        shards = write_shards(work, rows, max_rows=rows_per_shard, keeps_prompts=_may_compare(model))
        job = {"work": str(work), "model": model, "overlength": overlength, "cache": cache, "weights": weights}
        workers = min(workers, max(1, len(shards)))
        known = _score(shards, job, workers=workers)
        receipts = join_shards(shards, out)
        shutil.rmtree(work, ignore_errors=True)
    return BulkSummary(
        rows=sum(receipt.rows for receipt in receipts),
        shards=len(shards),
        known=known,
        workers=workers,
        n_truncated=sum(receipt.truncated for receipt in receipts),
        seconds=time.perf_counter() - started,
    )


class ShardWorker:
    """Scores shards, in a process of Ray's; the model is loaded with the first one.

    Args:
        job: Folder of the shards, model and options.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._job = job
        self._scorer: Scorer | None = None

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
        """For each number of a shard: whether it was done before, and the error that stopped it (pickled)."""
        found: dict[str, list[Any]] = {"shard": [], "known": [], "error": []}
        for number in batch["shard"].tolist():
            known, error = False, b""
            try:
                known = self._scored(Shard(Path(self._job["work"]), number))
            except RewardsmithError as refused:
                # As a result: Ray would take an exception for bad luck, and try again.
                error = pickle.dumps(refused)
            for name, value in (("shard", number), ("known", known), ("error", error)):
                found[name].append(value)
        return found

    def _scored(self, shard: Shard) -> bool:
        overlength = self._job["overlength"]
        if self._scorer is None:
            chosen = {name: self._job[name] for name in ("cache", "weights")}
            self._scorer = load_scorer(self._job["model"], overlength=overlength, **chosen)
        return score_shard(self._scorer, shard, overlength=overlength)


def _score(shards: Sequence[Shard], job: Mapping[str, Any], *, workers: int) -> int:
    """Have all shards scored; how many had been before.

    Raises:
        RewardsmithError: Of the first shard, in order, that was stopped.
    """
    known, seen = 0, set[int]()
    stopped: dict[int, RewardsmithError] = {}
    if not shards:
        return 0
    with _ray(workers) as ray:
        results = _results(ray, job, n_shards=len(shards), workers=workers)
        for result in track(results, "scoring shards", total=len(shards)):
            seen.add(result["shard"])
            known += result["known"]
            if result["error"]:
                stopped[result["shard"]] = pickle.loads(result["error"])
            if stopped and seen.issuperset(range(min(stopped))):
                break
    if stopped:
        raise stopped[min(stopped)]
    return known


def _results(ray: Any, job: Mapping[str, Any], *, n_shards: int, workers: int) -> Iterator[dict[str, Any]]:
    numbers = ray.data.from_items(
        [{"shard": number} for number in range(n_shards)], override_num_blocks=min(n_shards, _BLOCKS_A_WORKER * workers)
    )
    done = numbers.map_batches(
        ShardWorker,
        fn_constructor_kwargs={"job": job},
        batch_size=1,
        num_cpus=1,
        num_gpus=_gpus_a_worker(workers),
        compute=ray.data.ActorPoolStrategy(size=workers),
    )
    try:
        yield from done.iter_rows()
    except ray.exceptions.RayError as error:
        raise WorkerError(
            "a worker of Ray failed",
            got=error,
            where=job["model"],
            fix="see the lines above; shards that are done stay",
        ) from error


def _gpus_a_worker(workers: int) -> float:
    """Share of a GPU that each worker has; without one Ray hides the GPUs of the machine from them."""
    return min(1.0, torch.cuda.device_count() / workers)


@contextlib.contextmanager
def _ray(workers: int) -> Iterator[Any]:
    """Ray on this machine alone, for the time of the block."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise MissingDependencyError(
            "Ray is not installed", wanted="ray with its data part", fix="pip install 'rewardsmith[scale]'"
        ) from error
    if ray.is_initialized():
        raise SettingsError("Ray runs in this process already", wanted="a process without", fix="call ray.shutdown()")
    # A short path: the names of its sockets may have some hundred characters only.
    with tempfile.TemporaryDirectory(prefix="rewardsmith-", ignore_cleanup_errors=True) as folder:
        ray.init(
            address="local",
            num_cpus=workers + _SPARE_CPUS,
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=folder,
        )
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        try:
            yield ray
        finally:
            ray.shutdown()


_ENVIRONMENT = {
    # Nothing is reported to anybody.
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray then listens on the loopback address only, as it does by default on other systems.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Its ports take requests with the token of this run only.
    "RAY_AUTH_MODE": "token",
}


def _may_compare(model: str) -> bool:
    """Whether the scorer may compare the answers of a prompt: a judge, and whatever a server has."""
    spec = None if is_address(model) else read_spec(Path(model))
    return is_address(model) or (spec is not None and spec["family"] == JUDGE)


@contextlib.contextmanager
def _claimed(work: Path) -> Iterator[None]:
    """The work folder, for this process alone; it goes where the block ends with nothing done.

    Raises:
        ArtefactError: Another process has it.
    """
    with locked(work):
        try:
            yield
        finally:
            if not any(work.glob("*.done.json")):
                shutil.rmtree(work, ignore_errors=True)
