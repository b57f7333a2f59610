"""Tokenizers from disk or a hub, made ready for reward models: a pad token, a chat template."""

from __future__ import annotations

import copy
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from rewardsmith.core.errors import ModelError
from rewardsmith.text.template import chosen_template

_PAD_NAMES = ("<pad>", "[PAD]", "<|pad|>", "<|padding|>", "<|finetune_right_pad_id|>", "<|endoftext|>", "<unk>")


def load_tokenizer(
    path: str | Path, *, gguf_file: str | None = None, keep_template: bool = False
) -> PreTrainedTokenizerBase:
    """A fast tokenizer with a pad token and a chat template (see `prepared`). Code from a hub is never run.

    Args:
        path: Local folder or hub id.
        gguf_file: Name of a GGUF file in that folder that holds the vocabulary.
        keep_template: Leave a chat template that is there as it is: the one that a reward model was trained with.

    Raises:
        ModelError: It cannot be loaded, or there is no fast (Rust) version of it.
    """
    extra = {"gguf_file": gguf_file} if gguf_file else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(path), trust_remote_code=False, use_fast=True, **extra)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(
            "cannot load a tokenizer", got=error, where=str(path), fix="name a folder with tokenizer.json, or a hub id"
        ) from error
    if tokenizer is None or not tokenizer.is_fast:
        raise ModelError("no fast tokenizer", wanted="tokenizer.json", where=str(path), fix="convert it to a fast one")
    return prepared(tokenizer, keep_template=keep_template)


def prepared(tokenizer: PreTrainedTokenizerBase, *, keep_template: bool = False) -> PreTrainedTokenizerBase:
    """A copy with a pad token (not the EOS, where the vocabulary has another) and a complete chat template.

    The template renders BOS and EOS itself, so it must be saved with the tokenizer: every tool that applies it and
    tokenises without special tokens then gets the same ids.

    Raises:
        ModelError: The template cannot be used, or the tokenizer has no token to pad with.
    """
    ready = copy.deepcopy(tokenizer)
    ready.pad_token = _pad_token(ready)
    ready.chat_template = chosen_template(ready, keep=keep_template)
    return ready


def _pad_token(tokenizer: PreTrainedTokenizerBase) -> str:
    """The model's own pad token where it is not the EOS, else a token of the vocabulary that no text ends with."""
    ends = {str(token) for token in (tokenizer.eos_token, tokenizer.bos_token) if token}
    if tokenizer.pad_token and str(tokenizer.pad_token) not in ends:
        return str(tokenizer.pad_token)
    # Only tokens that are special already: to make an ordinary word the pad token would change how texts are split.
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    named = [name for name in (*_PAD_NAMES, tokenizer.unk_token) if name in special and name not in ends]
    padlike = [name for name in special if "pad" in name.lower() and name not in ends]
    for candidate in (*named, *padlike, tokenizer.pad_token, tokenizer.eos_token):
        if candidate:
            return str(candidate)
    raise ModelError("the tokenizer has no token to pad with", wanted="a pad, unknown or end token")
