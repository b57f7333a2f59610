"""The owner's pages: what they count, what they show, and to whom."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.annotate.served import Served
from tests.browser import visits

from rewardsmith.annotate.answers import PairAnswer
from rewardsmith.annotate.pages.dashboard import sections
from rewardsmith.annotate.pages.dashboard.facts import Watch, measure
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import LabelStore, open_store
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import NewVote
from rewardsmith.core.conversation import assistant, user
from rewardsmith.figures.pieces import Cards, Picture, Table

PROJECT = ProjectSettings(name="demo", title="Demo <i>", kind="pair", overlap=2, seed=1)
PARTS = ("", "/raters", "/coverage", "/next")
EVIL = "<script>document.title='hit'</script>"


def _task(n: int) -> Task:
    prompt = f"bake bread number {n} {EVIL}" if n % 2 else f"add the prime numbers up to {n}"
    responses = ((assistant(f"the first answer {n} {EVIL}"),), (assistant("the second"),))
    return Task(id=f"t{n:02}", kind="pair", prompt=(user(prompt),), responses=responses, group=f"g{n}")


def _vote(store: LabelStore, rater: str, say: Callable[[int], Any], *, times: int) -> None:
    """The rater's next votes: what `say` makes of the number of the task."""
    for _ in range(times):
        offer = store.next_task("demo", rater)
        assert offer is not None
        task = offer.task.id
        store.cast("demo", NewVote(f"{rater}-{task}", task, rater, PairAnswer(say(int(task[1:]))), seconds=12.0))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStore]:
    """24 tasks; Ada and Ben voted on twelve and quarrel on one of them; two others were never there."""
    with contextlib.closing(open_store(tmp_path_factory.mktemp("dashboard") / "labels.sqlite")) as opened:
        opened.create_project(PROJECT)
        opened.add_tasks("demo", [_task(n) for n in range(24)])
        opened.set_priorities("demo", {f"t{n:02}": (9.0, "") for n in range(12)} | {"t13": (5.0, "")})
        ada, ben, _ = (opened.add_rater("demo", name).id for name in ("Ada " + EVIL, "Ben", "Cy"))
        opened.add_rater("demo", "Olga", role="owner")
        _vote(opened, ada, lambda n: "tie" if n == 13 else "first" if n % 3 else "second", times=13)
        _vote(opened, ben, lambda n: "first" if n % 3 and n != 1 else "second", times=12)
        opened.set_priorities("demo", {"t20": (1.5, f"the models disagree {EVIL}"), "t13": (1.2, "close")})
        yield opened


def _cards(made: Any) -> dict[str, tuple[str, str]]:
    pieces = [piece for section in made for piece in section.pieces if isinstance(piece, Cards)]
    return {card.label: (card.value, card.detail) for piece in pieces for card in piece.cards}


def _table(made: Any) -> Table:
    return next(piece for section in made for piece in section.pieces if isinstance(piece, Table))


def test_what_is_done_is_counted(store: LabelStore):
    facts = measure(store, "demo")
    cards = _cards(sections.overview(facts))
    # Twelve of 24 have their two votes; 12 · 2 + 1 votes; two of four people voted.
    assert cards["Tasks done"] == ("50%", "12 of 24, 2 votes each")
    assert cards["Votes"][0] == "25"
    assert cards["Raters"] == ("2", "of 4 have voted")
    # They quarrel on t01 alone.
    assert facts.report.disputed == ("t01",)


def test_what_is_asked_next_is_in_the_order_of_priority_with_its_reason(store: LabelStore):
    facts = measure(store, "demo")
    made = sections.asked_next(facts)
    assert _cards(made)["Tasks that need a vote"] == ("12", "of 24")
    # Eleven tasks want two votes each, t13 one.
    assert _cards(made)["Votes still wanted"] == ("23", "2 a task")
    rows = _table(made).rows
    assert [(row[0], row[-1], row[4]) for row in rows[:3]] == [(1, "t20", 0), (2, "t13", 1), (3, "t12", 0)]
    assert [row[2] for row in rows[:3]] == [
        f"the models disagree {EVIL}",
        "close",
        "by lot, among those of its priority",
    ]
    # It is the order in which the store offers them.
    offers = [store.next_task("demo", rater.id) for rater in store.raters("demo") if rater.name == "Cy"]
    assert [offer.task.id for offer in offers if offer] == ["t20"]


