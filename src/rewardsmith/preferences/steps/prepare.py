"""Sources of step rows to a checked and split artefact. The traces are held in memory, some 2 KB each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt64

from rewardsmith.core.digest import digest_text
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import read_manifest, writing_artefact
from rewardsmith.preferences import subsampling
from rewardsmith.preferences.keys import group_hash
from rewardsmith.preferences.load import hub_name, iter_rows
from rewardsmith.preferences.near_duplicates import build_index, search
from rewardsmith.preferences.outcome import RawRow, Reason, Rejection
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.preferences.shingles import normalise, prompt_text
from rewardsmith.preferences.split import heldout_mask, require_both_sides
from rewardsmith.preferences.steps.encoding import encode_traces
from rewardsmith.preferences.steps.layouts import read_steps
from rewardsmith.preferences.steps.store import KIND, write_traces
from rewardsmith.preferences.steps.trace import BAD, GOOD, NEUTRAL, StepTrace
from rewardsmith.preferences.store import LeftoverWriter, Split, load_source_digests, split_path
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.steps import SEPARATOR, StepEncoder

_MEANT = frozenset(
    {
        "sources",
        "max_tokens",
        "overlength",
        "heldout_share",
        "split_salt",
        "near_duplicate_similarity",
        "balance_sources",
        "limit",
    }
)
"""The settings that mean something for step traces; the others speak of pairs, of votes, or of whole responses."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A trace, where it was read, and the name of its source in the counts."""

    trace: StepTrace
    row: RawRow
    origin: str

    @property
    def place(self) -> str:
        return f"{self.row.file}:{self.row.line}"


Fate = tuple[int, Rejection]


def prepare_steps(
    settings: DataSettings, out: Path, encoder: ConversationEncoder | None = None, *, separator: str = SEPARATOR
) -> Manifest:
    """Write the steps artefact of `settings.sources` to the folder `out`, and return its manifest.

    `train.arrow`, `heldout.arrow`: see `store.SCHEMA`. `rejected.jsonl`, `review.jsonl`, `set_aside.jsonl`: every
    other row or trace, with file, line, reason and detail. A row of PRM800K can hold several traces; the counts say
    rows = rejected rows + rows with traces, and traces = kept + left out. The texts are kept, not their tokens, so
    that one artefact serves any model.

    Args:
        encoder: With it the traces that are over `max_tokens` are found here; without it, when a model is trained.
        separator: Counts into the length.

    Raises:
        DataError: A source cannot be read, or a side of the split would be empty.
        SettingsError: A setting is changed that means nothing for step traces.
        OverlengthError: A trace is too long, and `settings.overlength` is `raise`.
        ArtefactError: `out` holds something else.
    """
    _require_meaning(settings)
    manifest = Manifest(kind=KIND, config=settings.model_dump(mode="json"), parents=expected_parents(settings, encoder))
    with writing_artefact(out, manifest) as draft, LeftoverWriter(draft.folder) as leftovers:
        steps = None if encoder is None else StepEncoder(encoder, separator=separator)
        counts = _prepare(settings, draft.folder, leftovers, encoder=steps, revisions=manifest.parents)
        draft.manifest = manifest.model_copy(update={"counts": counts})
    return read_manifest(out, KIND)


def expected_parents(settings: DataSettings, encoder: ConversationEncoder | None = None) -> dict[str, str]:
    """What the artefact is made from: the sources as they are now, and the tokenizer where lengths are looked at."""
    if encoder is None:
        return load_source_digests(settings)
    tokens = {"tokenizer": encoder.tokenizer_digest, "template": encoder.template_digest}
    return load_source_digests(settings) | tokens


