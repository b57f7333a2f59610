"""What a reader sees of a pressure run: the findings, best-of-n as an audit shows it, and RL beside it."""

from __future__ import annotations

from collections.abc import Sequence

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.stress.budget import formula
from rewardsmith.audit.stress.parts import budget_picture, pressure_part
from rewardsmith.audit.stress.pressure import Pressure
from rewardsmith.core.finding import Finding
from rewardsmith.figures.pieces import Callout, Picture, Section, Table
from rewardsmith.figures.plots import Curve
from rewardsmith.optimise.pressure import RL_UNIT, RlPressure


def pressure_sections(
    pressure: Pressure | Absent, rl: RlPressure | Absent, findings: Sequence[Finding]
) -> tuple[Section, ...]:
    """The answer first, then the curves."""
    # A stable sort: the budgets answer the question, and come first.
    ordered = sorted(findings, key=lambda one: not one.name.endswith("budget"))
    told = tuple(Callout(one.severity, one.summary, title=one.name) for one in ordered)
    shown = () if isinstance(rl, Absent) else (_rl_section(rl),)
    return (Section("How far may this reward be followed?", told), *pressure_part(pressure).sections, *shown)


def _rl_section(rl: RlPressure) -> Section:
    nats = [max(0.0, point.kl.value) for point in rl.points]
    series = {
        "gold rating": [point.gold_gain for point in rl.points],
        "reward": [point.proxy_gain for point in rl.points],
    }
    measured = {
        name: Curve(nats, *([getattr(one, end) for one in some] for end in ("value", "low", "high")))
        for name, some in series.items()
    }
    fit = rl.budget.reason if isinstance(rl.budget, Absent) else f"{formula(rl.budget)}."
    rows = tuple((one.name, one.kl, one.gold_gain, one.proxy_gain, one.length) for one in rl.points)
    caption = (
        f"{rl.prompts:,} prompts; {rl.left_out:,} were left out, where a policy has no rated response. KL of whole "
        "responses from the initial policy, on fresh samples. Gains over the initial policy on the same prompts, in "
        "its standard deviations within a prompt."
    )
    return Section(
        "RL",
        (
            Picture(
                budget_picture(measured, rl.budget, title="Checkpoints", unit=RL_UNIT),
                f"Bars and band are 95% intervals over prompts. {fit}",
            ),
            Table(("policy", "KL (nats)", "gold gain", "reward gain", "characters"), rows, caption=caption),
        ),
        intro="The policies that were trained against the reward: what did they gain, and how far have they gone?",
    )
