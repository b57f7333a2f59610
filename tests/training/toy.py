"""A preference set that two layers learn in seconds: one word decides which response is better."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    TrainerCallback,
)

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.losses.settings import LossSettings
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.preferences.prepare import prepare
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.table import PreferenceTable, from_preferences
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.build import build_trainer
from rewardsmith.training.dataset import PreferenceDataset
from rewardsmith.training.precision import resolve_precision
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.settings import TrainingSettings

VOCABULARY = 64
PAD_ID = 0
_WORDS = ("sun", "rain", "tree", "road", "milk", "stone", "blue", "seven", "door", "song")


class WordEncoder:
    """Each word is one token; ids from 1 to 62, and 63 at the end."""

    bos_id = None
    template_digest = "words"
    tokenizer_digest = "words"

    def encode(self, conversations: Sequence[Conversation]) -> list[np.ndarray]:
        """Token ids of each conversation."""
        texts = [" ".join(content for _, content in conversation) for conversation in conversations]
        return [np.array([*map(_word_id, text.split()), VOCABULARY - 1], np.int32) for text in texts]


def toy_preferences(n: int, *, seed: int = 0, responses: int = 2, pairs: Sequence[Pair] | None = None):
    """`n` preferences: response k of a prompt says "good" once for each place it is ahead of the last, else "bad"."""
    rng = np.random.default_rng(seed)
    result = []
    for number in range(n):
        prompt = (user(_words(rng, 2, 6)),)
        texts = [" ".join([_words(rng, 1, 5), *["good"] * (responses - 1 - k), *["bad"] * k]) for k in range(responses)]
        every = tuple(Pair(i, j) for i in range(responses) for j in range(i + 1, responses))
        result.append(
            Preference(
                prompt=prompt,
                responses=tuple((assistant(text),) for text in texts),
                pairs=every if pairs is None else tuple(pairs),
                id=f"toy-{number}",
                group=f"group-{number}",
                source="toy",
            )
        )
    return result


def encode_words(preferences: Sequence[Preference]) -> PreferenceTable:
    """The table of `preferences`, encoded by words."""
    encoder: Any = WordEncoder()
    return from_preferences(preferences, encoder)


def toy_table(n: int, **options: Any) -> PreferenceTable:
    """The encoded table of `toy_preferences`."""
    return encode_words(toy_preferences(n, **options))


def mixed_table() -> PreferenceTable:
    """Eight prompts with 1, 3 or 6 pairs, one of them soft and weighted, of different lengths."""
    rows = [
        *toy_preferences(3, seed=1),
        *toy_preferences(2, seed=2, responses=3),
        *toy_preferences(2, seed=3, responses=4),
        *toy_preferences(1, seed=4, pairs=(Pair(0, 1, prob_chosen=0.7, weight=2.0),)),
    ]
    return encode_words(rows)


def _words(rng: np.random.Generator, least: int, most: int) -> str:
    return " ".join(rng.choice(_WORDS, size=rng.integers(least, most + 1)))


def _word_id(word: str) -> int:
    return 1 + zlib.crc32(word.encode()) % (VOCABULARY - 2)


def tiny_model(seed: int = 0) -> Any:
    """A two-layer decoder with a reward head; 64 words."""
    torch.manual_seed(seed)
    known: Any = LlamaConfig
    config = known(
        vocab_size=VOCABULARY,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=3,
        num_key_value_heads=1,
        num_labels=1,
        pad_token_id=PAD_ID,
    )
    return RewardModel(LlamaForSequenceClassification(config))


def toy_trainer(
    work: Path,
    train: PreferenceTable,
    *,
    heldout: PreferenceTable | None = None,
    model: RewardModel | None = None,
    loss: LossSettings | None = None,
    processes: int = 1,
    **training: Any,
) -> Any:
    """A float32 trainer of the tiny model; `training` are settings."""
    settings = TrainingSettings.model_validate({"precision": "float32", "learning_rate": 1e-2} | training)
    return build_trainer(
        Recipe(loss=loss or LossSettings(), training=settings),
        model or tiny_model(),
        pad_id=PAD_ID,
        train=PreferenceDataset(train),
        heldout=PreferenceDataset(heldout or toy_table(11, seed=9)),
        work=work,
        precision=resolve_precision(settings.precision),
        processes=processes,
    )


class FirstGradient(TrainerCallback):
    """Keeps the gradient of the first optimiser step, then stops the training."""

    def __init__(self) -> None:
        self.gradient: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):  # noqa: ARG002
        """Copy the gradients before they move anything."""
        inner: Any = getattr(model, "module", model)
        self.gradient = {n: p.grad.clone() for n, p in inner.named_parameters() if p.grad is not None}
        control.should_training_stop = True


def first_gradient(trainer: Any) -> dict[str, torch.Tensor]:
    """The gradient of the first optimiser step, before clipping."""
    trainer.args.max_grad_norm = 0.0
    callback = FirstGradient()
    trainer.add_callback(callback)
    trainer.train()
    return callback.gradient


class Interrupted(Exception):
    """Stands for a crash."""


class CrashAt(TrainerCallback):
    """Raises when this optimiser step has ended."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):  # noqa: ARG002
        """Crash."""
        if state.global_step == self.step:
            raise Interrupted


def write_base(folder: Path, *, extra: str = "", positions: int = 512) -> Path:
    """A base model on disk: two layers without a head, and a tokenizer of bytes."""
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = ["<pad>", "<s>", "</s>", *([extra] if extra else [])]
    vocabulary = {symbol: number for number, symbol in enumerate([*specials, *symbols])}
    rust = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    rust.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=rust, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=3,
        num_key_value_heads=1,
        max_position_embeddings=positions,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def write_data(folder: Path, base: Path, *, n: int = 40) -> Path:
    """A preferences artefact of toy preferences, encoded for `base`."""
    rows = [
        {"prompt": p.prompt[0].content, "chosen": p.responses[0][0].content, "rejected": p.responses[1][0].content}
        for p in toy_preferences(n)
    ]
    file = folder.with_suffix(".jsonl")
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = DataSettings(
        sources=(SourceSettings(path=str(file)),), heldout_share=0.2, near_duplicate_similarity=None
    )
    prepare(settings, folder, ConversationEncoder(load_tokenizer(base)))
    return folder


def without_times(line: dict) -> dict:
    """A line of the log without what depends on the clock."""
    return {key: value for key, value in line.items() if "_per_s" not in key and "seconds" not in key}
