"""What a reply must say, and how it is read: by its last line of a fixed form, or by the odds of its next token."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rewardsmith.scoring.families.judge.settings import JudgeSettings


class NoVerdictError(ValueError):
    """A reply holds no verdict; the text says what was wrong, in words that the model can be shown."""


@dataclass(frozen=True)
class Form:
    """The form of a verdict.

    Attributes:
        name: Word in front of the colon.
        values: Answer → its value.
        options: The answers whose odds are read.
    """

    name: str
    values: Mapping[str, float]
    options: tuple[str, ...]

    @property
    def prefix(self) -> str:
        """How a reply begins that holds nothing but the verdict."""
        return f"{self.name}:"

    @property
    def is_choice(self) -> bool:
        """Whether the answers are two sides, and not points of a scale."""
        return len(self.options) == 2 and sum(self.values[option] for option in self.options) == 0

    def line(self, answer: str) -> str:
        """The line that says `answer`."""
        return f"{self.name}: {answer}"

    def wanted(self, answers: Sequence[str] | None = None) -> str:
        """The lines that are accepted, in words."""
        lines = [f"`{self.line(answer)}`" for answer in answers or tuple(self.values)]
        if len(lines) > 4:
            return f"one of {lines[0]}, {lines[1]}, …, {lines[-1]}"
        return f"{', '.join(lines[:-1])} or {lines[-1]}"

    def parse(self, reply: str) -> float:
        """The value that the last verdict line of `reply` gives.

        Letters may be small, and marks such as `**` or `[[ ]]` may stand around the name and the answer; any further
        word makes a line none. Earlier verdicts, which a model may weigh or quote, do not count.

        Raises:
            NoVerdictError: No line has that form, or the last one gives an answer that is not offered.
        """
        found = self._line.findall(reply)
        if not found:
            raise NoVerdictError(f"it has no line that begins with `{self.prefix}`")
        said = found[-1].strip(" \t*_`'\"[](){}<>.!|#\r").casefold()
        for answer, value in self.values.items():
            if said == answer.casefold():
                return value
        raise NoVerdictError(f"its last such line says `{' '.join(found[-1].split())[:60]}`")

    def from_log_probs(self, log_probs: Sequence[float]) -> float:
        """What the log-probabilities of the options say: log p(first) − log p(second) of two sides, else the expected
        value E[v] = Σ p·v / Σ p over the points of the scale."""
        found = np.asarray(log_probs, dtype=np.float64)
        if self.is_choice:
            return float(found[0] - found[1])
        weights = np.exp(found - found.max())
        values = np.array([self.values[option] for option in self.options])
        return float(weights @ values / weights.sum())

    @cached_property
    def _line(self) -> re.Pattern[str]:
        return re.compile(rf"^[^\w\n]*{re.escape(self.name)}[^\w\n:]*:(.*)$", re.IGNORECASE | re.MULTILINE)


PAIRWISE = Form("Verdict", {"A": 1.0, "B": -1.0, "tie": 0.0}, ("A", "B"))
"""1: the answer that is shown first is better."""


def pointwise_form(scale: tuple[int, int]) -> Form:
    """Whole numbers from `scale[0]` to `scale[1]`."""
    scores = tuple(range(scale[0], scale[1] + 1))
    return Form("Score", {str(score): float(score) for score in scores}, tuple(str(score) for score in scores))


def form_of(settings: JudgeSettings) -> Form:
    """The form that a judge's replies have."""
    return PAIRWISE if settings.kind == "pairwise" else pointwise_form(settings.scale)
