"""Judges from disk: the folder says what the judge is, and its model is loaded, or its endpoint named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewardsmith.core.errors import SettingsError
from rewardsmith.models.cache import cache_folder
from rewardsmith.models.causal_lm import load_causal_lm
from rewardsmith.scoring.families.judge.cache import ReplyCache
from rewardsmith.scoring.families.judge.client import ChatClient
from rewardsmith.scoring.families.judge.local import LocalChat
from rewardsmith.scoring.families.judge.pairwise import PairwiseJudge
from rewardsmith.scoring.families.judge.pointwise import PointwiseJudge
from rewardsmith.scoring.families.judge.questioner import Questioner
from rewardsmith.scoring.families.judge.reply import Chat
from rewardsmith.scoring.families.judge.settings import JudgeSettings, LocalBackend, RemoteBackend, parse_judge
from rewardsmith.scoring.families.spec import SPEC_NAME, read_spec
from rewardsmith.scoring.options import ScoringOptions

FAMILY = "judge"
KIND = "judge"
"""Kind of the artefact: a judge is described, not trained."""

_REPLIES = "judge-replies"

_VERDICT_TOKENS = 16
"""Longest reply of a judge that writes nothing but a verdict's line, and not even that itself."""


def load(folder: Path, spec: Mapping[str, Any], options: ScoringOptions) -> PairwiseJudge | PointwiseJudge:
    """The judge that `scorer.json` in `folder` describes.

    Raises:
        SettingsError: A key or a value of the file is wrong, or the key's variable is not set.
        ModelError: The local model cannot be loaded.
    """
    values = {key: value for key, value in spec.items() if key != "family"}
    return load_judge(parse_judge(values, where=str(folder / SPEC_NAME)), options, folder=folder)


def keeps_paid_replies(folder: Path) -> bool:
    """Whether a scorer that is loaded without a cache keeps its replies for good all the same: a judge behind an
    endpoint. A caller with a cache of its own for the time of its work must not put that in the place."""
    spec = read_spec(folder)
    if spec is None or spec["family"] != FAMILY:
        return False
    backend = spec.get("backend")
    return isinstance(backend, Mapping) and "url" in backend


def load_judge(
    settings: JudgeSettings, options: ScoringOptions, *, folder: Path | None = None
) -> PairwiseJudge | PointwiseJudge:
    """The judge of `settings`.

    Replies are kept in the options' cache. Those of an endpoint, which cost money, are kept in the user's cache where
    none is named; those of a local model then in memory.

    Args:
        folder: What the path of a local model is relative to.

    Raises:
        SettingsError: The key's variable is not set, or an option does not suit an endpoint.
        ModelError: The local model cannot be loaded.
    """
    backend = settings.backend
    is_remote = isinstance(backend, RemoteBackend)
    chat = _remote(backend, settings, options) if is_remote else _local(backend, settings, options, folder)
    questioner = Questioner(settings, chat, overlength=options.overlength)
    return PairwiseJudge(questioner) if settings.kind == "pairwise" else PointwiseJudge(questioner)


def _remote(backend: RemoteBackend, settings: JudgeSettings, options: ScoringOptions) -> Chat:
    if options.max_tokens is not None:
        raise SettingsError(
            "how many tokens an endpoint takes is its own affair", wanted="no max_tokens", got=options.max_tokens
        )
    folder = cache_folder() if options.cache is None else Path(options.cache)
    return ChatClient(backend, max_reply_tokens=settings.max_reply_tokens, cache=ReplyCache(folder / _REPLIES))


def _local(backend: LocalBackend, settings: JudgeSettings, options: ScoringOptions, folder: Path | None) -> Chat:
    inside = None if folder is None else folder / backend.local
    path = str(inside) if inside is not None and inside.is_dir() else backend.local
    return LocalChat(
        load_causal_lm(path),
        max_reply_tokens=settings.max_reply_tokens if settings.reads == "text" or settings.rounds else _VERDICT_TOKENS,
        precision="bf16" if options.precision == "bf16" else backend.precision,
        cache=ReplyCache(None if options.cache is None else Path(options.cache) / _REPLIES),
        device=options.device,
        max_tokens=options.max_tokens,
        name=backend.local,
    )
