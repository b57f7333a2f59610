"""Facts → sections of a page. Texts of people and data stand in tables and quotes, never in pictures' markup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rewardsmith.annotate.coverage import Region
from rewardsmith.annotate.pages.dashboard.facts import Facts
from rewardsmith.annotate.quality.page import sections_of
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.errors import shorten
from rewardsmith.figures.pieces import (
    Card,
    Cards,
    Details,
    Example,
    Picture,
    Piece,
    Prose,
    Reply,
    Section,
    Table,
)
from rewardsmith.figures.stacks import stacked_bars
from rewardsmith.figures.strict import without_styles
from rewardsmith.figures.wording import Cell

_MOST_ASKED = 30
_MOST_QUOTED = 5
_PROMPT_CHARS = 90
_QUOTED_CHARS = 1500
_STATES = {"nothing": "no votes", "votes": "votes", "disagreement": "disagreement"}


def overview(facts: Facts) -> tuple[Section, ...]:
    """How far the project is, and what its votes are worth."""
    return (_progress(facts), *_strict(each for each in sections_of(facts.report) if each.title != "Raters"))


def raters(facts: Facts) -> tuple[Section, ...]:
    """Rater by rater, and who has access and has not voted."""
    measured = {row.rater for row in facts.report.raters}
    idle = [rater for rater in facts.raters.values() if rater.id not in measured and rater.origin == "human"]
    found = [each for each in sections_of(facts.report) if each.title == "Raters"]
    rows = tuple((rater.name or "(deleted)", rater.role) for rater in idle)
    waiting = Section("No vote yet", (Table(("rater", "role"), rows),)) if rows else None
    return (*_strict(found), *([waiting] if waiting else []))


def regions(facts: Facts) -> tuple[Section, ...]:
    """Which regions of prompts have votes, disagreement, or nothing."""
    found = facts.coverage.regions
    if not found:
        return (Section("Coverage", (Prose("The project has no task yet."),)),)
    states = Counter(region.state for region in found)
    voted = sum(region.n_voted for region in found)
    cards = Cards(
        (
            Card("Tasks with a vote", f"{voted / len(facts.tasks):.0%}", f"{voted} of {len(facts.tasks)}"),
            Card("Regions without a vote", str(states["nothing"]), f"of {len(found)}"),
            Card("Regions in disagreement", str(states["disagreement"]), "a fifth of their voted tasks is disputed"),
        )
    )
    rows = {
        _region_name(region): {
            "votes agree": region.n_voted - region.n_disputed,
            "disputed": region.n_disputed,
            "no vote": region.n_tasks - region.n_voted,
        }
        for region in found
    }
    picture = stacked_bars(rows, title="Tasks of each region", x_label="tasks")
    intro = "Regions are clusters of prompts by their words, named by words that stand in them more than elsewhere."
    pieces: tuple[Piece, ...] = (cards, Picture(without_styles(picture)), _region_table(facts, found))
    return (Section("Coverage", pieces, intro=intro),)


def asked_next(facts: Facts) -> tuple[Section, ...]:
    """The tasks that raters get next, in order, and why."""
    waiting = facts.open_tasks()
    if not waiting:
        return (Section("Asked next", (Prose("Every task has its votes."),)),)
    cards = Cards(
        (
            Card("Tasks that need a vote", f"{len(waiting):,}", f"of {len(facts.tasks):,}"),
            Card("With a reason", f"{sum(bool(task.why) for task in waiting):,}", "from annotate ask or the file"),
            Card("Votes still wanted", f"{_wanted(facts, waiting):,}", f"{facts.project.overlap} a task"),
        )
    )
    shown = waiting[:_MOST_ASKED]
    rows = tuple(_asked_row(facts, task, place=place) for place, task in enumerate(shown, start=1))
    columns = ("", "prompt", "why", "priority", "votes", "region", "task")
    intro = f"The first {len(shown)} of {len(waiting):,}; of equal ones a lot decides, for each rater anew."
    quotes = tuple(_quoted(task) for task in shown[:_MOST_QUOTED])
    details = Details(f"Read the first {len(quotes)}", quotes)
    return (Section("Asked next", (cards, Table(columns, rows), details), intro=intro),)


def _asked_row(facts: Facts, task: Task, *, place: int) -> tuple[Cell, ...]:
    why = task.why or "by lot, among those of its priority"
    votes, region = facts.n_votes.get(task.id, 0), facts.coverage.of_task.get(task.id)
    return (place, shorten(_prompt(task), _PROMPT_CHARS), why, task.priority, votes, region, task.id)


def _progress(facts: Facts) -> Section:
    total, overlap = len(facts.tasks), facts.project.overlap
    finished = sum(facts.n_votes.get(task, 0) >= overlap for task in facts.tasks)
    each = "1 vote each" if overlap == 1 else f"{overlap} votes each"
    cards = (
        Card("Tasks done", f"{finished / total:.0%}" if total else "–", f"{finished:,} of {total:,}, {each}"),
        Card("Votes", f"{sum(facts.n_votes.values()):,}", "of people; tests, repeats and judges apart"),
        Card("Raters", f"{len(facts.report.raters):,}", f"of {len(facts.raters):,} have voted"),
    )
    return Section("Progress", (Cards(cards),))


def _region_table(facts: Facts, found: Sequence[Region]) -> Table:
    rows = tuple(
        (
            _region_name(region),
            _STATES[region.state],
            region.n_tasks,
            region.n_voted,
            region.n_votes,
            region.n_disputed,
            shorten(_prompt(facts.tasks[region.example]), _PROMPT_CHARS),
        )
        for region in found
    )
    return Table(("region", "state", "tasks", "with votes", "votes", "disputed", "a typical prompt"), rows)


def _region_name(region: Region) -> str:
    return f"{region.number} {', '.join(region.words)}".strip()


def _wanted(facts: Facts, waiting: Sequence[Task]) -> int:
    return sum(facts.project.overlap - facts.n_votes.get(task.id, 0) for task in waiting)


def _prompt(task: Task) -> str:
    said = [content for role, content in task.prompt if role == "user"]
    return said[-1] if said else "(no prompt)"


def _quoted(task: Task) -> Example:
    cut = tuple(turn._replace(content=_cut(turn.content)) for turn in task.prompt)
    replies = tuple(
        Reply(f"response {place}", tuple(turn._replace(content=_cut(turn.content)) for turn in response))
        for place, response in enumerate(task.responses, start=1)
    )
    return Example(f"Task {task.id}", cut, replies, note=task.why)


def _cut(text: str) -> str:
    return text if len(text) <= _QUOTED_CHARS else text[:_QUOTED_CHARS] + " …"


def _strict(sections: Iterable[Section]) -> tuple[Section, ...]:
    """The same with pictures that a page without inline styles can show."""
    return tuple(replace(section, pieces=tuple(map(_strict_piece, section.pieces))) for section in sections)


def _strict_piece(piece: Piece) -> Piece:
    match piece:
        case Picture():
            return replace(piece, svg=without_styles(piece.svg))
        case Details():
            return replace(piece, pieces=tuple(map(_strict_piece, piece.pieces)))
        case _:
            return piece
