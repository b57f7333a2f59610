"""Steps to tokens: where each one ends, whatever follows."""

from __future__ import annotations

import numpy as np
import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ModelError
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import prepared
from rewardsmith.text.steps import CUT, StepEncoder, shortened, split_steps

PROMPT = (user("How many?"),)


@pytest.fixture(scope="module")
def decoder(tiny) -> ConversationEncoder:
    return ConversationEncoder(prepared(tiny.decoder_tokenizer()))


@pytest.fixture(scope="module")
def encoder(tiny) -> ConversationEncoder:
    return ConversationEncoder(prepared(tiny.encoder_tokenizer()))


def test_the_tokens_are_those_of_the_whole_conversation(decoder):
    """A byte is a token here, so that cutting at steps changes nothing: the answer is each step and a line break."""
    (found,) = StepEncoder(decoder).encode([(PROMPT, ["3 + 4", "= 7"])])
    (whole,) = decoder.encode([(*PROMPT, assistant("3 + 4\n= 7\n"))])
    np.testing.assert_array_equal(found.input_ids, whole)
    head = len(decoder.encode([(*PROMPT, assistant(""))])[0]) - 2
    assert found.start == head
    assert list(found.places) == [head + 5, head + 9]
    tokens = decoder.tokenizer.convert_ids_to_tokens(found.input_ids[found.places].tolist())
    assert tokens == ["Ċ", "Ċ"]


def test_steps_do_not_depend_on_what_follows(decoder):
    steps = StepEncoder(decoder)
    short, long = steps.encode([(PROMPT, ["a b", "c"]), (PROMPT, ["a b", "c", "d"])])
    end = short.places[-1] + 1
    np.testing.assert_array_equal(short.input_ids[:end], long.input_ids[:end])
    np.testing.assert_array_equal(short.places, long.places[:2])


def test_a_separator_without_tokens_leaves_the_place_at_the_text(decoder):
    (found,) = StepEncoder(decoder, separator="").encode([(PROMPT, ["ab", "c"])])
    assert list(found.places - found.start) == [1, 2]


def test_a_special_separator_is_one_token_and_a_special_text_is_broken(encoder):
    (found,) = StepEncoder(encoder, separator="[SEP]").encode([(PROMPT, ["a", "b [SEP] c"])])
    sep = encoder.tokenizer.sep_token_id
    assert list(found.input_ids[found.places]) == [sep, sep]
    assert int((found.input_ids[found.start : found.places[-1] + 1] == sep).sum()) == 2


def test_a_solution_needs_a_step(decoder):
    with pytest.raises(ModelError, match="without a step"):
        StepEncoder(decoder).encode([(PROMPT, [])])


def test_answers_are_cut_at_lines_or_paragraphs():
    answer = " a\n\n b \nc\n  \n\nd\n"
    assert split_steps(answer, "lines") == ("a", "b", "c", "d")
    assert split_steps(answer, "paragraphs") == ("a", "b \nc", "d")
    assert split_steps(" \n", "lines") == ("",)


def test_the_problem_is_cut_before_the_steps(decoder):
    (whole,) = StepEncoder(decoder).encode([(PROMPT, ["abc", "de"])])
    bos = decoder.bos_id
    length = len(whole.input_ids)
    assert shortened(whole, max_tokens=length, bos_id=bos) is whole
    short = shortened(whole, max_tokens=length - 3, bos_id=bos)
    assert len(short.input_ids) == length - 3
    assert short.input_ids[0] == bos
    assert short.start == whole.start - 3
    np.testing.assert_array_equal(short.input_ids[short.places], whole.input_ids[whole.places])
    # Only what follows the first step is left: its place is gone.
    few = shortened(whole, max_tokens=length - int(whole.places[0]) - 1, bos_id=bos)
    assert few.places[0] == few.start == CUT
    assert few.input_ids[few.places[1]] == whole.input_ids[whole.places[1]]
