"""Many requests in one call of a scorer give what each gives alone, and an error is of one request only."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serve.families import CONVERSATIONS, build_families

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import DataError, ModelError, OverlengthError, RewardsmithError, SettingsError, WorkerError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.scoring.load import load_scorer
from rewardsmith.serve.answering import Answering
from rewardsmith.serve.work import Answer, Ask

OF_TOKENS = ("encoder", "decoder", "adapters", "attributes")
OTHERS = ("ensemble", "residual", "process", "implicit")
LONG: Conversation = (user("long " * 100), assistant("yes"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_families(tmp_path_factory.mktemp("families"), OF_TOKENS + OTHERS)


@pytest.fixture(scope="module")
def scorer(folders: dict[str, Path]) -> Any:
    return cache(lambda family, **options: load_scorer(folders[family], device="cpu", **options))


def good(found: Answer | RewardsmithError) -> Answer:
    assert isinstance(found, Answer), found
    return found


@pytest.mark.parametrize("family", OF_TOKENS + OTHERS)
def test_requests_that_are_merged_get_what_each_gets_alone(scorer: Any, family: str) -> None:
    answering = Answering(scorer(family))
    asks = [Ask(conversations=CONVERSATIONS[:2]), Ask(conversations=CONVERSATIONS[2:]), Ask()]
    asks += [Ask(conversations=(each,)) for each in CONVERSATIONS]
    for ask, found in zip(asks, answering.answers(asks), strict=True):
        wanted = scorer(family, engine="reference").score(ask.conversations) if len(ask) else None
        answer = good(found)
        assert len(answer.scores) == len(ask)
        assert answer.n_truncated == 0
        assert answer.score_s > 0
        if wanted is None:
            continue
        np.testing.assert_allclose(answer.scores.rewards, wanted.rewards, atol=1e-5, rtol=0)
        assert answer.scores.provenance == scorer(family).provenance
        for name, values in scorer(family).score(ask.conversations).attributes.items():
            np.testing.assert_allclose(answer.scores.attributes[name], values, atol=1e-5)
        if wanted.steps is not None:
            for one, other in zip(answer.scores.steps or (), wanted.steps, strict=True):
                np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("family", ["encoder", "decoder"])
def test_texts_and_ids_are_what_the_conversation_they_are_rendered_from_is(scorer: Any, family: str) -> None:
    encoder = scorer(family).encoder
    texts = Ask(texts=tuple(encoder.render(each) for each in CONVERSATIONS))
    ids = Ask(ids=tuple(tuple(each.tolist()) for each in encoder.encode(CONVERSATIONS)))
    wanted = scorer(family, engine="reference").score(CONVERSATIONS).rewards
    for found in Answering(scorer(family)).answers([texts, ids]):
        np.testing.assert_allclose(good(found).scores.rewards, wanted, atol=1e-5, rtol=0)
        assert good(found).n_tokens == tuple(len(each) for each in encoder.encode(CONVERSATIONS))


def test_a_text_is_taken_as_it_is(scorer: Any) -> None:
    """No template and no token is added: one byte, one token."""
    [found] = Answering(scorer("decoder")).answers([Ask(texts=("abc", "<s>abc"))])
    assert good(found).n_tokens == (3, 4)


@pytest.mark.parametrize(("family", "bos"), [("decoder", "<s>"), ("encoder", "[CLS]")])
def test_a_missing_bos_is_put_there_once_where_it_is_asked_for(scorer: Any, family: str, bos: str) -> None:
    answering = Answering(scorer(family))
    text = scorer(family).encoder.render(CONVERSATIONS[0])
    assert text.startswith(bos)
    bare = text.removeprefix(bos)
    wanted = scorer(family).score(CONVERSATIONS[:1]).rewards
    whole, mended, as_it_is = (
        good(each)
        for each in answering.answers(
            [Ask(texts=(text,), adds_bos=True), Ask(texts=(bare,), adds_bos=True), Ask(texts=(bare,))]
        )
    )
    np.testing.assert_allclose([whole.scores.rewards, mended.scores.rewards], [wanted, wanted], atol=1e-5)
    assert whole.n_tokens == mended.n_tokens == (as_it_is.n_tokens[0] + 1,)
    assert abs(as_it_is.scores.rewards[0] - wanted[0]) > 1e-4


@pytest.mark.parametrize("family", OF_TOKENS + OTHERS)
def test_what_is_too_long_is_refused_by_itself(scorer: Any, family: str) -> None:
    answering = Answering(scorer(family))
    short = Ask(conversations=CONVERSATIONS[:1])
    found = answering.answers([short, Ask(conversations=(CONVERSATIONS[0], LONG)), short])
    assert isinstance(found[1], OverlengthError)
    assert found[1].http_status == 413
    assert "tokens" in str(found[1].got)
    wanted = scorer(family, engine="reference").score(CONVERSATIONS[:1]).rewards
    for each in (found[0], found[2]):
        np.testing.assert_allclose(good(each).scores.rewards, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", OF_TOKENS + OTHERS)
def test_what_may_be_cut_is_cut_as_the_scorer_does(scorer: Any, family: str) -> None:
    ask = Ask(conversations=(CONVERSATIONS[0], LONG), truncate=True)
    [found, other] = Answering(scorer(family)).answers([ask, Ask(conversations=CONVERSATIONS[:1])])
    wanted = scorer(family, overlength="truncate", engine="reference").score(ask.conversations).rewards
    np.testing.assert_allclose(good(found).scores.rewards, wanted, atol=1e-5, rtol=0)
    assert good(found).n_truncated == 1
    assert good(other).n_truncated == 0


def test_the_limit_of_a_request_is_its_own(scorer: Any) -> None:
    text = "<s>" + "abcdefghij" * 3
    answering = Answering(scorer("decoder"))
    found = answering.answers(
        [Ask(texts=(text,), max_tokens=12), Ask(texts=(text,), max_tokens=12, truncate=True), Ask(texts=(text,))]
    )
    assert isinstance(found[0], OverlengthError)
    assert "31 tokens" in str(found[0])
    # The BOS stays, and the last 11 letters.
    cut = good(answering.answers([Ask(texts=("<s>j" + "abcdefghij",))])[0])
    np.testing.assert_allclose(good(found[1]).scores.rewards, cut.scores.rewards, atol=1e-6)
    assert (good(found[1]).n_tokens, good(found[1]).n_truncated) == ((12,), 1)
    assert good(found[2]).n_tokens == (31,)
    assert isinstance(
        Answering(scorer("decoder"), max_text_tokens=30).answers([Ask(texts=(text,))])[0], OverlengthError
    )


def test_a_family_of_conversations_cuts_to_its_own_length_only(scorer: Any) -> None:
    answering = Answering(scorer("process"))
    asks = [
        Ask(conversations=CONVERSATIONS[:1], max_tokens=5, truncate=True),
        Ask(conversations=CONVERSATIONS[:1], max_tokens=5),
    ]
    found = answering.answers(asks)
    assert isinstance(found[0], SettingsError)
    assert isinstance(found[1], OverlengthError)


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (Ask(texts=("half a pair \ud800",)), DataError),
        (Ask(texts=("",)), DataError),
        (Ask(ids=((),)), DataError),
        (Ask(ids=((5, 261),)), DataError),
        (Ask(ids=((-1,),)), DataError),
        (Ask(ids=((2**40,),)), DataError),
        (Ask(ids=((1,), (5, 10**6))), DataError),
        (Ask(conversations=((),)), ModelError),
    ],
)
def test_what_cannot_be_read_is_told_and_harms_nobody(scorer: Any, ask: Ask, kind: type) -> None:
    text = Ask(texts=("fine",))
    found = Answering(scorer("decoder")).answers([text, ask, text])
    assert isinstance(found[1], kind)
    assert found[1].http_status < 500
    wanted = Answering(scorer("decoder")).answers([text])[0]
    for each in (found[0], found[2]):
        np.testing.assert_allclose(good(each).scores.rewards, good(wanted).scores.rewards, atol=1e-6)


@pytest.mark.parametrize("family", OTHERS)
def test_families_of_conversations_take_no_texts(scorer: Any, family: str) -> None:
    for ask in (Ask(texts=("a",)), Ask(ids=((1,),))):
        assert isinstance(Answering(scorer(family)).answers([ask])[0], ModelError)


class Moody:
    """A scorer that fails in ways that no scorer of ours does."""

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        texts = [each[-1].content for each in conversations]
        if any("crash" in text for text in texts):
            raise ZeroDivisionError(f"the text was: {texts}")
        rewards = [float("nan") if text == "nan" else float(len(text)) for text in texts]
        return Scores(np.array(rewards, np.float32), Provenance("m", "t"))


def test_a_failure_of_the_code_is_one_requests_and_holds_no_text(caplog: pytest.LogCaptureFixture) -> None:
    asks = [Ask(conversations=((user("q"), assistant(text)),)) for text in ("ok", "crash secret", "nan", "four")]
    found = Answering(Moody()).answers(asks)
    assert [type(each) for each in found] == [Answer, WorkerError, ModelError, Answer]
    assert good(found[3]).scores.rewards.tolist() == [4]
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text + str(found[1])


class Rivals(Moody):
    """A scorer that compares."""

    def score_by_prompt(self, conversations: Any) -> Any:
        yield self.score(list(conversations))


def test_an_answer_without_a_rival_is_refused() -> None:
    one, two = (user("q"), assistant("a")), (user("q"), assistant("bb"))
    alone = Ask(conversations=(one,))
    found = Answering(Rivals()).answers([alone, Ask(conversations=(one, two)), Ask(conversations=(one, two, one))])
    assert [type(each) for each in found] == [DataError, Answer, Answer]
    assert good(found[2]).scores.rewards.tolist() == [1, 2, 1]


@settings(max_examples=25, deadline=None)
@given(
    requests=st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=4), max_size=5
    )
)
def test_any_texts_in_any_company(scorer: Any, requests: list[list[str]]) -> None:
    answering = Answering(scorer("decoder"))
    asks = [Ask(conversations=tuple((user("q"), assistant(text)) for text in texts)) for texts in requests]
    for ask, found in zip(asks, answering.answers(asks), strict=True):
        alone = good(answering.answers([ask])[0])
        np.testing.assert_allclose(good(found).scores.rewards, alone.scores.rewards, atol=1e-5, rtol=0)