def _prepare(
    settings: DataSettings,
    folder: Path,
    leftovers: LeftoverWriter,
    *,
    encoder: StepEncoder | None,
    revisions: dict[str, str],
) -> dict[str, Any]:
    found, read, rejected = _read(settings, leftovers, revisions=revisions)
    groups = np.array([group_hash(each.trace.group, settings.split_salt) for each in found], np.uint64)
    heldout = heldout_mask(groups, settings.heldout_share)
    fates = _decide(found, settings, heldout=heldout, encoder=encoder)
    kept = np.array([number not in fates for number in range(len(found))], bool)
    require_both_sides(heldout[kept], groups[kept], share=settings.heldout_share)
    for number, rejection in sorted(fates.items()):
        leftovers.write_row(found[number].row, rejection)
    sides: dict[Split, Bool[np.ndarray, " trace"]] = {"train": kept & ~heldout, "heldout": kept & heldout}
    for split, mask in sides.items():
        some = [found[number] for number in np.flatnonzero(mask)]
        places = [(each.row.file, each.row.line) for each in some]
        write_traces(split_path(folder, split), [each.trace for each in some], places)
    return {
        "rows": read.total(),
        "rejected_rows": rejected.total(),
        "traces": len(found),
        "kept_train": int(sides["train"].sum()),
        "kept_heldout": int(sides["heldout"].sum()),
        "reasons": _by_reason([*rejected.elements(), *(each.reason for each in fates.values())]),
        "groups": {split: len(np.unique(groups[mask])) for split, mask in sides.items()},
        "sources": _by_source(found, read, kept=kept),
        **{split: _content([found[number].trace for number in np.flatnonzero(mask)]) for split, mask in sides.items()},
    }


def _read(
    settings: DataSettings, leftovers: LeftoverWriter, *, revisions: dict[str, str]
) -> tuple[list[_Found], Counter[str], Counter[Reason]]:
    """All traces, the rows of each source, and the rows that hold none by reason, which are written at once."""
    found: list[_Found] = []
    read: Counter[str] = Counter()
    rejected: Counter[Reason] = Counter()
    for source in settings.sources:
        label = source.name or source.path
        for item in read_steps(iter_rows(source, revision=revisions.get(hub_name(source))), source):
            read[label] += 1
            if isinstance(item.outcome, Rejection):
                rejected[item.outcome.reason] += 1
                leftovers.write_row(item.row, item.outcome)
            else:
                found += [_Found(trace, item.row, label) for trace in item.outcome]
    return found, read, rejected


def _decide(
    found: Sequence[_Found],
    settings: DataSettings,
    *,
    heldout: Bool[np.ndarray, " trace"],
    encoder: StepEncoder | None,
) -> dict[int, Rejection]:
    """The traces that are not used, each with its first reason."""
    fates: dict[int, Rejection] = {}

    def apply(some: Iterable[Fate]) -> None:
        for number, rejection in list(some):
            fates.setdefault(number, rejection)

    def kept() -> Bool[np.ndarray, " trace"]:
        return np.array([number not in fates for number in range(len(found))], bool)

    apply(_repeats(found))
    if encoder is not None:
        apply(_overlong(found, settings, kept(), encoder))
    apply(_leaks(found, kept(), heldout=heldout, similarity=settings.near_duplicate_similarity))
    apply(_subsampled(found, settings, kept()))
    return fates


def _repeats(found: Sequence[_Found]) -> Iterator[Fate]:
    """Later traces with the steps of an earlier one; where their labels differ, neither is used."""
    first: dict[str, int] = {}
    for number, each in enumerate(found):
        earlier = first.setdefault(_content_digest(each.trace), number)
        if earlier == number:
            continue
        if _judgement(found[earlier].trace) == _judgement(each.trace):
            yield number, Rejection(Reason.EXACT_DUPLICATE, f"same as {found[earlier].place}")
        else:
            yield number, Rejection(Reason.CONTRADICTION, f"other labels at {found[earlier].place}")
            yield earlier, Rejection(Reason.CONTRADICTION, f"other labels at {each.place}")


def _overlong(
    found: Sequence[_Found], settings: DataSettings, kept: Bool[np.ndarray, " trace"], encoder: StepEncoder
) -> Iterator[Fate]:
    numbers = np.flatnonzero(kept).tolist()
    traces = [found[number].trace for number in numbers]
    encoded = encode_traces(traces, encoder, max_tokens=settings.max_tokens, policy=settings.overlength)
    for number, tokens in zip(numbers, encoded, strict=True):
        if tokens is None:
            yield number, Rejection(Reason.TOO_LONG, f"more than {settings.max_tokens} tokens")


