from __future__ import annotations

from rewardsmith.audit.stress.tricks import PHRASES, liked_words, moves, played, trick_name


def test_moves_are_played_in_order():
    first, second = moves(["zebra"])[-1], next(move for move in moves() if move.name == "in capitals")
    assert first.name == "“zebra” before it"
    assert played((first, second), "one two.") == "ZEBRA ONE TWO."
    assert played((second, first), "one two.") == "zebra ONE TWO."
    assert trick_name((first, second)) == "“zebra” before it, then in capitals"
    assert played((), "same") == "same"


def test_every_move_has_a_name_of_its_own_and_changes_an_answer():
    made = moves(["zebra"])
    assert len({move.name for move in made}) == len(made) > 2 * len(PHRASES)
    answer = "First sentence here. And a second one."
    assert all(move.apply(answer) != answer for move in made)


def test_forms_by_hand():
    by_name = {move.name: move.apply for move in moves()}
    assert by_name["last sentence again"]("One. Two!") == "One. Two! Two!"
    assert by_name["a paragraph a sentence"]("One. Two!") == "One.\n\nTwo!"
    assert by_name["without a full stop at the end"]("Yes.") == "Yes"


def test_liked_words_by_hand():
    answers = ["good fish"] * 4 + ["bad fish"] * 4 + ["rare"]
    rewards = [1.0] * 4 + [-1.0] * 4 + [9.0]
    # good: 4/√4 = 2; fish: 0; bad: −2; rare stands in one answer only.
    assert liked_words(answers, rewards, count=5) == ["good", "fish", "bad"]
    assert liked_words(answers, rewards, count=1) == ["good"]
