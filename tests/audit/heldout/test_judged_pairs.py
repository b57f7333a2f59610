from __future__ import annotations

from typing import Any

import pytest
from tests.scoring.families.judge.endpoint import Messages, endpoint, fair
from tests.scoring.families.judge.readers import RuledReader

from rewardsmith.audit.heldout.judged_pairs import JudgedPairs, judge_pairs
from rewardsmith.audit.report.judged_table import judged_table
from rewardsmith.cli.output import console
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.scoring.families.judge.client import ChatClient
from rewardsmith.scoring.families.judge.pairwise import PairwiseJudge
from rewardsmith.scoring.families.judge.pointwise import PointwiseJudge
from rewardsmith.scoring.families.judge.questioner import Questioner
from rewardsmith.scoring.families.judge.settings import RemoteBackend, parse_judge


def _preference(number: int, chosen: str, rejected: str, *, tie: bool = False) -> Preference:
    return Preference(
        prompt=(user(f"q{number}"),),
        responses=((assistant(chosen),), (assistant(rejected),)),
        pairs=(Pair(0, 1, prob_chosen=0.5 if tie else 1.0, tie=tie),),
        id=str(number),
        group=f"g{number}",
        source="test",
    )


# Chosen is better by 2, 1 and 1, and worse by 1, in goodness; one more is a tie of the raters.
PREFERENCES = [
    _preference(0, "good good", "bad"),
    _preference(1, "good", "bad"),
    _preference(2, "good good", "good"),
    _preference(3, "bad", "good"),
    _preference(4, "good", "bad", tie=True),
]


def _pairwise(lean: float, **values: Any) -> JudgedPairs:
    settings = parse_judge({"kind": "pairwise", "backend": {"local": "ruled"}, **values}, where="test")
    return judge_pairs(PairwiseJudge(Questioner(settings, RuledReader(lean=lean))), PREFERENCES)


def _written(reply: Any, **values: Any) -> JudgedPairs:
    with endpoint(reply) as running:
        backend = RemoteBackend(url=running.url, model="m", retries=0)
        settings = parse_judge({"backend": backend.model_dump(), **values}, where="test")
        questioner = Questioner(settings, ChatClient(backend, max_reply_tokens=64))
        judge = PairwiseJudge(questioner) if settings.kind == "pairwise" else PointwiseJudge(questioner)
        return judge_pairs(judge, PREFERENCES)


def test_a_fair_judge_is_right_where_the_labels_are():
    (judged,) = _pairwise(0.0).rounds
    assert (judged.accuracy.value, judged.accuracy.n, judged.accuracy.groups) == (0.75, 4, 4)
    for share, wanted in ((judged.inconsistency, 0.0), (judged.first_place, 0.5), (judged.ties, 0.0)):
        assert share is not None
        assert share.value == wanted
    assert judged.debiased is not None
    assert judged.debiased.value == 0.75
    assert judged.change is None
    assert judged.debiased_change is None


def test_a_leaning_judge_is_inconsistent_and_the_log_odds_still_know():
    # Towards A by 1.5: leads of 1 are decided by the place, so pairs 1, 2 and 3 are inconsistent and earn half.
    (judged,) = _pairwise(1.5).rounds
    assert judged.accuracy.value == (1 + 0.5 * 3) / 4
    assert judged.inconsistency is not None
    assert judged.inconsistency.value == 0.75
    # Pair 0 names A once of two, the others both times: (½ + 1 + 1 + 1) / 4.
    assert judged.first_place is not None
    assert judged.first_place.value == 0.875
    assert judged.debiased is not None
    assert judged.debiased.value == 0.75
    # Alternating orders show the chosen answer first in pairs 0 and 2: both right; 1 and 3 name the rejected one.
    assert judged.one_order is not None
    assert judged.one_order.value == 0.5


def test_what_cannot_be_judged_is_not_judged_right():
    def silent(messages: Messages) -> str:
        return "No." if "q0" in messages[0]["content"] else fair(messages)

    (judged,) = _written(silent, kind="pairwise", parse_retries=0).rounds
    assert judged.no_verdict == 1
    assert judged.accuracy.value == 0.5
    assert judged.inconsistency is not None
    assert judged.inconsistency.n == 3


def test_a_pointwise_judge_ties_what_it_scores_alike():
    def coarse(messages: Messages) -> str:
        return fair(messages).replace("Score: 3", "Score: 2")

    # Scores 2 and 1, 2 and 1, 2 and 2 (a tie, half), 1 and 2.
    (judged,) = _written(coarse, kind="pointwise").rounds
    assert judged.accuracy.value == (1 + 1 + 0.5 + 0) / 4
    assert judged.ties.value == 0.25
    assert judged.inconsistency is None


def test_the_change_over_rounds_is_measured_on_the_same_pairs():
    def turns(messages: Messages) -> str:
        right = fair(messages[:1])
        return right if len(messages) < 5 else right.translate(str.maketrans("AB", "BA"))

    judged = _written(turns, kind="pairwise", rounds=1)
    assert [each.accuracy.value for each in judged.rounds] == [0.75, 0.25]
    assert judged.rounds[1].change is not None
    assert judged.rounds[1].change.value == -0.5
    scored = _written(lambda messages: fair(messages[:1]), kind="pointwise", rounds=1)
    assert scored.rounds[1].change is not None
    assert scored.rounds[1].change.value == 0.0


def test_the_change_of_the_log_odds_over_rounds_is_measured_too():
    class Turning(RuledReader):
        """Takes the other side, and no side of the place, once it has criticised itself."""

        def option_log_probs(self, messages: Any, *, prefix: str, options: Any) -> tuple[float, ...]:
            first, second = super().option_log_probs(messages, prefix=prefix, options=options)
            return (first, second) if len(messages) == 1 else (second - self.lean, first - self.lean)

    settings = parse_judge({"kind": "pairwise", "backend": {"local": "ruled"}, "rounds": 1}, where="test")
    judged = judge_pairs(PairwiseJudge(Questioner(settings, Turning(lean=9.0))), PREFERENCES)
    assert [each.accuracy.value for each in judged.rounds] == [0.5, 0.5]
    assert [each.debiased.value if each.debiased else None for each in judged.rounds] == [0.75, 0.25]
    assert judged.rounds[1].debiased_change is not None
    assert judged.rounds[1].debiased_change.value == -0.5


def test_the_table_shows_every_figure(capsys: pytest.CaptureFixture[str]):
    console().print(judged_table(_pairwise(1.5, rounds=1)))
    shown = capsys.readouterr().out
    for word in ("agrees with the labels", "after critique 1", "62.5%", "the two orders disagree", "87.5%", "Asked:"):
        assert word in shown


def test_pairs_without_a_label_are_refused():
    settings = parse_judge({"kind": "pairwise", "backend": {"local": "ruled"}}, where="test")
    with pytest.raises(DataError, match="no labelled pair"):
        judge_pairs(PairwiseJudge(Questioner(settings, RuledReader())), PREFERENCES[4:])
