"""The pages in a browser: keys, a connection that breaks, all kinds of tasks, small screens, contrast."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.annotate.pages.labelling import PROJECTS, add_project, link
from tests.annotate.served import Served
from tests.browser import Visit, visits
from tests.serve.page.test_use import FAINT

from rewardsmith.annotate.answers import AttributesAnswer, FirstErrorAnswer, PairAnswer, RankingAnswer
from rewardsmith.annotate.store import LabelStore, open_store
from rewardsmith.core.conversation import response_text


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStore]:
    """Projects of all kinds: 25 pairs, three tasks of each other kind."""
    with contextlib.closing(open_store(tmp_path_factory.mktemp("use") / "labels.sqlite")) as store:
        for name, project in PROJECTS.items():
            add_project(store, project.model_copy(update={"overlap": 9}), n_tasks=25 if name == "pairs" else 3)
        yield store


@pytest.fixture(scope="module")
def served(labels: LabelStore) -> Iterator[Served]:
    running = Served(labels)
    yield running
    running.stop()


@pytest.fixture
def visit(chromium: Any, served: Served, labels: LabelStore) -> Iterator[Visit]:
    """A new rater opens the link of a project; nothing that the page loads or runs may be refused or fail."""
    with visits(chromium) as opened:

        def begun(project: str, name: str, *, role: Any = "rater", **more: Any) -> Any:
            page = opened(f"{served.url}/a/{link(labels, project, name, role)}", **more)
            page.get_by_role("button", name="Begin").click()
            page.wait_for_url(f"**/p/{project}")
            return page

        yield begun


def votes_of(labels: LabelStore, project: str, name: str) -> list[Any]:
    rater = next(each.id for each in labels.raters(project) if each.name == name)
    return [vote for vote in labels.votes(project) if vote.rater == rater]


def press(page: Any, key: str) -> None:
    """A key that votes or undoes: the next page is there afterwards."""
    id = page.locator("input[name=id]").get_attribute("value")
    page.keyboard.press(key)
    page.wait_for_function("id => document.querySelector('input[name=id]')?.value !== id", arg=id)
    page.wait_for_load_state()


def answers(page: Any) -> list[str]:
    return [each.strip() for each in page.locator(".answer .prose").all_inner_texts()]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_rater_labels_twenty_pairs_by_keyboard_undoes_one_and_loses_the_connection(visit: Visit, labels: LabelStore):
    page = visit("pairs", "Ann")
    wanted: list[str | None] = []
    for i in range(20):
        key = "12t1"[i % 4]
        wanted.append(None if key == "t" else answers(page)[int(key) - 1])
        if i == 7:
            wrong, before = wanted.pop(), answers(page)
            press(page, "2" if key == "1" else "1")
            press(page, "u")
            assert answers(page) == before
            wanted.append(wrong)
        if i == 11:
            page.context.set_offline(True)
            page.keyboard.press(key)
            page.get_by_role("status").get_by_text("No connection. Your vote is kept in this browser").wait_for()
            assert len(votes_of(labels, "pairs", "Ann")) == 11
            id = page.locator("input[name=id]").get_attribute("value")
            page.context.set_offline(False)
            page.wait_for_function("id => document.querySelector('input[name=id]')?.value !== id", arg=id)
            page.wait_for_load_state()
        else:
            press(page, key)
    cast = votes_of(labels, "pairs", "Ann")
    chosen = [
        None
        if vote.answer.choice == "tie"
        else response_text(labels.task("pairs", vote.task).responses[vote.answer.choice == "second"])
        for vote in cast
    ]
    assert chosen == wanted
    assert len({vote.id for vote in cast}) == 20
    assert all(0 < vote.seconds < 60 for vote in cast)
    assert page.locator(".progress").inner_text() == "20 done, 4 to go"
    assert page.evaluate("Object.keys(localStorage).length") == 0


def test_an_offline_vote_can_be_taken_back_and_survives_a_closed_tab_and_a_dead_server(
    visit: Visit, labels: LabelStore, served: Served
):
    page = visit("pairs", "Bob")
    served.stop()
    page.keyboard.press("1")
    page.get_by_text("Your vote is kept").wait_for()
    page.keyboard.press("u")
    page.get_by_text("Taken back. Vote again.").wait_for()
    page.keyboard.press("2")
    page.get_by_text("Your vote is kept").wait_for()
    page.close()
    served.start()
    again = page.context.new_page()
    again.goto(f"{served.url}/p/pairs")
    again.get_by_text("1 done").wait_for()
    [vote] = votes_of(labels, "pairs", "Bob")
    assert vote.answer == PairAnswer("second" if vote.shown[1] == 1 else "first")


def test_axes_and_a_required_rationale_by_keyboard(visit: Visit, labels: LabelStore):
    page = visit("axes", "Ann")
    for key in "12t":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    assert page.get_by_role("status").inner_text() == "Something is not answered yet."
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    assert page.get_by_role("status").inner_text() == "Please say why."
    page.keyboard.type("1 is shorter, and t and s and u are letters")
    assert votes_of(labels, "axes", "Ann") == []
    press(page, "Control+Enter")
    [vote] = votes_of(labels, "axes", "Ann")
    one, two = ("first", "second") if vote.shown[0] == 0 else ("second", "first")
    assert vote.answer == PairAnswer(two, {"helpful": one, "truthful": two, "harmless": "tie"})  # pyright: ignore
    assert vote.rationale == "1 is shorter, and t and s and u are letters"


def test_a_ranking_by_keyboard(visit: Visit, labels: LabelStore):
    page = visit("ranks", "Ann")
    for key in ("3", "1", "Backspace", "2", "t", "4", "1"):
        page.keyboard.press(key)
    assert page.locator("#order").inner_text() == "3 > 2 = 4 > 1"
    press(page, "Enter")
    [vote] = votes_of(labels, "ranks", "Ann")
    # Place 3 has rank 1, places 2 and 4 rank 2, place 1 rank 3.
    ranks = dict(zip(vote.shown, (3, 2, 1, 2), strict=True))
    assert vote.answer == RankingAnswer(tuple(ranks[response] for response in range(4)))


def test_ratings_and_a_skip_by_keyboard(visit: Visit, labels: LabelStore):
    page = visit("ratings", "Ann")
    press(page, "s")
    page.keyboard.press("9")
    page.keyboard.press("0")
    page.keyboard.press("3")
    press(page, "Enter")
    assert [vote.answer for vote in votes_of(labels, "ratings", "Ann")] == [
        None,
        AttributesAnswer({"depth": 0, "style": 3}),
    ]


def test_the_first_wrong_step_by_keyboard(visit: Visit, labels: LabelStore):
    page = visit("steps", "Ann")
    page.keyboard.press("2")
    page.keyboard.press("ArrowDown")
    press(page, "Enter")
    page.keyboard.press("n")
    press(page, "Enter")
    assert [vote.answer for vote in votes_of(labels, "steps", "Ann")] == [FirstErrorAnswer(2), FirstErrorAnswer(None)]


def test_single_keys_can_be_turned_off(visit: Visit, labels: LabelStore):
    page = visit("pairs", "Cleo")
    page.keyboard.press("?")
    page.get_by_label("Single keys vote").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("1")
    page.keyboard.press("g")
    assert page.locator("#guidelines").get_attribute("open") is not None
    assert votes_of(labels, "pairs", "Cleo") == []
    page.get_by_role("button", name="Answer 1 is better").press("Enter")
    wait_for(lambda: len(votes_of(labels, "pairs", "Cleo")) == 1)


def test_a_session_that_ended_keeps_the_vote(visit: Visit, labels: LabelStore, served: Served):
    page = visit("pairs", "Dora")
    rater = next(each.id for each in labels.raters("pairs") if each.name == "Dora")
    labels.revoke_links("pairs", rater)
    page.keyboard.press("1")
    page.get_by_text("Open your access link again").wait_for()
    page.goto(f"{served.url}/a/{labels.make_link('pairs', rater)}")
    page.get_by_role("button", name="Begin").click()
    page.get_by_text("1 done").wait_for()
    assert len(votes_of(labels, "pairs", "Dora")) == 1


def test_without_scripts_the_buttons_vote(visit: Visit, labels: LabelStore):
    page = visit("pairs", "Emil", java_script_enabled=False)
    chosen = answers(page)[1]
    page.get_by_role("button", name="Answer 2 is better").click()
    page.get_by_text("1 done").wait_for()
    [vote] = votes_of(labels, "pairs", "Emil")
    assert response_text(labels.task("pairs", vote.task).responses[vote.answer.choice == "second"]) == chosen
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("0 done").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_and_every_control_has_a_name(visit: Visit, scheme: str):
    for project in PROJECTS:
        page = visit(project, f"Eyes {scheme}", scheme=scheme, role="owner")
        for path in ("", "/guidelines", "/adjudicate") if project == "pairs" else ("",):
            page.goto(page.url.partition("/p/")[0] + f"/p/{project}{path}")
            # Inputs of a choice are drawn by their labels.
            faint = [each for each in page.evaluate(FAINT) if not each.strip().startswith("1.00")]
            assert faint == [], (project, path)
            nameless = (
                "all => all.filter((one) => !one.labels?.length && !one.ariaLabel && !one.textContent.trim()).length"
            )
            assert page.locator("button, input:not([type=hidden]), select, textarea").evaluate_all(nameless) == 0
            assert page.locator("h1").count() == 1
            ids = page.locator("[id]").evaluate_all("all => all.map((one) => one.id)")
            assert len(ids) == len(set(ids))


# 640 is a desktop of 1280 at 200 % zoom; 320 is what WCAG 1.4.10 asks for.
@pytest.mark.parametrize("width", [640, 390, 320])
def test_it_fits_the_screen_and_the_finger(visit: Visit, width: int):
    touch = {"has_touch": True, "is_mobile": True} if width < 600 else {}
    for project in PROJECTS if width == 390 else ("axes", "ranks"):
        page = visit(project, f"Thumb {width}", width=width, height=844, **touch)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, project
        page.evaluate("scrollTo(0, 0)")
        bar = page.locator("#bar").bounding_box()
        assert bar["y"] + bar["height"] == pytest.approx(844, abs=1), project
        if touch:
            small = """all => all.filter((one) => one.checkVisibility() && !one.closest("dialog"))
              .map((one) => one.getBoundingClientRect())
              .filter(({ width, height }) => Math.min(width, height) < 43.5).length"""
            assert page.locator("button, .segments label, .mark, summary, .menu a").evaluate_all(small) == 0, project
        page.context.close()


def test_answers_stand_side_by_side_where_there_is_room_and_lines_stay_short(visit: Visit):
    wide, narrow = visit("pairs", "Wide", width=1280), visit("pairs", "Narrow", width=390)
    tops = "all => all.map((one) => one.getBoundingClientRect().top)"
    left, right = wide.locator(".answer").evaluate_all(tops)
    assert left == right
    above, below = narrow.locator(".answer").evaluate_all(tops)
    assert above < below
    longest = """all => Math.max(...all.map(
      (one) => one.getBoundingClientRect().width / parseFloat(getComputedStyle(one).fontSize)))"""
    # 70 ch of this font are some 45 em at most.
    assert wide.locator(".prose").evaluate_all(longest) < 45