def _leaks(
    found: Sequence[_Found],
    kept: Bool[np.ndarray, " trace"],
    *,
    heldout: Bool[np.ndarray, " trace"],
    similarity: float | None,
) -> Iterator[Fate]:
    """Training traces whose problem repeats (or, with a `similarity`, nearly repeats) a held-out one."""
    texts = [prompt_text(each.trace.prompt) for each in found]
    judged = np.flatnonzero(kept & heldout).tolist()
    same = {normalise(texts[number]): number for number in reversed(judged)}
    rest = []
    for number in np.flatnonzero(kept & ~heldout).tolist():
        other = same.get(normalise(texts[number]))
        if other is None:
            rest.append(number)
        else:
            yield number, Rejection(Reason.NEAR_HELDOUT, f"same problem as held-out {found[other].place}")
    if similarity is None or not rest:
        return
    distinct = list(same.values())
    index = build_index(lambda: iter([[texts[number] for number in distinct]]), similarity)
    near = search(index, [[texts[number] for number in rest]], indexed_text=lambda place: texts[distinct[place]])
    for place, other, value in near:
        detail = f"similarity {value:.2f} to held-out {found[distinct[other]].place}"
        yield rest[place], Rejection(Reason.NEAR_HELDOUT, detail)


def _subsampled(found: Sequence[_Found], settings: DataSettings, kept: Bool[np.ndarray, " trace"]) -> Iterator[Fate]:
    lottery: UInt64[np.ndarray, " trace"] = np.array(
        [int(_content_digest(each.trace)[:16], 16) for each in found], np.uint64
    )
    present = kept
    if settings.balance_sources:
        _, codes = np.unique([each.trace.source for each in found], return_inverse=True)
        remaining = subsampling.even_out(codes, lottery, present)
        yield from _gone(present & ~remaining, "sources made equal")
        present = remaining
    if settings.limit is not None:
        remaining = subsampling.at_most(settings.limit, lottery, present)
        yield from _gone(present & ~remaining, f"limit of {settings.limit}")


def _gone(mask: Bool[np.ndarray, " trace"], detail: str) -> Iterator[Fate]:
    for number in np.flatnonzero(mask).tolist():
        yield number, Rejection(Reason.SUBSAMPLED, detail)


def _content_digest(trace: StepTrace) -> str:
    return digest_text(json.dumps([trace.prompt, trace.steps], ensure_ascii=False))


def _judgement(trace: StepTrace) -> tuple[tuple[int | None, ...], bool | None]:
    return trace.labels, trace.final_correct


def _by_reason(reasons: Iterable[Reason]) -> dict[str, int]:
    counted = Counter(reasons)
    return {reason.value: counted[reason] for reason in Reason if counted[reason]}


def _by_source(
    found: Sequence[_Found], read: Counter[str], *, kept: Bool[np.ndarray, " trace"]
) -> dict[str, dict[str, int]]:
    used = Counter(found[number].origin for number in np.flatnonzero(kept).tolist())
    traces = Counter(each.origin for each in found)
    return {name: {"rows": rows, "traces": traces[name], "kept": used[name]} for name, rows in read.items()}


def _content(traces: Sequence[StepTrace]) -> dict[str, int]:
    """What one side holds: steps by label, and final answers."""
    labels = Counter(label for trace in traces for label in trace.labels)
    final = Counter(trace.final_correct for trace in traces)
    return {
        "traces": len(traces),
        "steps": labels.total(),
        "good": labels[GOOD],
        "neutral": labels[NEUTRAL],
        "bad": labels[BAD],
        "unlabelled": labels[None],
        "final_right": final[True],
        "final_wrong": final[False],
    }


def _require_meaning(settings: DataSettings) -> None:
    defaults = DataSettings()
    for name in sorted(set(DataSettings.model_fields) - _MEANT):
        if getattr(settings, name) != getattr(defaults, name):
            raise SettingsError(
                "this setting means nothing for step traces",
                wanted=f"{getattr(defaults, name)}",
                got=getattr(settings, name),
                where=f"data.{name}",
                fix="leave it out",
            )
