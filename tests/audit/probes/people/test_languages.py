"""The same questions in four languages."""

from __future__ import annotations

import re

from rewardsmith.audit.probes.people.languages import LANGUAGES, PARALLEL


def test_every_question_stands_in_every_language() -> None:
    assert len(PARALLEL) >= 20
    for row in PARALLEL:
        assert len(row) == len(LANGUAGES) == 4
        assert len({exchange.question for exchange in row}) == 4
        for exchange in row:
            assert exchange.right != exchange.wrong
            assert exchange.question.endswith("?")


def test_right_and_wrong_answers_have_one_form() -> None:
    for exchange in (exchange for row in PARALLEL for exchange in row):
        right, wrong = exchange.right.split(), exchange.wrong.split()
        assert abs(len(right) - len(wrong)) <= 2
        assert abs(len(exchange.right) - len(exchange.wrong)) <= 6


def test_numbers_agree_between_languages() -> None:
    for row in PARALLEL:
        assert len({tuple(re.findall(r"\d+", exchange.right)) for exchange in row}) == 1
        assert len({tuple(re.findall(r"\d+", exchange.wrong)) for exchange in row}) == 1
