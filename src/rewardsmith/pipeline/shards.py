"""Shards: a long list of rows in pieces, each with its results and a receipt that says whether they still hold.

A piece has three files in the work folder, and none is ever half there:

- `NNNNNN.asked.jsonl`: what its rows ask for.
- `NNNNNN.scores.jsonl`: one line a row, in order.
- `NNNNNN.done.json`: the receipt, written last. Results without one are computed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import ValidationError

from rewardsmith.core.conversation import Message
from rewardsmith.core.digest import digest_json, load_file_digest
from rewardsmith.core.errors import ArtefactError, DataError
from rewardsmith.core.scores import Scorer, Truncating
from rewardsmith.core.settings import Settings
from rewardsmith.core.store import write_json, writing_file
from rewardsmith.pipeline.score import Asked, lines_of
from rewardsmith.scoring.limits import Overlength

_READ_BYTES = 1 << 20


class Receipt(Settings):
    """What a shard's results were computed from, and what they are."""

    asked: str
    """Digest of what the rows ask for."""

    scorer: str
    """Digest of the weights, the template and the rule for long conversations."""

    scores: str
    """Digest of the results."""

    rows: int
    """Rows, and so lines of results."""

    truncated: int
    """Conversations that were cut to fit."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A piece of the rows.

    Attributes:
        work: The folder of all shards.
        number: Place in the order, from 0.
    """

    work: Path
    number: int

    @property
    def asked(self) -> Path:
        """What its rows ask for."""
        return self.work / f"{self.number:06d}.asked.jsonl"

    @property
    def scores(self) -> Path:
        """Its results."""
        return self.work / f"{self.number:06d}.scores.jsonl"

    @property
    def done(self) -> Path:
        """Its receipt."""
        return self.work / f"{self.number:06d}.done.json"


def write_shards(work: Path, rows: Iterable[Asked], *, max_rows: int, keeps_prompts: bool) -> list[Shard]:
    """Cut `rows` into shards of `max_rows`, and write what they ask for. The same rows give the same shards.

    Args:
        keeps_prompts: Rows that follow each other and share a prompt stay in one shard, however large it gets: a judge
            compares their answers.

    Raises:
        DataError: A row cannot be read, or its `id` cannot be written as JSON.
        FullDiskError: There is no room for them.
    """
    shards: list[Shard] = []
    for piece in _pieces(rows, max_rows=max_rows, keeps_prompts=keeps_prompts):
        shard = Shard(work, len(shards))
        with writing_file(shard.asked) as stream:
            stream.writelines(_packed(row) for row in piece)
        shards.append(shard)
    return shards


def score_shard(scorer: Scorer, shard: Shard, *, overlength: Overlength) -> bool:
    """Score the rows of `shard`, unless that was done; whether it was.

    Raises:
        OverlengthError: A conversation is too long for the scorer; file and line of its row are named.
        FullDiskError: There is no room for the results.
    """
    asked, identity = load_file_digest(shard.asked), _identity(scorer, overlength)
    known = read_receipt(shard)
    if known is not None and (known.asked, known.scorer) == (asked, identity) and _is_whole(shard, known):
        return True
    shard.done.unlink(missing_ok=True)
    before = _n_truncated(scorer)
    state, n_rows = hashlib.sha256(), 0
    with writing_file(shard.scores) as stream:
        for line in lines_of(scorer, _read_asked(shard)):
            stream.write(line)
            state.update(line)
            n_rows += 1
    receipt = Receipt(
        asked=asked,
        scorer=identity,
        scores=state.hexdigest(),
        rows=n_rows,
        truncated=_n_truncated(scorer) - before,
    )
    write_json(shard.done, receipt.model_dump())
    return False


def read_receipt(shard: Shard) -> Receipt | None:
    """The receipt of `shard`; `None` where there is none that can be read."""
    try:
        return Receipt.model_validate(json.loads(shard.done.read_text("utf-8")))
    except (OSError, ValueError, ValidationError):
        return None


def join_shards(shards: Sequence[Shard], out: Path) -> list[Receipt]:
    """Write the results of all shards to `out`, in order; it appears once it is whole. Their receipts.

    Raises:
        ArtefactError: A shard is not done, its results have changed since, or another model made them than the first
            one's.
        FullDiskError: There is no room for it.
    """
    receipts: list[Receipt] = []
    with writing_file(out) as sink:
        for shard in shards:
            receipt = read_receipt(shard)
            if receipt is None:
                raise ArtefactError("a shard is not done", where=str(shard.done), fix="give the same command again")
            state = hashlib.sha256()
            for part in _parts(shard.scores):
                state.update(part)
                sink.write(part)
            if state.hexdigest() != receipt.scores:
                raise ArtefactError("results have changed", where=str(shard.scores), fix="give the same command again")
            receipts.append(receipt)
        if len({receipt.scorer for receipt in receipts}) > 1:
            raise ArtefactError(
                "the model changed while it was scoring",
                wanted="one model for all rows",
                where=str(out),
                fix="give the same command again; what the other model scored is scored anew",
            )
    return receipts


def _pieces(rows: Iterable[Asked], *, max_rows: int, keeps_prompts: bool) -> Iterator[list[Asked]]:
    piece: list[Asked] = []
    for row in rows:
        if len(piece) >= max_rows and not (keeps_prompts and _prompt(piece[-1], -1) == _prompt(row, 0)):
            yield piece
            piece = []
        piece.append(row)
    if piece:
        yield piece


def _prompt(row: Asked, place: int) -> tuple[Message, ...]:
    return list(row.conversations.values())[place][:-1]


def _packed(row: Asked) -> bytes:
    conversations = {name: [tuple(turn) for turn in turns] for name, turns in row.conversations.items()}
    try:
        return orjson.dumps({"id": row.id, "where": row.where, "conversations": conversations}) + b"\n"
    except TypeError as error:
        raise DataError("the row cannot be written as JSON", got=error, where=row.where) from error


def _read_asked(shard: Shard) -> Iterator[Asked]:
    with shard.asked.open("rb") as stream:
        for line in stream:
            values = orjson.loads(line)
            conversations = {
                name: tuple(Message(role, content) for role, content in turns)
                for name, turns in values["conversations"].items()
            }
            yield Asked(values["id"], values["where"], conversations)


def _identity(scorer: Scorer, overlength: Overlength) -> str:
    provenance = scorer.score([]).provenance
    return digest_json([provenance.model_digest, provenance.template_digest, overlength])


def _n_truncated(scorer: Scorer) -> int:
    return scorer.n_truncated if isinstance(scorer, Truncating) else 0


def _is_whole(shard: Shard, receipt: Receipt) -> bool:
    return shard.scores.is_file() and load_file_digest(shard.scores) == receipt.scores


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while part := stream.read(_READ_BYTES):
            yield part
