"""A reward model that runs from one exported file: TorchScript, ONNX, or ONNX with int8 weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from rewardsmith.batching import buckets
from rewardsmith.batching.collate import pad
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_json, load_file_digest
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.progress import TokenBar
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.core.settings import Settings
from rewardsmith.models.export.format import Format
from rewardsmith.models.export.load import Runnable, load_graph
from rewardsmith.scoring.cache import RewardCache
from rewardsmith.scoring.families.spec import SPEC_NAME
from rewardsmith.scoring.limits import Ids, Overlength, require_known, within
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer

FAMILY = "exported"
KIND = "exported-model"
"""Kind of the artefact."""

_TOKEN_BUDGET = 2048
"""Padded tokens of a pass: what the caches of a processor hold; as in `scoring.values`."""


class ExportedSpec(Settings):
    """What `scorer.json` of an exported model says beside its family."""

    format: Format
    """What kind of file it is."""

    file: str
    """Its name in the folder; weights that do not fit into it lie beside it, as the file itself says."""

    source: str
    """Digest of the weights that it was made from."""

    template_digest: str
    """Digest of the chat template."""

    vocabulary: int = Field(ge=1)
    """Token ids that the model knows."""

    max_tokens: int | None = None
    """Longest conversation, unless another limit is asked for."""

    capacity: int | None = None
    """Tokens that the model has positions for."""


class ExportedScorer:
    """Scores with an exported file, in padded batches of similar length under a token budget.

    Each distinct text is computed once and remembered, as by `FastScorer`. There are no features to read, and no
    prompt is shared: the file takes whole sequences.

    Args:
        graph: The file, loaded.
        encoder: Its `max_tokens` is the limit.
        digest: Of the file and of the weights that it was made from.
        vocabulary: Token ids that the file knows.
        token_budget: Most tokens in one pass, padding included; a longer conversation goes by itself.
        overlength: What happens to longer conversations; `truncate` counts them in `n_truncated`.
        cache: Folder that keeps rewards for later processes.

    Raises:
        SettingsError: The budget is below one, or the cache folder cannot be used.
    """

    def __init__(
        self,
        graph: Runnable,
        encoder: ConversationEncoder,
        *,
        digest: str,
        vocabulary: int,
        token_budget: int | None = None,
        overlength: Overlength = "raise",
        cache: str | Path | None = None,
    ) -> None:
        self.encoder = encoder
        self.overlength: Overlength = overlength
        self.n_truncated = 0
        self.provenance = Provenance(digest, encoder.template_digest)
        self.token_budget = _TOKEN_BUDGET if token_budget is None else token_budget
        if self.token_budget < 1:
            raise SettingsError("token_budget is below one", wanted="at least 1", got=token_budget)
        self._graph = graph
        self._vocabulary = vocabulary
        folder = None if cache is None else Path(cache)
        self._cache: RewardCache[float] = RewardCache(digest_json([FAMILY, digest]), folder=folder)

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """One reward a conversation, in order.

        Raises:
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        return self._scores(self.encoder.encode(conversations))

    def score_ids(self, sequences: Sequence[Ids]) -> Scores:
        """One reward a sequence of token ids, in order; see `TokenScorer`.

        Raises:
            DataError: A sequence is empty, or holds an id that the model has no embedding for.
            OverlengthError: A sequence is too long, and truncation was not asked for.
        """
        require_known(sequences, vocabulary=self._vocabulary)
        return self._scores(sequences)

    def _scores(self, sequences: Sequence[Ids]) -> Scores:
        kept, n_cut = within(
            sequences,
            max_tokens=self.encoder.max_tokens,
            overlength=self.overlength,
            bos_id=self.encoder.bos_id,
        )
        self.n_truncated += n_cut
        keys = [self._cache.key(ids) for ids in kept]
        known = self._cache.find(keys)
        values = known | self._computed({key: ids for key, ids in zip(keys, kept, strict=True) if key not in known})
        return Scores(np.array([values[key] for key in keys], dtype=np.float32), self.provenance)

    def _computed(self, missing: Mapping[bytes, Ids]) -> dict[bytes, float]:
        """The reward of each, put into the cache pass by pass, so that a killed run loses one."""
        keys, sequences = list(missing), list(missing.values())
        found: dict[bytes, float] = {}
        with TokenBar("scoring", total=len(keys)) as bar:
            for batch in buckets.plan([len(ids) for ids in sequences], max_tokens=self.token_budget):
                padded = pad([sequences[index] for index in batch], pad_id=self.encoder.pad_id)
                rewards = self._graph.rewards(padded.input_ids, padded.attention_mask).tolist()
                some = dict(zip([keys[index] for index in batch], rewards, strict=True))
                self._cache.add(some)
                found |= some
                bar.advance(len(batch), tokens=padded.input_ids.size)
        return found


