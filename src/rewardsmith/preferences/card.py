"""The data card: what is in a set of preferences, what was left out and why, and how far free guesses get on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int

from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Preference
from rewardsmith.figures.markdown import render_markdown
from rewardsmith.figures.page import render_page
from rewardsmith.figures.pieces import Callout, Card, Cards, Details, Picture, Piece, Section, Table, estimate_card
from rewardsmith.figures.plots import bars, histogram
from rewardsmith.figures.wording import number
from rewardsmith.preferences.floors import Floor, bag_of_words, longer_wins, shorter_wins
from rewardsmith.preferences.outcome import Reason, destination
from rewardsmith.preferences.report import REPAIRS
from rewardsmith.preferences.statistics import Agreement, DataStatistics, collect, summarise

# Below this share of longer (or shorter) winners, length alone says little about the label.
_LENGTH_BIAS = 0.6
# Krippendorff's own lower limit for tentative conclusions.
_ALPHA_LIMIT = 0.667
# More rows than this make a table that nobody reads.
_MOST_RATERS = 30


@dataclass(frozen=True, slots=True)
class DataCard:
    """A described set of preferences, ready to be written in three formats.

    Attributes:
        title: Name of the set.
        statistics: Counts and distributions.
        floors: Longer wins, shorter wins, bag of words; empty where they were not asked for.
        reasons: Rows that are not in the set, by reason.
        repairs: What was changed inside the preferences that stayed, by the names of `report.REPAIRS`.
        token_lengths: Tokens of each preference, where it was encoded.
    """

    title: str
    statistics: DataStatistics
    floors: tuple[Floor, ...]
    reasons: Mapping[str, int]
    token_lengths: Int[np.ndarray, " preference"] | None = None
    repairs: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All numbers, as JSON values; NaN becomes null."""
        statistics = self.statistics
        return {
            "title": self.title,
            "preferences": statistics.preferences,
            "groups": statistics.groups,
            "pairs": statistics.pairs,
            "ties": statistics.ties,
            "soft_labels": statistics.soft_labels,
            "sources": dict(statistics.sources),
            "responses": {str(size): count for size, count in statistics.responses.items()},
            "prompt_turns": {str(size): count for size, count in statistics.turns.items()},
            "left_out": dict(self.reasons),
            "changed_inside": dict(self.repairs),
            "lengths": {name: summarise(values) for name, values in _lengths(self).items()},
            "margins": summarise(statistics.margins),
            "agreement": _agreement_json(statistics.agreement),
            "floors": {floor.name: _estimate_json(floor.estimate) for floor in self.floors},
        }

    def to_markdown(self) -> str:
        """The card without its pictures."""
        return render_markdown(self.title, _sections(self), subtitle=_SUBTITLE)

    def to_html(self) -> str:
        """The card as one self-contained page."""
        return render_page(self.title, _sections(self), subtitle=_SUBTITLE)


_SUBTITLE = "What these preferences hold, what was left out, and how far free guesses get."


def describe(
    preferences: Iterable[Preference],
    *,
    title: str = "Preference data",
    reasons: Mapping[str, int] | None = None,
    repairs: Mapping[str, int] | None = None,
    token_lengths: Int[np.ndarray, " preference"] | None = None,
    with_floors: bool = True,
    seed: int = 0,
) -> DataCard:
    """The card of `preferences`.

    Args:
        reasons: Rows that were left out, by reason, as the manifest counts them.
        repairs: What was changed inside preferences that stayed; see `report.repairs_in`.
        token_lengths: Tokens of each preference, such as `PreferenceTable.lengths`.
        with_floors: Fit and judge the floors; a bag of words takes about a second for each thousand pairs.
    """
    items = list(preferences)
    judges = (longer_wins, shorter_wins, bag_of_words) if with_floors else ()
    floors = tuple(judge(items, seed=seed) for judge in judges)
    known = {str(reason): count for reason, count in (reasons or {}).items() if count}
    return DataCard(title, collect(items, seed=seed), floors, known, token_lengths, dict(repairs or {}))


def _sections(card: DataCard) -> list[Section]:
    sections = [_overview(card), _length_section(card)]
    if card.floors:
        sections.append(_floor_section(card.floors))
    if card.statistics.agreement:
        sections.append(_agreement_section(card.statistics.agreement))
    if len(card.statistics.margins):
        picture = histogram({"margins": card.statistics.margins}, title="Margins in the data", x_label="margin")
        sections.append(Section("Margins", (Picture(picture), _summary_table({"margin": card.statistics.margins}))))
    if card.reasons:
        sections.append(_reason_section(card.reasons, kept=card.statistics.preferences))
    if any(card.repairs.values()):
        sections.append(_repair_section(card.repairs))
    return sections


