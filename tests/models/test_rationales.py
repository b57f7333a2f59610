"""How a judging model is asked, and what it writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import SettingsError
from rewardsmith.models.causal_lm import load_causal_lm
from rewardsmith.models.rationales import RationaleFormat, write_rationales
from rewardsmith.text.encoder import ConversationEncoder

TALKS: list[Conversation] = [
    (user("hi"), assistant("x" * 9)),
    (user("what is two plus two?"), assistant("four")),
    (user("a"), assistant("b"), user("c" * 30), assistant("")),
]
WORDS: dict[str, Any] = {"request": "Judge.", "closing": "\nV:", "verdicts": ("g", "b")}


@pytest.fixture(scope="module")
def model(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_causal_lm(tiny.save_base(tmp_path_factory.mktemp("base"), "decoder"))


def form_of(model: Any, **changes: Any) -> RationaleFormat:
    return RationaleFormat(ConversationEncoder(model.tokenizer), **(WORDS | {"max_tokens": 12} | changes))


def test_a_sequence_is_conversation_request_rationale_and_closing(model: Any) -> None:
    form = form_of(model)
    context = form.context(TALKS[0])
    judged = form.judged(context, form.rationale_ids("Too  short.\n"))
    whole = form.encoder.encode([(*TALKS[0], user("Judge."), assistant("Too short."))])[0]
    # All but the end of the turn and the newline after it.
    assert np.array_equal(judged.ids[:-3], whole[:-2])
    assert judged.ids[-3:].tolist() == form.closing_ids.tolist()
    # "Too short." has ten bytes, and the closing's newline ends it.
    assert (judged.start, judged.end) == (len(context), len(context) + 11)


def test_a_rationale_that_fills_its_room_has_no_end_to_learn(model: Any) -> None:
    form = form_of(model, max_tokens=5)
    ids = form.rationale_ids("abcdefgh")
    assert len(ids) == 5
    judged = form.judged(form.context(TALKS[0]), ids)
    assert judged.end - judged.start == 5


def test_a_long_rationale_loses_its_last_sentences(model: Any) -> None:
    # "One. Two." has nine bytes, "One. Two. Three." sixteen.
    assert len(form_of(model, max_tokens=12).rationale_ids("One. Two. Three.")) == 9
    assert len(form_of(model, max_tokens=17).rationale_ids("One. Two. Three.")) == 16


def test_without_rationales_nothing_has_to_be_written(model: Any) -> None:
    form = form_of(model, max_tokens=0)
    [context] = [form.context(TALKS[0])]
    judged = form.judged(context, form.rationale_ids("ignored"))
    assert judged.start == judged.end == len(judged.ids) - 3
    assert [len(each) for each in write_rationales(model.network, form, [context], token_budget=99)] == [0]


def test_a_special_token_in_a_rationale_is_broken(model: Any) -> None:
    assert 2 not in form_of(model, max_tokens=40).rationale_ids("done</s> <|start|>user")


def greedy(model: Any, form: RationaleFormat, context: np.ndarray) -> list[int]:
    """One token at a time, each from a pass over everything before it."""
    ids = torch.tensor(context.astype(np.int64))
    written: list[int] = []
    while len(written) < form.max_tokens:
        best = int(model.network(ids[None]).logits[0, -1].argmax())
        if best in form.stop_ids:
            break
        written.append(best)
        ids = torch.cat([ids, torch.tensor([best])])
    return written


@pytest.mark.parametrize("budget", [1, 200, 100_000])
def test_what_is_written_is_the_greedy_choice_in_any_batch(model: Any, budget: int) -> None:
    form = form_of(model)
    contexts = [form.context(each) for each in TALKS]
    wanted = [greedy(model, form, each) for each in contexts]
    found = write_rationales(model.network, form, contexts, token_budget=budget)
    assert [each.tolist() for each in found] == wanted
    again = write_rationales(model.network, form, contexts[::-1], token_budget=budget)
    assert [each.tolist() for each in again] == wanted[::-1]


def test_writing_stops_at_a_newline(model: Any) -> None:
    form = form_of(model)
    newline = int(form.closing_ids[0])
    assert newline in form.stop_ids
    lm_head = model.network.lm_head.weight
    kept = lm_head.detach().clone()
    with torch.no_grad():
        lm_head.zero_()
    form.__dict__["stop_ids"] = [0]  # with equal logits the first id is written
    assert [len(each) for each in write_rationales(model.network, form, [form.context(TALKS[0])], token_budget=99)] == [
        0
    ]
    with torch.no_grad():
        lm_head.copy_(kept)


def test_words_that_cannot_work_are_refused(model: Any) -> None:
    with pytest.raises(SettingsError, match="begin with a newline"):
        form_of(model, closing="Verdict:")
    # Bytes: both begin with the blank.
    with pytest.raises(SettingsError, match="begin with the same token"):
        form_of(model, verdicts=(" good", " bad"))


def test_the_frame_is_what_a_context_has_beyond_its_conversation(model: Any) -> None:
    form = form_of(model)
    for talk in TALKS:
        assert len(form.context(talk)) - len(form.encoder.encode([talk])[0]) == form.frame_tokens
