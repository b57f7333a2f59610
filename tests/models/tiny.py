"""Small real models and tokenizers, made here: two layers, 32 wide, one token a byte."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AlbertModel,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    MistralConfig,
    MistralForSequenceClassification,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start|>' + message['role'] + '\\n' + message['content'] + eos_token + '\\n' }}{% endfor %}"
)
DECODER_TOKENS = ("<pad>", "<s>", "</s>", "<|start|>", "<unk>")
ENCODER_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
HIDDEN = 32


def decoder_tokenizer(
    *, template: str | None = CHAT_TEMPLATE, pad: str | None = "<pad>", adds_bos: bool = False
) -> PreTrainedTokenizerBase:
    """Byte-level; `<s>` opens, `</s>` closes."""
    backend = _byte_tokenizer(DECODER_TOKENS)
    if adds_bos:
        backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": pad}
    return _wrapped(backend, names, template)


def encoder_tokenizer(*, template: str | None = None) -> PreTrainedTokenizerBase:
    """Byte-level and lower case, with `[CLS]` and `[SEP]`."""
    backend = _byte_tokenizer(ENCODER_TOKENS)
    backend.normalizer = normalizers.Lowercase()
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    return _wrapped(backend, names | {"mask_token": "[MASK]"}, template)


def sentencepiece_tokenizer() -> PreTrainedTokenizerBase:
    """Writes a leading blank at the start of a text only, so that pieces cannot be tokenised by themselves."""
    pieces = ["<pad>", "<s>", "</s>", "<|start|>", "<unk>", "▁"] + [chr(code) for code in range(33, 127)] + ["\n"]
    backend = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, [], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in DECODER_TOKENS])
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    return _wrapped(backend, names, CHAT_TEMPLATE)


def llama_config(**changes: Any) -> LlamaConfig:
    """Weights are drawn wide, so that positions and neighbours matter."""
    values: dict[str, Any] = {
        "vocab_size": 256 + len(DECODER_TOKENS),
        "hidden_size": HIDDEN,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0},
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "num_labels": 1,
    }
    return LlamaConfig(**(values | changes))


def bert_config(**changes: Any) -> BertConfig:
    """See `llama_config`."""
    values: dict[str, Any] = {
        "vocab_size": 256 + len(ENCODER_TOKENS),
        "hidden_size": HIDDEN,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 256,
        "initializer_range": 0.2,
        "pad_token_id": 0,
        "num_labels": 1,
    }
    return BertConfig(**(values | changes))


def albert_config() -> AlbertConfig:
    """See `llama_config`."""
    return AlbertConfig(
        vocab_size=256 + len(ENCODER_TOKENS),
        embedding_size=16,
        hidden_size=HIDDEN,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=256,
        initializer_range=0.2,
        pad_token_id=0,
        num_labels=1,
    )


def llama(**changes: Any) -> LlamaForSequenceClassification:
    """A decoder with a `score` head."""
    torch.manual_seed(0)
    return LlamaForSequenceClassification(llama_config(**changes)).eval()


def mistral(*, sliding_window: int) -> MistralForSequenceClassification:
    """A decoder whose tokens see no further back than `sliding_window`."""
    torch.manual_seed(0)
    sizes = llama_config().to_dict() | {"model_type": "mistral", "sliding_window": sliding_window}
    return MistralForSequenceClassification(MistralConfig(**sizes)).eval()


def bert(**changes: Any) -> BertForSequenceClassification:
    """An encoder with a `classifier` head."""
    torch.manual_seed(0)
    return BertForSequenceClassification(bert_config(**changes)).eval()


def save_base(folder: Path, kind: str, *, pooler: bool = True) -> str:
    """A base model without a reward head, and its tokenizer. `kind` is `decoder`, `encoder`, or `shared`: an encoder
    whose three layers are one."""
    torch.manual_seed(0)
    if kind == "decoder":
        LlamaForCausalLM(llama_config()).save_pretrained(folder)
        decoder_tokenizer().save_pretrained(folder)
    elif kind == "shared":
        AlbertModel(albert_config(), add_pooling_layer=pooler).save_pretrained(folder)
        encoder_tokenizer().save_pretrained(folder)
    else:
        BertModel(bert_config(), add_pooling_layer=pooler).save_pretrained(folder)
        encoder_tokenizer().save_pretrained(folder)
    return str(folder)


def _byte_tokenizer(specials: tuple[str, ...]) -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*specials, *alphabet])}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    return backend


def _wrapped(backend: Tokenizer, names: Mapping[str, str | None], template: str | None) -> PreTrainedTokenizerBase:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **names, model_max_length=256)
    tokenizer.chat_template = template
    return tokenizer
