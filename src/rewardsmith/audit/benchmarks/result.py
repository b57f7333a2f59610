"""The result of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rewardsmith.audit.benchmarks.published import Published
from rewardsmith.audit.evaluation import to_json
from rewardsmith.core.finding import Estimate, Finding, finding_name
from rewardsmith.core.scores import Provenance

Level = Literal["overall", "section", "part", "subset"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a benchmark.

    Attributes:
        name: `overall`, or the name of the section, part or subset.
        level: `overall` is the published score, `section` what it is a mean of, `part` a figure beside it.
        estimate: The value with an interval that resamples prompts.
        chance: What random rewards get, where that is known.
        ties: Pairs of a correct and an incorrect answer behind the figure with equal rewards; absent where they are
            counted in another figure.
    """

    name: str
    level: Level
    estimate: Estimate
    chance: float | None = None
    ties: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a benchmark's rules make of the rewards.

    Attributes:
        figures: The overall score first.
        rule: The rules in a sentence or two.
        notes: What the reader must know of these data, such as a missing subset.
    """

    figures: tuple[Figure, ...]
    rule: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """What was scored.

    Attributes:
        questions: Prompts with their answers.
        answers: Answers of all questions.
        scored: Distinct conversations, each scored once.
        ties: Pairs of a correct and an incorrect answer with exactly equal rewards.
        unscored: Answers whose reward is not a finite number; they never win.
        truncated: Conversations that were cut to fit; absent where the scorer does not count them.
    """

    questions: int
    answers: int
    scored: int
    ties: int
    unscored: int
    truncated: int | None


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """A model on a benchmark.

    Attributes:
        benchmark: `rewardbench`, `rewardbench-2`, `rm-bench`, `pairs` or `best-of-k`.
        model: As it was named.
        data: As it was named.
        figures: The overall score first.
        rule: How they were computed.
        notes: What the reader must know of these data.
        counts: What was scored, ties, and what was cut.
        provenance: Digests of the weights and of the template.
        published: Scores of other models, from elsewhere.
        seed: Of the intervals.
    """

    benchmark: str
    model: str
    data: str
    figures: tuple[Figure, ...]
    rule: str
    notes: tuple[str, ...]
    counts: Counts
    provenance: Provenance
    published: tuple[Published, ...]
    seed: int

    @property
    def overall(self) -> Figure:
        """The score that leaderboards show."""
        return self.figures[0]


def figure(result: BenchmarkResult, name: str) -> Figure:
    """The figure of that name.

    Raises:
        KeyError: There is none.
    """
    for each in result.figures:
        if each.name == name:
            return each
    raise KeyError(name)


def benchmark_findings(result: BenchmarkResult) -> tuple[Finding, ...]:
    """`benchmark.<name>` for the score, and `benchmark.<name>.<section>` for what it is a mean of."""
    shown = [each for each in result.figures if each.level in ("overall", "section")]
    return tuple(_finding(result, each) for each in shown)


def as_json(result: BenchmarkResult) -> dict[str, Any]:
    """The result as JSON values, with its findings. NaN becomes `null`."""
    return {**to_json(result), "findings": to_json(benchmark_findings(result))}


def _finding(result: BenchmarkResult, each: Figure) -> Finding:
    estimate = each.estimate
    name = finding_name("benchmark", result.benchmark, *(() if each.level == "overall" else (each.name,)))
    if not estimate.n or estimate.value != estimate.value:
        return Finding(name, estimate, "info", f"No figure for {each.name}.", unit="share")
    summary = f"{result.benchmark}, {each.name}: {estimate}."
    if each.chance is not None and estimate.low <= each.chance:
        summary += f" Not shown to be better than chance ({each.chance:.2f})."
        return Finding(name, estimate, "warning", summary, limit=each.chance, unit="share")
    return Finding(name, estimate, "info", summary, limit=each.chance, unit="share")
