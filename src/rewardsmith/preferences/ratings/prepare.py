"""Rated sources to a checked and split artefact. The ratings are held in memory: about the size of their texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ModelError, OverlengthError, SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.progress import track
from rewardsmith.core.store import read_manifest, writing_artefact
from rewardsmith.preferences.keys import group_hash
from rewardsmith.preferences.load import hub_name, iter_rows
from rewardsmith.preferences.outcome import RawRow, Reason, Rejection, destination
from rewardsmith.preferences.prepare import expected_parents
from rewardsmith.preferences.ratings.leaks import leaks
from rewardsmith.preferences.ratings.rating import Rating
from rewardsmith.preferences.ratings.reading import JudgedResponse, read_ratings
from rewardsmith.preferences.ratings.scales import attributes_in, require_attributes, scales_of, signs_of
from rewardsmith.preferences.ratings.store import KIND, write_ratings
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.split import heldout_mask, require_both_sides
from rewardsmith.preferences.store import LeftoverWriter
from rewardsmith.text.encoder import ConversationEncoder

_ENCODED_AT_ONCE = 256

# What says something about pairs, or chooses among them, and so would be without effect here.
_ABOUT_PAIRS = (
    "ties",
    "min_agreement",
    "soft_labels",
    "complete_sentences",
    "drop_obviously_bad",
    "balance_sources",
    "topics",
    "limit",
)

Judged = tuple[str, JudgedResponse]
"""Label of the settings' source, and what became of one of its responses."""


def prepare_ratings(
    settings: DataSettings, out: Path, encoder: ConversationEncoder, *, attributes: Sequence[str] = ()
) -> Manifest:
    """Write the ratings artefact of `settings.sources` to the folder `out`, and return its manifest.

    `train.arrow`, `heldout.arrow`: see `store.SCHEMA`; split by prompt group as pairs are. `rejected.jsonl`,
    `set_aside.jsonl`: every other response, with file, line and reason. `counts.scales`: of each source and attribute,
    mean, standard deviation, range and direction on the training side. read = kept_train + kept_heldout + set_aside +
    rejected.

    Args:
        encoder: Of the model that will read the texts; says which are too long.
        attributes: Names to keep, with `-` before those of which lower is better; every attribute where empty.

    Raises:
        DataError: A source cannot be read or holds no ratings, an attribute is in none, or a side would be empty.
        OverlengthError: A conversation is too long, and `settings.overlength` is `raise`.
        SettingsError: A setting is about pairs.
        ArtefactError: `out` holds something else.
    """
    _require_of_ratings(settings)
    signs = signs_of(attributes)
    manifest = Manifest(
        kind=KIND,
        config={"data": settings.model_dump(mode="json"), "attributes": list(attributes)},
        parents=expected_parents(settings, encoder),
    )
    with writing_artefact(out, manifest) as draft:
        judged = list(track(_judged(settings, signs, manifest.parents), "reading"))
        outcomes = _without_repeats(judged)
        outcomes = _without_overlong(outcomes, judged, encoder=encoder, settings=settings)
        outcomes, heldout = _split(outcomes, settings)
        counts = _write(draft.folder, judged, outcomes, heldout=heldout, signs=signs)
        draft.manifest = manifest.model_copy(update={"counts": counts})
    return read_manifest(out, KIND)


def _judged(settings: DataSettings, signs: Mapping[str, int], revisions: Mapping[str, str]) -> Iterator[Judged]:
    for source in settings.sources:
        rows = iter_rows(source, revision=revisions.get(hub_name(source)))
        for each in read_ratings(rows, source, attributes=signs.keys()):
            yield source.name or source.path, each


def _without_repeats(judged: Sequence[Judged]) -> list[Rating | Rejection]:
    """The same response with the same ratings counts once; other ratings of it are another rater's word."""
    seen: dict[str, str] = {}
    outcomes: list[Rating | Rejection] = []
    for _, (_, outcome) in judged:
        if isinstance(outcome, Rating):
            key = digest_json([outcome.source, outcome.conversation, dict(outcome.ratings)])
            if key in seen:
                outcome = Rejection(Reason.EXACT_DUPLICATE, f"same as {seen[key]}")
            else:
                seen[key] = outcome.id
        outcomes.append(outcome)
    return outcomes


def _without_overlong(
    outcomes: Sequence[Rating | Rejection],
    judged: Sequence[Judged],
    *,
    encoder: ConversationEncoder,
    settings: DataSettings,
) -> list[Rating | Rejection]:
    """Under `truncate` everything stays: the scorer cuts the prompt, from the left, and counts it."""
    if settings.overlength == "truncate":
        return list(outcomes)
    result = list(outcomes)
    rows = [row for row, outcome in enumerate(outcomes) if isinstance(outcome, Rating)]
    for start in track(range(0, len(rows), _ENCODED_AT_ONCE), "tokenising"):
        some = rows[start : start + _ENCODED_AT_ONCE]
        for row, length in zip(some, _lengths([outcomes[row] for row in some], encoder), strict=True):
            if isinstance(length, Rejection):
                result[row] = length
            elif length > settings.max_tokens:
                result[row] = _too_long(judged[row][1].row, length, settings)
    return result


