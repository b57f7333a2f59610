"""Sources to a checked, split and tokenised artefact, in memory that hardly grows with the data.

Three passes over files. The first reads and checks the rows and writes them to a draft, keeping some 54 bytes of
digests a row. On those, duplicates, contradictions, the split, leaks and subsamples are decided. The second
tokenises what is left. The third writes each row where it belongs. Then the overlap of the two sides is measured
anew from the files that were written.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int32

from rewardsmith.core.manifest import Manifest
from rewardsmith.core.preference import Preference
from rewardsmith.core.progress import track
from rewardsmith.core.store import read_manifest, writing_artefact
from rewardsmith.preferences import columns, overlap
from rewardsmith.preferences.encoding import Encoded, Item, encode
from rewardsmith.preferences.fates import (
    Fates,
    assign_topics,
    duplicate_fates,
    leak_fates,
    subsample_fates,
)
from rewardsmith.preferences.garbage import rare_collections
from rewardsmith.preferences.keys import KeyColumns, KeyTable, row_key
from rewardsmith.preferences.outcome import Reason, Rejection
from rewardsmith.preferences.overlong import OverlongCount, without_overlong
from rewardsmith.preferences.reading import JudgedRow, Reader
from rewardsmith.preferences.report import CheckReport, Example
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.preferences.split import heldout_mask, require_both_sides
from rewardsmith.preferences.store import (
    DRAFT_SCHEMA,
    KIND,
    ArrowWriter,
    DraftPrompts,
    LeftoverWriter,
    draft_batch,
    load_source_digests,
    open_split,
    read_batches,
    rewrite_split,
    split_path,
)
from rewardsmith.preferences.table import join
from rewardsmith.preferences.tally import SPLITS, Tally
from rewardsmith.preferences.training_side import Augmentation, LengthBalance
from rewardsmith.text.encoder import ConversationEncoder

_BATCH_ROWS = 1024

Rows = Bool[np.ndarray, " row"]


@rare_collections()
def check(settings: DataSettings) -> CheckReport:
    """Read and check all sources, and find duplicates, without a tokenizer, a split or a file.

    Raises:
        DataError: A source cannot be read.
    """
    reader, keys, tally = Reader(settings), KeyColumns(), Tally()
    examples: dict[Reason, Example] = {}
    for judged in track(reader, "checking"):
        if isinstance(judged.outcome, Rejection):
            reason, detail = judged.outcome.reason, judged.outcome.detail
            tally.leave_out(judged.source, reason)
            examples.setdefault(reason, Example(reason=reason, where=judged.place, detail=detail))
        else:
            _append_key(keys, judged, judged.outcome, salt=settings.split_salt)
    table = keys.table()
    fates = Fates(len(table))
    fates.apply(duplicate_fates(table))
    labels = table.origin
    for row, reason, detail in fates.left_out(0, len(table)):
        tally.leave_out(labels[row], reason)
        examples.setdefault(reason, Example(reason=reason, where=table.place(row), detail=detail))
    tally.keep("kept", labels[fates.kept])
    return CheckReport(
        rows=reader.rows,
        read=reader.read.total(),
        kept=int(fates.kept.sum()),
        groups=len(np.unique(table.group[fates.kept])),
        reasons=tally.reasons(),
        sources=tally.by_source(reader.read),
        examples=tuple(examples.values()),
        **reader.repairs(),
    )


def prepare(settings: DataSettings, out: Path, encoder: ConversationEncoder) -> Manifest:
    """Write the preferences artefact of `settings.sources` to the folder `out`, and return its manifest.

    `train.arrow`, `heldout.arrow`: see `columns.SCHEMA`. `rejected.jsonl`, `review.jsonl`, `set_aside.jsonl`: every
    other row, with file, line, reason and detail. The manifest's counts add up:
    read = kept_train + kept_heldout + review + set_aside + rejected. Nothing appears at `out` before all is written.

    Raises:
        DataError: A source cannot be read, or a side of the split would be empty.
        OverlengthError: A conversation is too long, and `settings.overlength` is `raise`.
        ArtefactError: `out` holds something else.
    """
    manifest = Manifest(kind=KIND, config=settings.model_dump(mode="json"), parents=expected_parents(settings, encoder))
    with rare_collections(), writing_artefact(out, manifest) as draft:
        work = draft.folder / "work"
        work.mkdir()
        reader = Reader(settings, revisions=manifest.parents)
        counts = _Preparation(settings, encoder, reader, folder=draft.folder, work=work).run()
        shutil.rmtree(work)
        draft.manifest = manifest.model_copy(update={"counts": counts})
    return read_manifest(out, KIND)


def expected_parents(settings: DataSettings, encoder: ConversationEncoder) -> dict[str, str]:
    """What the artefact is made from: digests of the sources as they are now, of the tokenizer and of the template."""
    tokens = {"tokenizer": encoder.tokenizer_digest, "template": encoder.template_digest}
    return load_source_digests(settings) | tokens


class _Preparation:
    """One run of `prepare`: the passes, and what they share."""

    def __init__(
        self, settings: DataSettings, encoder: ConversationEncoder, reader: Reader, *, folder: Path, work: Path
    ) -> None:
        self._settings = settings
        self._encoder = encoder
        self._folder = folder
        self._draft = work / "draft.arrow"
        self._tokens = work / "tokens.arrow"
        self._reader = reader
        self._tally = Tally()
        self._overlong = OverlongCount()
        self._kept_responses: dict[int, tuple[int, ...]] = {}

    def run(self) -> dict[str, Any]:
        """Write the folder's files and return the manifest's counts."""
        with LeftoverWriter(self._folder) as leftovers:
            keys = self._read(leftovers)
            fates = Fates(len(keys))
            heldout = heldout_mask(keys.group, self._settings.heldout_share)
            cut_tokens = self._decide(keys, fates, heldout)
            require_both_sides(heldout[fates.kept], keys.group[fates.kept], share=self._settings.heldout_share)
            self._write(keys, fates, heldout=heldout, leftovers=leftovers)
        self._tally.require_preferences()
        more = self._augment() | self._balance()
        return self._counts(keys, fates, heldout=heldout, cut_tokens=cut_tokens[fates.kept]) | more

    def _read(self, leftovers: LeftoverWriter) -> KeyTable:
        """First pass: rows to a draft and to keys; what the checks refuse is written at once."""
        keys = KeyColumns()
        with ArrowWriter(self._draft, DRAFT_SCHEMA) as writer:
            for chunk in _chunks(track(self._reader, "reading"), _BATCH_ROWS):
                preferences = []
                for judged in chunk:
                    if isinstance(judged.outcome, Rejection):
                        self._tally.leave_out(judged.source, judged.outcome.reason)
                        leftovers.write_row(judged.row, judged.outcome)
                    else:
                        _append_key(keys, judged, judged.outcome, salt=self._settings.split_salt)
                        preferences.append((judged.row, judged.outcome))
                writer.write(draft_batch(preferences))
        return keys.table()

    def _decide(self, keys: KeyTable, fates: Fates, heldout: Rows) -> Int32[np.ndarray, " row"]:
        """Everything that takes more than one row to say, and the second pass; returns the tokens cut from each row."""
        settings, prompts = self._settings, DraftPrompts(self._draft)
        fates.apply(duplicate_fates(keys))
        similarity = settings.near_duplicate_similarity
        fates.apply(leak_fates(keys, prompts, heldout=heldout, kept=fates.kept, similarity=similarity))
        topics = None
        if settings.topics is not None:
            topics = assign_topics(keys, prompts, kept=fates.kept, topics=settings.topics)
        fates.apply(subsample_fates(keys, settings, kept=fates.kept, topics=topics))
        cut_tokens = self._encode(keys, fates)
        # What was too long may have left the topics or sources uneven again.
        fates.apply(subsample_fates(keys, settings, kept=fates.kept, topics=topics))
        return cut_tokens

    def _encode(self, keys: KeyTable, fates: Fates) -> Int32[np.ndarray, " row"]:
        """Second pass: tokens of the rows that are still kept, in batches that match the draft's."""
        kept, cut_tokens, start = fates.kept, np.zeros(len(keys), np.int32), 0
        with ArrowWriter(self._tokens, columns.TOKEN_SCHEMA) as writer:
            for batch in track(read_batches(self._draft), "tokenising", -(-self._reader.read.total() // _BATCH_ROWS)):
                rows = start + np.flatnonzero(kept[start : start + batch.num_rows])
                items = _items(batch.take(pa.array(rows - start)), [keys.place(row) for row in rows.tolist()])
                tokens: list[Encoded | None] = [None] * batch.num_rows
                for row, result in zip(rows.tolist(), self._encoded(items), strict=True):
                    if isinstance(result, Rejection):
                        fates.apply([(row, result.reason, result.detail)])
                    else:
                        tokens[row - start] = result
                        cut_tokens[row] = result.cut_tokens
                        if result.kept is not None:
                            self._kept_responses[row] = result.kept
                writer.write(columns.token_batch([None if t is None else (t.prefix, t.tails) for t in tokens]))
                start += batch.num_rows
        return cut_tokens

    def _encoded(self, items: list[Item]) -> list[Encoded | Rejection]:
        settings = self._settings
        return encode(items, self._encoder, max_tokens=settings.max_tokens, policy=settings.overlength)

    def _write(self, keys: KeyTable, fates: Fates, *, heldout: Rows, leftovers: LeftoverWriter) -> None:
        """Third pass: every row of the draft to where it belongs."""
        labels, kept, start = keys.origin, fates.kept, 0
        sides = {"train": kept & ~heldout, "heldout": kept & heldout}
        with ExitStack() as stack:
            writers = {
                split: stack.enter_context(ArrowWriter(split_path(self._folder, split), columns.SCHEMA))
                for split in SPLITS
            }
            batches = zip(read_batches(self._draft), read_batches(self._tokens), strict=True)
            for draft, tokens in track(batches, "writing", -(-self._reader.read.total() // _BATCH_ROWS)):
                end = start + draft.num_rows
                whole = join(self._trimmed(draft, start, kept=kept), tokens)
                for split, writer in writers.items():
                    mask = sides[split][start:end]
                    writer.write(part := whole.filter(pa.array(mask)))
                    self._tally.keep(f"kept_{split}", labels[start:end][mask])
                    self._tally.describe(split, part)
                for row, reason, detail in fates.left_out(start, end):
                    self._tally.leave_out(labels[row], reason)
                    leftovers.write_draft(draft, row - start, Rejection(reason, detail))
                start = end

    def _augment(self) -> dict[str, Any]:
        """Put the pairs that the settings ask to be made behind the training rows; their counts, where any were."""
        if not self._settings.augment_other_answers and not self._settings.augment_cut_answers:
            return {}
        augmentation = Augmentation(self._settings, self._encoder)
        made = augmentation.batches(open_split(self._folder, "train"))
        self._rewrite_train(chain(read_batches(split_path(self._folder, "train")), map(self._described, made)))
        return {"made_pairs": dict(augmentation.counts)}

    def _described(self, made: pa.RecordBatch) -> pa.RecordBatch:
        self._tally.describe("train", made)
        return made

    def _balance(self) -> dict[str, Any]:
        """Weigh the training pairs by length, where the settings ask for it; the counts of that."""
        if not self._settings.balance_length:
            return {}
        path = split_path(self._folder, "train")
        balance = LengthBalance(read_batches(path))
        self._rewrite_train(balance.balanced(read_batches(path)))
        return {"length_balance": balance.counts()}

    def _rewrite_train(self, batches: Iterable[pa.RecordBatch]) -> None:
        rewrite_split(self._folder, "train", batches, aside=self._draft.with_name("replaced.arrow"))

    def _trimmed(self, draft: pa.RecordBatch, start: int, *, kept: Rows) -> pa.RecordBatch:
        """The draft's rows from number `start` on, each with the responses that it has tokens for."""
        shortened = {
            row: self._kept_responses[start + row]
            for row in range(draft.num_rows)
            if start + row in self._kept_responses and kept[start + row]
        }
        trimmed = without_overlong(draft, shortened)
        self._overlong.add(draft, trimmed, list(shortened))
        return trimmed

    def _counts(
        self, keys: KeyTable, fates: Fates, *, heldout: Rows, cut_tokens: Int32[np.ndarray, " kept"]
    ) -> dict[str, Any]:
        reader, similarity = self._reader, self._settings.near_duplicate_similarity
        measured = overlap.measure(
            open_split(self._folder, "train"), open_split(self._folder, "heldout"), similarity=similarity
        )
        overlap.require_none(measured)
        groups = {
            split: len(np.unique(keys.group[fates.kept & side]))
            for split, side in (("train", ~heldout), ("heldout", heldout))
        }
        return {
            "rows": reader.rows,
            **self._tally.counts(reader.read),
            "groups": groups,
            "overlap": measured.model_dump(),
            "truncated": {"preferences": int((cut_tokens > 0).sum()), "tokens": int(cut_tokens.sum())},
            "overlong_responses": self._overlong.to_json(),
            **reader.repairs(),
        }


def _append_key(keys: KeyColumns, judged: JudgedRow, preference: Preference, *, salt: str) -> None:
    key, row = row_key(preference, salt), judged.row
    keys.append(key, source=preference.source, origin=judged.source, file=row.file, line=row.line)


def _items(batch: pa.RecordBatch, places: Sequence[str]) -> list[Item]:
    names = ("prompt", "responses", "pairs")
    rows = zip(*(batch.column(name).to_pylist() for name in names), places, strict=True)
    return [
        Item(
            columns.conversation_from_json(prompt),
            tuple(map(columns.conversation_from_json, responses)),
            columns.pairs_from_rows(pairs),
            place,
        )
        for prompt, responses, pairs, place in rows
    ]


def _chunks(rows: Iterable[JudgedRow], size: int) -> Iterator[list[JudgedRow]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk
