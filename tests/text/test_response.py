"""Where a response stands among its conversation's tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import DataError
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.response import encode_responses, header_ids

TALK: Conversation = (user("hi"), assistant("one"), user("more"), assistant("two words"))


def _decoded(encoder: ConversationEncoder, ids: np.ndarray) -> str:
    return str(encoder.tokenizer.convert_tokens_to_string(encoder.tokenizer.convert_ids_to_tokens(ids.tolist())))


@pytest.fixture
def encoder(tiny: Any) -> ConversationEncoder:
    return ConversationEncoder(tiny.decoder_tokenizer())


def test_the_last_turn_and_its_end_token_are_the_response_and_the_newline_after_it_is_not(encoder) -> None:
    [found] = encode_responses(encoder, [TALK])
    assert encoder.tokenizer.convert_ids_to_tokens([int(found.ids[found.end - 1])]) == ["</s>"]
    # One token a byte: nine letters and the end.
    assert found.end - found.start == len("two words") + 1
    assert len(found.ids) == found.end + 1
    assert np.array_equal(found.ids, encoder.encode([TALK])[0])


def test_an_empty_response_is_its_end_token(encoder) -> None:
    [found] = encode_responses(encoder, [(user("hi"), assistant(""))])
    assert found.end - found.start == 1


def test_a_header_is_what_stands_before_the_response(encoder) -> None:
    [found] = encode_responses(encoder, [TALK])
    assert np.array_equal(header_ids(encoder, TALK[:-1]), found.ids[: found.start])


def test_a_template_without_an_end_of_turn_ends_with_the_text(tiny: Any) -> None:
    template = "{% for m in messages %}{{ m['role'] + '=' + m['content'] }}{% endfor %}"
    tokenizer = tiny.decoder_tokenizer(template=template)
    [found] = encode_responses(ConversationEncoder(tokenizer), [(user("hi"), assistant("abc"))])
    assert found.end == len(found.ids)
    assert found.end - found.start == len("abc")


def test_rewardsmiths_own_template_is_read_too(tiny: Any) -> None:
    encoder = ConversationEncoder(tiny.decoder_tokenizer(template=None))
    [found] = encode_responses(encoder, [(user("hi"), assistant(" abc"))])
    assert found.end == len(found.ids)
    # "assistant: " and then four characters and the EOS.
    assert found.end - found.start == 5


def test_a_template_that_trims_still_has_its_response_found(tiny: Any) -> None:
    template = tiny.CHAT_TEMPLATE.replace("message['content']", "(message['content'] | trim)")
    encoder = ConversationEncoder(tiny.decoder_tokenizer(template=template))
    [found] = encode_responses(encoder, [(user("hi"), assistant("  abc \n"))])
    assert found.end - found.start == len("abc") + 1


@pytest.mark.parametrize("conversation", [(), (user("hi"),)])
def test_what_has_no_response_is_refused(encoder, conversation: Conversation) -> None:
    with pytest.raises(DataError, match="no response"):
        encode_responses(encoder, [conversation])