def test_regions_have_votes_disagreement_or_nothing(store: LabelStore):
    made = sections.regions(measure(store, "demo"))
    rows = _table(made).rows
    assert sum(row[2] for row in rows) == 24
    assert sum(row[4] for row in rows) == 25
    assert sum(row[5] for row in rows) == 1
    picture = next(piece for piece in made[0].pieces if isinstance(piece, Picture))
    assert "disputed 1" in picture.svg
    assert _cards(made)["Tasks with a vote"] == ("54%", "13 of 24")


def test_who_never_voted_is_named_and_an_empty_project_is_whole(store: LabelStore, tmp_path: Path):
    names = [row[0] for row in sections.raters(measure(store, "demo"))[-1].pieces[0].rows]  # pyright: ignore
    assert names == ["Cy", "Olga"]
    with contextlib.closing(open_store(tmp_path / "empty.sqlite")) as empty:
        empty.create_project(PROJECT)
        facts = measure(empty, "demo")
    for part in (sections.overview, sections.raters, sections.regions, sections.asked_next):
        assert part(facts)


def test_facts_are_measured_again_when_they_are_old(store: LabelStore):
    watch = Watch(store, least_age_s=60)
    assert watch.facts("demo") is watch.facts("demo")
    young = Watch(store, least_age_s=0)
    first = young.facts("demo")
    young._known["demo"] = (first, 0.0)
    assert young.facts("demo") is not first


@pytest.fixture(scope="module")
def url(store: LabelStore) -> Iterator[str]:
    served = Served(store)
    yield served.url
    served.stop()


def _client(store: LabelStore, url: str, name: str) -> httpx2.Client:
    rater = next(each for each in store.raters("demo") if each.name.startswith(name))
    session = store.open_session(rater.id)
    return httpx2.Client(base_url=url, timeout=60, cookies={"rewardsmith-demo": session.token})


@pytest.mark.parametrize("part", PARTS)
def test_only_an_owner_sees_them(store: LabelStore, url: str, part: str):
    with _client(store, url, "Ada") as rater, _client(store, url, "Olga") as owner:
        assert rater.get(f"/p/demo/dashboard{part}").status_code == 403
        assert owner.get(f"/p/other/dashboard{part}").status_code == 401
        assert httpx2.get(f"{url}/p/demo/dashboard{part}").status_code == 401
        reply = owner.get(f"/p/demo/dashboard{part}")
    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "no-store"
    assert EVIL not in reply.text
    # Nothing inline: the policy would drop it.
    assert not re.search(r"<style| style=|<script>|\son[a-z]+=", reply.text)
    assert "Demo &lt;i&gt;" in reply.text


@pytest.mark.parametrize(("width", "scheme", "ink"), [(1280, "light", "27, 36, 48"), (390, "dark", "230, 234, 240")])
def test_an_owner_reads_them_in_a_browser(
    store: LabelStore, url: str, chromium: Any, width: int, scheme: str, ink: str
):
    owner = next(each for each in store.raters("demo") if each.role == "owner")
    with visits(chromium) as visit:
        page = visit(f"{url}/a/{store.make_link('demo', owner.id)}", width=width, scheme=scheme)
        page.locator("main button").first.click()
        page.get_by_role("link", name="Dashboard").click()
        colours = set()
        for name in ("Overview", "Raters", "Coverage", "Asked next"):
            page.get_by_role("navigation", name="Dashboard").get_by_role("link", name=name).click()
            page.get_by_role("heading", name=name, level=1).wait_for()
            # The page itself never scrolls sideways: wide tables and pictures do so in their own frames.
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            for picture in page.locator("svg.plot:visible").all():
                assert picture.bounding_box()["height"] > 60
                # Lines and texts take the page's own colour, light or dark.
                colours.add(picture.evaluate("each => getComputedStyle(each.querySelector('text')).fill"))
        page.get_by_text("Read the first").click()
        assert page.get_by_text("the second", exact=True).first.is_visible()
        assert "hit" not in page.title()
    assert colours == {f"rgb({ink})"}
