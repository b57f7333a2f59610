"""Templates: a BOS once, an end after the last message, and what other tools get from the saved one."""

from __future__ import annotations

from typing import Any

import pytest

from rewardsmith.core.errors import ModelError
from rewardsmith.text.load import prepared

MESSAGES = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]


def render(tokenizer: Any) -> str:
    return tokenizer.apply_chat_template(MESSAGES, tokenize=False)


def test_encoder_without_template(tiny: Any) -> None:
    assert render(prepared(tiny.encoder_tokenizer())) == "[CLS]user: hi[SEP]assistant: yo[SEP]"


def test_decoder_without_template(tiny: Any) -> None:
    assert render(prepared(tiny.decoder_tokenizer(template=None))) == "<s>user: hi\nassistant: yo</s>"


def test_generation_prompts_have_no_end(tiny: Any) -> None:
    for tokenizer, wanted in (
        (tiny.encoder_tokenizer(), "[CLS]user: hi[SEP]assistant:"),
        (tiny.decoder_tokenizer(template=None), "<s>user: hi\nassistant:"),
    ):
        text = prepared(tokenizer).apply_chat_template(MESSAGES[:1], tokenize=False, add_generation_prompt=True)
        assert text == wanted


def test_a_complete_template_is_left_alone(tiny: Any) -> None:
    tokenizer = tiny.decoder_tokenizer(adds_bos=True)
    assert prepared(tokenizer).chat_template == tiny.CHAT_TEMPLATE


def test_a_missing_end_is_added_once(tiny: Any) -> None:
    template = "{% for m in messages %}{{ '<|start|>' + m['content'] }}{% endfor %}\n"
    once = prepared(tiny.decoder_tokenizer(template=template))
    assert render(once) == "<|start|>hi<|start|>yo</s>"
    assert prepared(once).chat_template == once.chat_template


def test_a_missing_bos_is_added_where_the_tokenizer_adds_one(tiny: Any) -> None:
    template = "{% for m in messages %}{{ m['content'] + eos_token }}{% endfor %}"
    assert render(prepared(tiny.decoder_tokenizer(template=template, adds_bos=True))) == "<s>hi</s>yo</s>"
    assert render(prepared(tiny.decoder_tokenizer(template=template))) == "hi</s>yo</s>"


def test_a_trained_models_template_can_be_kept(tiny: Any) -> None:
    template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    assert prepared(tiny.decoder_tokenizer(template=template), keep_template=True).chat_template == template


def test_named_templates(tiny: Any) -> None:
    tokenizer = tiny.decoder_tokenizer()
    tokenizer.chat_template = {"default": tiny.CHAT_TEMPLATE, "tools": "x"}
    assert prepared(tokenizer).chat_template == tiny.CHAT_TEMPLATE
    tokenizer.chat_template = {"tools": "x"}
    with pytest.raises(ModelError, match="default"):
        prepared(tokenizer)


@pytest.mark.parametrize("template", ["{{ raise_exception('no') }}", "constant"])
def test_templates_that_cannot_work_are_refused(tiny: Any, template: str) -> None:
    with pytest.raises(ModelError):
        prepared(tiny.decoder_tokenizer(template=template))
