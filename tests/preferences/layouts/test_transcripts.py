"""HH-RLHF transcripts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.preferences.layouts.transcripts import parse_turns, split_transcript
from rewardsmith.preferences.outcome import Reason

TWO_TURNS = "\n\nHuman: What is a pen?\n\nAssistant: A tool.\n\nHuman: And ink?\n\nAssistant:"
GOOD = {"chosen": TWO_TURNS + " A liquid.", "rejected": TWO_TURNS + " No.\n\nI will not say."}
TEXTS = st.text(st.characters(codec="ascii", exclude_characters=":"), min_size=1).filter(str.strip)


def test_the_prompt_ends_at_the_last_assistant_turn(read_all) -> None:
    """trl#1858: a split at the first turn would put the whole conversation into the responses."""
    outcome = read_all(GOOD)[0].outcome
    assert outcome.prompt == (user("What is a pen?"), assistant("A tool."), user("And ink?"))
    assert outcome.responses == ((assistant("A liquid."),), (assistant("No.\n\nI will not say."),))


def test_rows_of_one_opening_share_a_group(read_all) -> None:
    opening = "\n\nHuman: what is a  PEN?\n\nAssistant:"
    first, second = read_all(GOOD, {"chosen": opening + " x", "rejected": opening + " y"})
    assert first.outcome.group == second.outcome.group


def test_rejections(read_all) -> None:
    cases = {
        Reason.DIFFERENT_PROMPTS: "\n\nHuman: Another?\n\nAssistant: No.",
        Reason.EMPTY_SIDE: TWO_TURNS,
        Reason.IDENTICAL: GOOD["chosen"],
        Reason.WRONG_ROLES: TWO_TURNS + " No.\n\nHuman: Why?",
    }
    results = read_all(
        *[GOOD] * 16, *[{**GOOD, "rejected": text} for text in cases.values()], {"chosen": 1, "rejected": ""}
    )
    assert [result.outcome.reason for result in results[16:]] == [*cases, Reason.WRONG_TYPE]


def test_turns_that_do_not_alternate(read_all) -> None:
    twice = "\n\nHuman: q\n\nHuman: r\n\nAssistant:"
    results = read_all(GOOD, {"chosen": twice + " a", "rejected": twice + " b"})
    assert results[1].outcome.reason is Reason.WRONG_ROLES
    assert results[1].outcome.detail == "turns 1 and 2 are both the user's"


def test_text_before_the_first_turn(read_all) -> None:
    before = "Note\n\nHuman: q\n\nAssistant:"
    results = read_all(*[GOOD] * 9, {"chosen": before + " a", "rejected": before + " b"})
    assert results[9].outcome.reason is Reason.WRONG_ROLES


@given(st.lists(TEXTS, min_size=1, max_size=7).filter(lambda texts: len(texts) % 2 == 1), TEXTS)
def test_round_trip(texts: list[str], reply: str) -> None:
    names = ("Human", "Assistant")
    transcript = "".join(f"\n\n{names[n % 2]}: {text}" for n, text in enumerate(texts)) + f"\n\nAssistant: {reply}"
    prompt, found = split_transcript(transcript)
    assert found == reply.strip()
    assert [turn.content for turn in parse_turns(prompt)] == [text.strip() for text in texts]
    assert [turn.role for turn in parse_turns(prompt)] == [("user", "assistant")[n % 2] for n in range(len(texts))]
