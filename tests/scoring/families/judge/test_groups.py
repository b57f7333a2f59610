from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.scoring.families.judge.groups import by_prompt, comparisons


def _answers(number: int) -> list[Conversation]:
    return [(user("q"), assistant(f"answer {index}")) for index in range(number)]


def test_answers_of_a_prompt_are_rivals_wherever_they_stand():
    one, two, other = (user("p"), assistant("1")), (user("p"), assistant("2")), (user("r"), assistant("1"))
    assert by_prompt([one, other, two, one]) == [[0, 2], [1]]


def test_few_answers_are_all_compared_with_all():
    assert comparisons(_answers(1), max_rivals=8) == []
    assert comparisons(_answers(3), max_rivals=2) == [(0, 1), (0, 2), (1, 2)]
    assert len(comparisons(_answers(9), max_rivals=8)) == 36


@given(st.integers(2, 40), st.integers(2, 9))
def test_many_answers_have_equally_many_rivals_and_one_ring(number: int, most: int):
    pairs = comparisons(_answers(number), max_rivals=most)
    assert len(set(pairs)) == len(pairs)
    assert all(i < j for i, j in pairs)
    rivals = Counter(place for pair in pairs for place in pair)
    wanted = number - 1 if number - 1 <= most else most // 2 * 2
    assert set(rivals.values()) == {wanted}
    reached = {0}
    for _ in range(number):
        reached |= {place for pair in pairs if reached & set(pair) for place in pair}
    assert reached == set(range(number))


def test_the_ring_depends_on_the_answers_and_not_on_their_order():
    answers = _answers(12)
    turned = answers[5:] + answers[:5]
    named = [
        {frozenset((group[i], group[j])) for i, j in comparisons(group, max_rivals=4)} for group in (answers, turned)
    ]
    assert named[0] == named[1]