def _lengths(ratings: Sequence[Rating | Rejection], encoder: ConversationEncoder) -> list[int | Rejection]:
    conversations = [each.conversation for each in ratings if isinstance(each, Rating)]
    try:
        return [len(ids) for ids in encoder.encode(conversations)]
    except ModelError as error:
        if len(ratings) == 1:
            return [Rejection(Reason.WRONG_ROLES, f"the model's chat template refuses it: {error.problem}")]
        # Which one was it? One at a time finds out, and keeps the others.
        return [_lengths([each], encoder)[0] for each in ratings]


def _too_long(row: RawRow, length: int, settings: DataSettings) -> Rejection:
    if settings.overlength == "raise":
        raise OverlengthError(
            "a conversation is too long",
            wanted=f"at most {settings.max_tokens} tokens",
            got=f"{length} tokens",
            where=f"{row.file}:{row.line}",
            fix="data.overlength: drop or truncate",
        )
    return Rejection(Reason.TOO_LONG, f"{length} tokens > {settings.max_tokens}")


def _split(
    outcomes: Sequence[Rating | Rejection], settings: DataSettings
) -> tuple[list[Rating | Rejection], Bool[np.ndarray, " response"]]:
    """The side of each response; training prompts that repeat a held-out one are set aside."""
    rows = [row for row, outcome in enumerate(outcomes) if isinstance(outcome, Rating)]
    ratings = [outcome for outcome in outcomes if isinstance(outcome, Rating)]
    hashes = np.array([group_hash(each.group, settings.split_salt) for each in ratings], np.uint64)
    heldout = heldout_mask(hashes, settings.heldout_share)
    result = list(outcomes)
    for number, detail in leaks(ratings, heldout, similarity=settings.near_duplicate_similarity):
        result[rows[number]] = Rejection(Reason.NEAR_HELDOUT, detail)
    kept = np.array([isinstance(result[row], Rating) for row in rows], bool)
    require_both_sides(heldout[kept], hashes[kept], share=settings.heldout_share)
    sides = np.zeros(len(outcomes), bool)
    sides[rows] = heldout
    return result, sides


def _write(
    folder: Path,
    judged: Sequence[Judged],
    outcomes: Sequence[Rating | Rejection],
    *,
    heldout: Bool[np.ndarray, " response"],
    signs: Mapping[str, int],
) -> dict[str, Any]:
    """Write the files and return the manifest's counts."""
    with LeftoverWriter(folder) as leftovers:
        for (_, (row, _)), outcome in zip(judged, outcomes, strict=True):
            if isinstance(outcome, Rejection):
                leftovers.write_row(row, outcome)
    kept = [(each, bool(side)) for each, side in zip(outcomes, heldout, strict=True) if isinstance(each, Rating)]
    train, held = [each for each, side in kept if not side], [each for each, side in kept if side]
    scales = scales_of(train, signs)
    require_attributes(list(signs), scales, where="attributes.names")
    write_ratings(folder, "train", train)
    write_ratings(folder, "heldout", held)
    dumped = {
        source: {name: scale.model_dump() for name, scale in attributes.items()}
        for source, attributes in scales.items()
    }
    return _counts(judged, outcomes) | {
        "kept_train": len(train),
        "kept_heldout": len(held),
        "groups": {"train": len({each.group for each in train}), "heldout": len({each.group for each in held})},
        "attributes": {
            name: {"train": _rated(train, name), "heldout": _rated(held, name)} for name in attributes_in(scales)
        },
        "scales": dumped,
    }


def _counts(judged: Sequence[Judged], outcomes: Sequence[Rating | Rejection]) -> dict[str, Any]:
    sources: dict[str, Counter[str]] = {}
    places: Counter[str] = Counter({"set_aside": 0, "rejected": 0})
    reasons: Counter[str] = Counter()
    for (label, _), outcome in zip(judged, outcomes, strict=True):
        reason = outcome.reason.value if isinstance(outcome, Rejection) else "kept"
        sources.setdefault(label, Counter())[reason] += 1
        if isinstance(outcome, Rejection):
            reasons[reason] += 1
            places[destination(outcome.reason)] += 1
    return {
        "rows": len({(label, each.row.file, each.row.line) for label, each in judged}),
        "read": len(judged),
        **places,
        "reasons": dict(sorted(reasons.items())),
        "sources": {label: {"read": counter.total(), **counter} for label, counter in sources.items()},
    }


def _rated(ratings: Sequence[Rating], name: str) -> int:
    return sum(name in each.ratings for each in ratings)


def _require_of_ratings(settings: DataSettings) -> None:
    """Nothing that would be without effect was asked for.

    Raises:
        SettingsError: Something was.
    """
    default = DataSettings()
    for name in _ABOUT_PAIRS:
        if getattr(settings, name) != getattr(default, name):
            raise _about_pairs(f"data.{name}")
    plain = SourceSettings(path="")
    for number, source in enumerate(settings.sources):
        if source.rating is not None or source.min_rating_gap != plain.min_rating_gap:
            raise _about_pairs(f"data.sources.{number}")


def _about_pairs(where: str) -> SettingsError:
    return SettingsError(
        "this setting is about pairs, and has no effect on ratings",
        where=where,
        fix="leave it out; which attributes are read is said in attributes.names",
    )