def _overview(card: DataCard) -> Section:
    statistics = card.statistics
    ties = f"{number(_share(statistics.ties, statistics.pairs), percent=True)} of the pairs"
    cards = [
        Card("Preferences", number(statistics.preferences), f"{number(statistics.groups)} prompt groups"),
        Card("Pairs", number(statistics.pairs), f"{number(statistics.soft_labels)} with soft labels"),
        Card("Ties", number(statistics.ties), ties),
        Card("Left out", number(sum(card.reasons.values())), f"for {len(card.reasons)} reasons"),
    ]
    pieces: list[Piece] = [Cards(tuple(cards))]
    if statistics.preferences == 0:
        pieces.append(Callout("critical", "There is no preference in this set.", "Empty"))
    rows = tuple((name, count, _share(count, statistics.preferences)) for name, count in statistics.sources.items())
    pieces.append(Table(("source", "preferences", "share"), rows, caption="By source", percent=True))
    shapes = (("responses of a prompt", statistics.responses), ("turns of the prompt", statistics.turns))
    tables = [
        Table((what, "preferences"), tuple((str(size), count) for size, count in counts.items()))
        for what, counts in shapes
    ]
    pieces.append(Details("Responses and turns", tuple(tables)))
    return Section("Overview", tuple(pieces))


def _length_section(card: DataCard) -> Section:
    statistics = card.statistics
    pieces: list[Piece] = []
    if len(statistics.chosen_chars):
        both = {"chosen": statistics.chosen_chars, "rejected": statistics.rejected_chars}
        picture = histogram(both, title="Length of responses", x_label="characters", items="responses", log_x=True)
        pieces.append(Picture(picture, "Pairs that are not ties; each side counts once a pair."))
    pieces.append(_summary_table(_lengths(card)))
    return Section("Lengths", tuple(pieces))


def _floor_section(floors: tuple[Floor, ...]) -> Section:
    estimates = {floor.name: floor.estimate for floor in floors}
    picture = bars(estimates, title="Accuracy of free guesses", x_label="accuracy", references={"coin": 0.5})
    rows = tuple((floor.name, floor.estimate, floor.estimate.n, floor.estimate.groups) for floor in floors)
    pieces: list[Piece] = [Picture(picture), Table(("floor", "accuracy", "pairs", "groups"), rows, percent=True)]
    for floor in floors:
        if floor.name != "bag of words" and floor.estimate.low > _LENGTH_BIAS:
            text = (
                f"“{floor.name}” is right in {number(floor.estimate.value, percent=True)} of the pairs. "
                "A model can learn length instead of quality here; compare its accuracy with this floor."
            )
            pieces.append(Callout("warning", text, "Length goes with the label"))
    intro = "A reward model that does not clearly beat these has learnt nothing that they do not know."
    return Section("Floors", tuple(pieces), intro)


def _agreement_section(agreement: Agreement) -> Section:
    low = agreement.alpha.value < _ALPHA_LIMIT
    cards = (
        estimate_card("Krippendorff’s α", agreement.alpha, percent=False, severity="warning" if low else "info"),
        estimate_card("Pairs of raters that agree", agreement.raw),
    )
    pieces: list[Piece] = [Cards(cards)]
    if agreement.raters:
        ordered = sorted(agreement.raters.items(), key=lambda entry: (entry[1].value, entry[0]))
        rows = tuple((rater, estimate, estimate.n) for rater, estimate in ordered[:_MOST_RATERS])
        shown = f"{len(rows)} of {len(ordered)} raters, least agreement first"
        pieces.append(Table(("rater", "agreement with the rest", "votes"), rows, caption=shown, percent=True))
    intro = "α corrects for chance: 1 is perfect agreement, 0 is what random votes reach."
    return Section("Agreement", tuple(pieces), intro)


def _reason_section(reasons: Mapping[str, int], *, kept: int) -> Section:
    total = kept + sum(reasons.values())
    ordered = sorted(reasons.items(), key=lambda entry: (-entry[1], entry[0]))
    known = {reason.value for reason in Reason}
    rows = tuple(
        (name, count, _share(count, total), destination(Reason(name)) if name in known else "")
        for name, count in ordered
    )
    return Section(
        "Left out",
        (Table(("reason", "rows", "share of all", "written to"), rows, percent=True),),
        f"{number(sum(reasons.values()))} of {number(total)} rows are not in this set.",
    )


def _repair_section(repairs: Mapping[str, int]) -> Section:
    rows = tuple((name, count, REPAIRS.get(name, "")) for name, count in repairs.items() if count)
    intro = "What was taken out of preferences that stay, counted over all that was read, both sides of a split."
    return Section("Changed inside preferences", (Table(("what", "count", "meaning"), rows),), intro)


def _lengths(card: DataCard) -> dict[str, np.ndarray]:
    lengths = {
        "prompt (characters)": card.statistics.prompt_chars,
        "chosen (characters)": card.statistics.chosen_chars,
        "rejected (characters)": card.statistics.rejected_chars,
    }
    if card.token_lengths is not None:
        lengths["whole preference (tokens)"] = np.asarray(card.token_lengths)
    return lengths


def _summary_table(values: Mapping[str, np.ndarray]) -> Table:
    rows = [(name, summarise(entry)) for name, entry in values.items()]
    columns = tuple(rows[0][1])
    return Table(("", *columns), tuple((name, *(entry[column] for column in columns)) for name, entry in rows))


def _agreement_json(agreement: Agreement | None) -> dict[str, Any] | None:
    if agreement is None:
        return None
    return {
        "krippendorff_alpha": _estimate_json(agreement.alpha),
        "raw": _estimate_json(agreement.raw),
        "raters": {rater: _estimate_json(estimate) for rater, estimate in agreement.raters.items()},
    }


def _estimate_json(estimate: Estimate) -> dict[str, float | int | None]:
    ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    known = {name: None if math.isnan(end) else end for name, end in ends.items()}
    return {**known, "n": estimate.n, "groups": estimate.groups}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
