"""The page in a browser: what it shows of the scores."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from tests.serve.page.conftest import HOSTILE_NAME, TEMPERATURE, fill, score
from tests.serve.serving import Serving

PROMPT = "What is 2 + 2?"
ANSWERS = ["4", "It is 22, I believe.", "Four."]
Visit = Callable[..., Any]


def rewards_of(server: Serving, model: str, answers: list[str], prompt: Any = PROMPT) -> list[dict[str, Any]]:
    """What the server itself says."""
    asked = {"model": model, "prompt": prompt, "answers": answers}
    return httpx2.post(f"{server.url}/v1/rewards", json=asked, timeout=30).json()["data"]


def shown(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def test_answers_are_shown_best_first_with_their_rewards(visit: Visit, server: Serving):
    page = visit()
    fill(page, PROMPT, ANSWERS)
    score(page)
    rows = rewards_of(server, "passed", ANSWERS)
    order = sorted(range(3), key=lambda place: -rows[place]["reward"])
    assert page.locator(".ranking .who").all_inner_texts() == [
        f"{rank}. Answer {'ABC'[place]}" for rank, place in enumerate(order, start=1)
    ]
    assert page.locator(".ranking .value").all_inner_texts() == [shown(rows[place]["reward"]) for place in order]
    assert page.locator(".ranking .said").all_inner_texts() == [ANSWERS[place] for place in order]
    assert page.locator(".ranking .detail").all_inner_texts() == [
        f"{rows[place]['n_tokens']} tokens" for place in order
    ]
    mean = sum(row["reward"] for row in rows) / 3
    fills = page.locator(".ranking .fill").evaluate_all("all => all.map((one) => parseFloat(one.style.left))")
    assert [left >= 50 for left in fills] == [rows[place]["reward"] >= mean for place in order]
    status = page.get_by_role("status").inner_text()
    tokens = sum(row["n_tokens"] for row in rows)
    best = f"Answer {'ABC'[order[0]]} is rewarded best"
    assert re.fullmatch(rf"3 answers scored in [\d.]+ m?s · {tokens} tokens · {best}\.", status)


def test_probabilities_are_those_of_the_temperature_where_it_is_known(visit: Visit, server: Serving):
    page = visit()
    fill(page, PROMPT, ANSWERS[:2])
    score(page)
    first, second = sorted((row["reward"] for row in rewards_of(server, "passed", ANSWERS[:2])), reverse=True)
    chance = round(100 / (1 + math.exp(-(first - second) / TEMPERATURE)))
    assert 50 < chance < 100
    assert page.locator(".matrix td").all_inner_texts() == ["–", f"{chance}%", f"{100 - chance}%", "–"]
    assert "T = 0.500" in page.locator("#calibration").inner_text()
    page.get_by_label("Model to ask").select_option("ensemble")
    score(page)
    first, second = sorted((row["reward"] for row in rewards_of(server, "ensemble", ANSWERS[:2])), reverse=True)
    chance = round(100 / (1 + math.exp(-(first - second))))
    assert page.locator(".matrix td").nth(1).inner_text() == f"{chance}%"
    assert page.locator("#calibration").inner_text().startswith("Not calibrated")


def test_of_many_answers_the_best_is_held_against_each_other(visit: Visit):
    page = visit()
    answers = [f"It is {number}." for number in range(7)]
    fill(page, PROMPT, answers)
    score(page)
    best = page.locator(".ranking .who").first.inner_text().removeprefix("1. ")
    assert page.locator(".matrix tbody tr").count() == 6
    assert best not in page.locator(".matrix tbody th").all_inner_texts()
    assert all(int(each.strip(">%")) >= 50 for each in page.locator(".matrix td").all_inner_texts())


def test_an_ensemble_shows_its_spread_and_its_members(visit: Visit, server: Serving):
    page = visit()
    fill(page, PROMPT, ANSWERS, model="ensemble")
    score(page)
    rows = sorted(rewards_of(server, "ensemble", ANSWERS), key=lambda row: -row["reward"])
    values = [f"{shown(row['reward'])} ± {shown(row['spread'])}" for row in rows]
    assert page.locator(".ranking .value").all_inner_texts() == values
    members = [shown(value) for row in rows for value in row["members"]]
    assert page.get_by_role("region", name="The reward of each member").locator("td").all_inner_texts() == members
    assert page.locator(".whisker").count() == 3


def test_attributes_stand_in_a_table(visit: Visit, server: Serving):
    page = visit()
    fill(page, PROMPT, ANSWERS[:2], model="attributes")
    score(page)
    rows = sorted(rewards_of(server, "attributes", ANSWERS[:2]), key=lambda row: -row["reward"])
    table = page.get_by_role("region", name="put together from")
    assert table.locator("thead th").all_inner_texts() == ["", "helpfulness", "verbosity"]
    values = [shown(row["attributes"][name]) for row in rows for name in ("helpfulness", "verbosity")]
    assert table.locator("td").all_inner_texts() == values


def test_each_step_has_its_text_its_probability_and_a_sign(visit: Visit, server: Serving):
    page = visit()
    answer = "There are 3 boxes.\n\n3 × 4 = 12 <b>apples</b>.\nSo 12."
    fill(page, PROMPT, [answer], model="process")
    score(page)
    [row] = rewards_of(server, "process", [answer])
    assert page.locator(".steps .text").all_inner_texts() == [
        "There are 3 boxes.",
        "3 × 4 = 12 <b>apples</b>.",
        "So 12.",
    ]
    signs = ["✓" if each >= 0.8 else "✕" if each < 0.5 else "?" for each in row["steps"]]
    wanted = [f"{sign} {shown(each, 2)}" for sign, each in zip(signs, row["steps"], strict=True)]
    assert page.locator(".steps .prob").all_inner_texts() == wanted


def test_what_a_model_wrote_is_shown(visit: Visit, server: Serving):
    page = visit()
    fill(page, PROMPT, ANSWERS[:1], model="writer")
    score(page)
    [row] = rewards_of(server, "writer", ANSWERS[:1])
    assert page.locator(".rationale").text_content() == f"What the model wrote{row['rationale']}"


def test_hostile_texts_and_names_stay_texts(visit: Visit):
    page = visit()
    hostile = '<img src=x onerror="hit=1"><script>hit=1</script>'
    fill(page, "<svg onload=hit=1>", [hostile, "{{7*7}}"], model=HOSTILE_NAME)
    score(page)
    assert hostile in page.locator(".ranking .said").all_inner_texts()
    assert page.evaluate("window.hit") is None
    assert page.locator("main img, main svg, main script").count() == 0
    assert HOSTILE_NAME in page.locator("#model option").all_inner_texts()


def test_a_text_that_is_too_long_is_marked_and_can_be_cut(visit: Visit):
    page = visit()
    fill(page, "word " * 40, ["short", "long " * 30])
    page.keyboard.press("Control+Enter")
    alert = page.get_by_role("alert")
    alert.get_by_text("413").wait_for()
    assert "at most 200" in alert.inner_text()
    page.locator("#answer-0").fill("y" * 300)
    page.get_by_label("cut the beginning").check()
    score(page)
    assert page.locator("#problem").text_content() == ""
    assert "cut" in page.get_by_role("status").inner_text()


def test_several_turns_are_sent_as_they_are(visit: Visit, server: Serving):
    page = visit()
    fill(page, "Say two.", ["Three."])
    for role, text in (("assistant", "Two."), ("user", "And now?")):
        page.get_by_role("button", name="Add a turn").click()
        place = page.locator("#turns > li").count() - 1
        page.locator(f"#turn-{place}-role").select_option(role)
        page.locator(f"#turn-{place}").fill(text)
    score(page)
    turns = [("user", "Say two."), ("assistant", "Two."), ("user", "And now?")]
    prompt = [{"role": role, "content": content} for role, content in turns]
    [row] = rewards_of(server, "passed", ["Three."], prompt)
    assert page.locator(".ranking .value").inner_text() == shown(row["reward"])


@pytest.mark.parametrize(
    ("model", "badge", "said"),
    [
        ("passed", "✓ passed", "(research): passed"),
        ("failed", "✕ failed", "(research): failed"),
        ("ensemble", "? ungated", "no report card"),
    ],
)
def test_the_standing_of_the_model_is_told(visit: Visit, model: str, badge: str, said: str):
    page = visit()
    page.locator("#model:enabled").select_option(model)
    page.locator("#about").get_by_text(said).wait_for()
    assert page.locator("#about .badge").text_content() == badge


def test_the_report_card_opens(visit: Visit):
    page = visit()
    with page.context.expect_page() as opening:
        page.get_by_role("link", name="Report card").click()
    card = opening.value
    card.get_by_role("heading", name="Release report card: passed").wait_for()
    # Its own style is in force: the policy of the card lets it.
    assert card.locator(".banner").evaluate("one => getComputedStyle(one).borderTopStyle") == "solid"
