"""The page in a browser: keyboard, focus, names, contrast, small screens, states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serve.page.conftest import fill, score
from tests.serve.serving import UNGATED, InProcessModels, serving

from rewardsmith.web.store import add_key

Visit = Callable[..., Any]
STEPS = "There are 3 boxes.\n3 × 4 = 12.\nSo 12."

# The contrast of a text with what is painted behind it (WCAG 2.2, 1.4.3): 4.5, or 3 where it is large.
FAINT = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(at).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const node of document.querySelectorAll("body *")) {
    const texts = [...node.childNodes].filter((one) => one.nodeType === 3 && one.textContent.trim());
    if (!(texts.length || node.matches("textarea, input, select")) || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const [a, b] = [light(parts(style.color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) faint.push(`${node.className} ${ratio.toFixed(2)} ${node.textContent.slice(0, 30)}`);
  }
  return faint;
}"""


def focused(page: Any) -> str:
    return page.evaluate("document.activeElement.id")


def test_all_of_it_can_be_done_with_the_keyboard(visit: Visit):
    page = visit()
    page.locator("#model:enabled").wait_for()
    page.locator("#card a").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    order = []
    for _ in range(12):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    wanted = ["model", "Report card", "API key", "turn-0-role", "turn-0", "add-turn", "answer-0", "Remove", "answer-1"]
    assert [each for each in order if each in wanted][:9] == wanted
    page.locator("#turn-0").focus()
    page.keyboard.type("What is 2 + 2?")
    page.locator("#answer-0").focus()
    page.keyboard.type("4")
    score(page)
    assert focused(page) == "answer-0"
    assert page.locator(".ranking > li").count() == 1


def test_focus_goes_to_what_was_added_and_to_the_neighbour_of_what_was_removed(visit: Visit):
    page = visit()
    fill(page, "Which?", ["first", "second"])
    page.get_by_role("button", name="Add an answer").press("Enter")
    assert focused(page) == "answer-2"
    page.keyboard.type("third")
    page.get_by_role("button", name="Remove answer B").press("Enter")
    assert focused(page) == "answer-1"
    assert page.locator("#answer-1").input_value() == "third"
    assert page.locator("#answers label").all_inner_texts() == ["Answer A", "Answer B"]
    page.get_by_role("button", name="Remove answer B").press("Space")
    assert focused(page) == "answer-0"
    assert page.get_by_role("button", name="Remove answer A").count() == 0
    page.get_by_role("button", name="Clear all").press("Enter")
    assert focused(page) == "turn-0"
    assert [page.locator(f"#{each}").input_value() for each in ("turn-0", "answer-0", "answer-1")] == ["", "", ""]


def test_blank_answers_are_left_out_and_the_others_keep_their_letters(visit: Visit):
    page = visit()
    fill(page, "Which?", ["", "  ", "third"])
    score(page)
    assert page.locator(".ranking .who").all_inner_texts() == ["1. Answer C"]


def test_what_is_missing_is_said_and_gets_the_focus(visit: Visit):
    page = visit()
    page.locator("#model:enabled").wait_for()
    page.keyboard.press("Control+Enter")
    assert page.get_by_role("status").inner_text() == "The prompt is empty."
    assert focused(page) == "turn-0"
    page.keyboard.type("Which?")
    page.keyboard.press("Control+Enter")
    assert page.get_by_role("status").inner_text() == "There is no answer to score."
    assert focused(page) == "answer-0"
    assert page.locator("#answer-0").get_attribute("aria-invalid") == "true"
    page.keyboard.type("x")
    assert page.locator("#answer-0").get_attribute("aria-invalid") is None


def test_while_it_scores_it_says_so_and_can_be_stopped(visit: Visit):
    page = visit()
    fill(page, "Which?", ["this"])
    held: list[Any] = []
    page.route("**/v1/rewards", lambda route: held.append(route))
    page.get_by_role("button", name="Score").click()
    page.get_by_role("button", name="Stop").wait_for()
    assert page.locator("#results").get_attribute("aria-busy") == "true"
    assert page.get_by_role("status").inner_text() == "Scoring 1 answer …"
    assert page.locator("#score").get_attribute("aria-disabled") == "true"
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped: nothing was scored.").wait_for()
    assert len(held) == 1
    assert focused(page) == "score"
    page.unroute("**/v1/rewards")
    score(page)


def test_a_server_that_is_gone_is_told(visit: Visit, folders: dict[str, Path]):
    with serving({"passed": folders["passed"]}, kind=InProcessModels) as server:
        page = visit(server.url)
        fill(page, "Which?", ["this"])
    page.keyboard.press("Control+Enter")
    page.get_by_role("alert").get_by_text("cannot be reached").wait_for()
    assert page.get_by_role("status").inner_text() == "Not scored."


def test_a_server_with_keys_asks_for_one_and_gives_the_card_as_a_file(
    visit: Visit, folders: dict[str, Path], tmp_path: Path
):
    key = add_key(tmp_path / "keys.yaml", "reader")
    settings = UNGATED.model_copy(update={"keys_file": tmp_path / "keys.yaml"})
    with serving({"passed": folders["passed"]}, settings, kind=InProcessModels) as server:
        page = visit(server.url)
        page.get_by_text("401").wait_for()
        assert focused(page) == "key"
        page.keyboard.type(key)
        page.keyboard.press("Enter")
        fill(page, "Which?", ["this"])
        score(page)
        with page.expect_download() as download:
            page.get_by_role("link", name="Report card").click()
        assert Path(download.value.path()).read_bytes() == (folders["passed"].parent / "card/card.html").read_bytes()
        assert key not in page.content()
        page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_and_every_control_has_a_name(visit: Visit, scheme: str):
    page = visit(scheme=scheme)
    fill(page, "word " * 60, ["this"])
    page.keyboard.press("Control+Enter")
    page.locator("#problem .callout").wait_for()
    assert page.evaluate(FAINT) == []
    for model in ("passed", "failed", "ensemble", "process"):
        fill(page, "How many?", [STEPS, "12"], model=model)
        score(page)
        page.locator("#card:not(:empty)").wait_for()
        assert page.evaluate(FAINT) == [], model
    # The measure sees a text that does not stand out.
    page.evaluate("document.documentElement.style.setProperty('--muted', 'var(--panel)')")
    assert page.evaluate(FAINT) != []
    nameless = "all => all.filter((one) => !one.labels?.length && !one.ariaLabel && !one.textContent.trim()).length"
    assert page.locator("button, input, select, textarea").evaluate_all(nameless) == 0
    assert page.locator("h1").count() == 1
    ids = page.locator("[id]").evaluate_all("all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids))


# 640 is a desktop of 1280 at 200 % zoom; 320 is what WCAG 1.4.10 asks for.
@pytest.mark.parametrize("width", [1280, 640, 390, 320])
def test_it_fits_the_screen(visit: Visit, width: int):
    page = visit(width=width)
    fill(page, "How many?", [STEPS, "x" * 100, "12", "13"], model="process")
    score(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    narrow = "all => all.filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 24).length"
    assert page.locator("button, select, textarea").evaluate_all(narrow) == 0
