"""The fast way of rendering equals the template's own output, or is not taken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import Conversation, Message, assistant, to_dicts, user
from rewardsmith.core.errors import ModelError
from rewardsmith.text.neutral import Neutraliser
from rewardsmith.text.render import Renderer, prints_texts_verbatim
from rewardsmith.text.template import DECODER_TEMPLATE, ENCODER_TEMPLATE

SYSTEM_FIRST = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|start|>system\n' }}"
    "{% endif %}{{ '<|start|>' + message['role'] + message['content'] + eos_token }}{% endfor %}"
)
TRIMS = "{% for m in messages %}{{ m['role'] + m['content'] | trim + eos_token }}{% endfor %}"
TRIMS_BY_METHOD = "{% for m in messages %}{{ m.content.strip() + eos_token }}{% endfor %}"
DECIDES = "{% for m in messages %}{% if m['content'] == 'x' %}y{% else %}{{ m['content'] }}{% endif %}{% endfor %}"
ASSIGNS = "{% for m in messages %}{% set c = m['content'] %}{{ c | upper }}{% endfor %}"
LAST_ONLY = "{{ messages[-1]['content'] + eos_token }}"
SWAPS = "{{ messages[1]['content'] + messages[0]['content'] }}"

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30) | st.sampled_from(
    ["", " x ", "\n", "</s>", "x"]
)
CONVERSATIONS = st.lists(
    st.builds(Message, st.sampled_from(["user", "assistant", "system"]), TEXTS), min_size=2, max_size=5
)


@pytest.mark.parametrize("template", [SYSTEM_FIRST, ENCODER_TEMPLATE, DECODER_TEMPLATE, LAST_ONLY, SWAPS])
def test_templates_that_only_print_are_recognised(template: str) -> None:
    assert prints_texts_verbatim(template)


@pytest.mark.parametrize("template", [TRIMS, TRIMS_BY_METHOD, DECIDES, ASSIGNS, "{% broken"])
def test_templates_that_look_into_texts_are_recognised(template: str) -> None:
    assert not prints_texts_verbatim(template)


def test_generation_blocks_parse() -> None:
    assert prints_texts_verbatim(
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
    )


@pytest.mark.parametrize("template", [SYSTEM_FIRST, TRIMS, DECIDES, LAST_ONLY, SWAPS, DECODER_TEMPLATE])
@given(turns=CONVERSATIONS)
def test_rendering_equals_the_template(tiny: Any, template: str, turns: list[Message]) -> None:
    tokenizer = tiny.decoder_tokenizer(template=template)
    neutral = [Message(role, Neutraliser(tokenizer)(text)) for role, text in turns]
    assert all(before == after for before, after in zip(turns, neutral, strict=True) if "<" not in before.content)
    wanted = tokenizer.apply_chat_template(to_dicts(tuple(neutral)), tokenize=False)
    assert Renderer(tokenizer).render(tuple(turns)) == wanted


def test_a_new_sequence_of_roles_is_rendered_by_the_template_once(tiny: Any) -> None:
    renderer = Renderer(tiny.decoder_tokenizer())
    renderer.render((user("a"), assistant("b")))
    renderer.render((user("c"), assistant("d")))
    assert renderer._pieces == {("user", "assistant"): ("<s><|start|>user\n", "</s>\n<|start|>assistant\n", "</s>\n")}


def test_a_refusal_says_which_roles(tiny: Any) -> None:
    template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + SYSTEM_FIRST
    with pytest.raises(ModelError, match="no system"):
        Renderer(tiny.decoder_tokenizer(template=template)).render((Message("system", "s"), user("a"), assistant("b")))


@pytest.mark.parametrize("conversation", [()])
def test_nothing_to_render(tiny: Any, conversation: Conversation) -> None:
    with pytest.raises(ModelError, match="empty"):
        Renderer(tiny.decoder_tokenizer()).render(conversation)