def load(folder: Path, spec: Mapping[str, Any], options: ScoringOptions) -> ExportedScorer:
    """The scorer of a folder that `rewardsmith export` wrote.

    With `engine: reference` one conversation goes at a time.

    Raises:
        ModelError: `scorer.json` or the file is not that of an exported model, or the tokenizer is another one.
        MissingDependencyError: It is ONNX, and onnxruntime is not installed.
        SettingsError: `max_tokens` is more than the model has positions for, or an option asks for what a file cannot
            do: another precision or another device than it was made for.
    """
    said = _read(folder, spec)
    _check(said, options)
    encoder = ConversationEncoder(load_tokenizer(folder, keep_template=True), max_tokens=_limit(said, options))
    if encoder.template_digest != said.template_digest:
        raise ModelError(
            "the chat template differs from the one of the exported model",
            wanted=f"template digest {said.template_digest[:12]}",
            got=encoder.template_digest[:12],
            where=str(folder),
            fix="restore the tokenizer files that were exported with the model",
        )
    return ExportedScorer(
        load_graph(folder / said.file, said.format),
        encoder,
        digest=load_digest(folder, said),
        vocabulary=said.vocabulary,
        token_budget=1 if options.engine == "reference" else options.token_budget,
        overlength=options.overlength,
        cache=options.cache,
    )


def load_digest(folder: Path, spec: ExportedSpec) -> str:
    """Digest of an exported model: of its files, and of the weights that they were made from.

    It is another one than the source's: a verdict about the one, and rewards of the one that are remembered, are not
    about the other.
    """
    files = {path.name: load_file_digest(path) for path in sorted(folder.glob(f"{spec.file}*"))}
    return digest_json({"family": FAMILY, "format": spec.format, "source": spec.source, "files": files})


def _read(folder: Path, spec: Mapping[str, Any]) -> ExportedSpec:
    where = str(folder / SPEC_NAME)
    try:
        said = ExportedSpec.model_validate({key: value for key, value in spec.items() if key != "family"})
    except ValidationError as error:
        raise ModelError("not an exported model", got=error.errors()[0], where=where, fix="export it again") from error
    if Path(said.file).name != said.file:
        raise ModelError("the exported file lies elsewhere", wanted="a name in the folder", got=said.file, where=where)
    return said


def _check(said: ExportedSpec, options: ScoringOptions) -> None:
    """Raises what `load` raises for options."""
    if options.device not in (None, "cpu"):
        raise SettingsError("exported models run on the CPU", wanted="cpu", got=options.device, where="device")
    if options.precision == "bf16":
        raise SettingsError(
            "an exported model has the precision that it was exported in",
            wanted="precision: float32 or auto",
            got="bf16",
            where=f"a model exported as {said.format}",
        )
    if options.max_tokens is not None and said.capacity is not None and options.max_tokens > said.capacity:
        raise SettingsError(
            "max_tokens is more than the model takes",
            wanted=f"at most {said.capacity}",
            got=options.max_tokens,
            where="max_tokens",
        )


def _limit(said: ExportedSpec, options: ScoringOptions) -> int | None:
    known = [limit for limit in (said.max_tokens, said.capacity) if limit is not None]
    return options.max_tokens or min(known, default=None)
