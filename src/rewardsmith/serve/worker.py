"""A model's process: it loads the model, says what it is, and answers batches until its pipe is closed.

Only this process knows torch. `serve.process` starts it.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import torch

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import FullDiskError, ModelError, RewardsmithError, SettingsError
from rewardsmith.core.freed_memory import FreedMemory
from rewardsmith.core.scores import Provenance, Relative, Scorer, Scores, TokenScorer
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.families.spec import read_spec
from rewardsmith.scoring.load import load_scorer
from rewardsmith.serve.answering import Answering, encoder_of
from rewardsmith.serve.temperature import load_temperature
from rewardsmith.serve.threads import quickest_threads
from rewardsmith.serve.work import Ability, Answer, Ask, Card
from rewardsmith.training.precision import bf16_pays

logger = logging.getLogger(__name__)

_SILENT_FAMILIES = ("judge",)
"""Families whose scores cost money or minutes: they are not tried when they are loaded."""

_GIVE_BACK_S = 30.0

_GIVES: dict[str, frozenset[Ability]] = {"judge": frozenset({"rationales"})}


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a process loads its model; see `ServeSettings`."""

    precision: Literal["auto", "float32", "bf16"] = "auto"
    threads: int | None = None
    max_text_tokens: int | None = None
    cache: Path | None = None
    evaluations: tuple[Path, ...] = ()


def serve_pipe(connection: Connection, path: str, options: LoadOptions) -> None:
    """Load the model at `path`, then answer each list of `Ask`s that comes through `connection`.

    The first thing that goes back is the `Card`, or the error with which loading ended. Signals are the parent's
    affair: the process ends when the other end of the pipe is closed, as it is when the parent is killed.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        scorer, card = load(path, options)
    except RewardsmithError as error:
        connection.send(error)
        return
    except Exception as error:
        logger.exception("the model at %s cannot be loaded", path)
        connection.send(ModelError("cannot load the model", got=repr(error), where=path))
        return
    threads = quickest_threads(scorer) if isinstance(scorer, FastScorer) else None
    answering = Answering(scorer, max_text_tokens=options.max_text_tokens, threads=threads)
    freed = FreedMemory(every_s=_GIVE_BACK_S)
    try:
        connection.send(card)
        while True:
            asks: Sequence[Ask] = connection.recv()
            found: list[Answer | RewardsmithError] = answering.answers(asks)
            connection.send(found)
            freed.give_back_sometimes()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def load(path: str, options: LoadOptions) -> tuple[Scorer, Card]:
    """The scorer at `path`, warm, and its card.

    Raises:
        RewardsmithError: See `load_scorer`.
    """
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    spec = read_spec(Path(path))
    family = "single" if spec is None else str(spec["family"])
    scorer = _load_cached(path, options)
    if isinstance(scorer, FastScorer):
        scorer.fix_weights()
        # The server's own process remembers what was answered.
        scorer.remember_at_most(0)
    return scorer, _card(scorer, family, path, options.evaluations)


def _load_cached(path: str, options: LoadOptions) -> Scorer:
    """A cache may cost no result: where it cannot be used, or the family keeps none, the model is served without."""
    if options.cache is None:
        return _load(path, options.precision, None)
    try:
        return _load(path, options.precision, options.cache)
    except (SettingsError, FullDiskError) as error:
        scorer = _load(path, options.precision, None)
        logger.warning("%s is served without a cache on disk: %s", path, error)
        return scorer


def _load(path: str, precision: Literal["auto", "float32", "bf16"], cache: Path | None) -> Scorer:
    """`auto` is bf16 for an encoder where the processor gains by it; see `pipeline.audit`."""
    if precision != "auto":
        return load_scorer(path, precision=precision, cache=cache)
    scorer = load_scorer(path, cache=cache)
    if isinstance(scorer, FastScorer) and not scorer.model.is_decoder and bf16_pays():
        return load_scorer(path, precision="bf16", cache=cache)
    return scorer


def _card(scorer: Scorer, family: str, path: str, evaluations: Sequence[Path]) -> Card:
    takes: frozenset[Ability] = frozenset({"texts", "ids"}) if isinstance(scorer, TokenScorer) else frozenset()
    gives = _GIVES[family] if family in _SILENT_FAMILIES else _abilities(_warmed(scorer))
    encoder = encoder_of(scorer)
    network = getattr(scorer, "model", None)
    provenance: Provenance = scorer.provenance  # type: ignore[attr-defined]
    return Card(
        family=family,
        provenance=provenance,
        max_tokens=None if encoder is None else encoder.max_tokens,
        can=takes | gives,
        is_relative=isinstance(scorer, Relative),
        shares_prompts=isinstance(scorer, TokenScorer) and bool(getattr(network, "is_decoder", False)),
        precision="bf16" if getattr(scorer, "uses_bf16", False) else "float32",
        temperature=load_temperature(path, provenance.model_digest, evaluations=evaluations),
    )


def _warmed(scorer: Scorer) -> Scores:
    """What it says to a short text: the first one pays for much that later ones don't."""
    return scorer.score([(user("Which is it?"), assistant("It is this one."))])


def _abilities(scores: Scores) -> frozenset[Ability]:
    found: dict[Ability, bool] = {
        "steps": scores.steps is not None,
        "attributes": bool(scores.attributes),
        "spread": scores.spread is not None,
        "rationales": scores.rationales is not None,
    }
    return frozenset(name for name, is_there in found.items() if is_there)
