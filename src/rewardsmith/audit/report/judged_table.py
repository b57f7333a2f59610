"""A judge on labelled pairs, as a table for a terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.table import Table

from rewardsmith.audit.heldout.accuracy import percent
from rewardsmith.audit.heldout.judged_pairs import JudgedPairs, JudgedRound
from rewardsmith.core.finding import Estimate

_ROWS: tuple[tuple[str, Callable[[JudgedRound], Estimate | None]], ...] = (
    ("agrees with the labels", lambda each: each.accuracy),
    ("  against the round before any critique", lambda each: each.change),
    ("  in one order only", lambda each: each.one_order),
    ("  by the log-odds of both orders", lambda each: each.debiased),
    ("    against the round before any critique", lambda each: each.debiased_change),
    ("cannot tell the two apart", lambda each: each.ties),
    ("the two orders disagree", lambda each: each.inconsistency),
    ("names the answer shown first (half is none)", lambda each: each.first_place),
)


def judged_table(judged: JudgedPairs) -> Table:
    """A column a round, and below what it took."""
    table = Table(title="Judge on labelled pairs", title_justify="left")
    table.add_column("")
    for number in range(len(judged.rounds)):
        table.add_column("verdict" if number == 0 else f"after critique {number}", justify="right")
    for name, measured in _ROWS:
        found = [measured(each) for each in judged.rounds]
        if any(each is not None for each in found):
            table.add_row(name, *("" if each is None else percent(each) for each in found))
    table.add_row("pairs", *(f"{each.accuracy.n:,}" for each in judged.rounds))
    table.add_row("  of them without a verdict", *(f"{each.no_verdict:,}" for each in judged.rounds))
    lines = ["95% intervals over prompt groups; a tie or an inconsistent verdict counts half, none counts nothing."]
    lines.append(f"Asked: {judged.usage}.")
    if judged.truncated:
        lines.append(f"{judged.truncated:,} conversations were too long and were cut to fit.")
    table.caption, table.caption_justify = "\n".join(lines), "left"
    return table
