"""Rendering: does the reward hang on how tokens are laid out, and are the BOS and the end token where they belong?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.probes.finding import UNIT
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.core.scores import Scorer
from rewardsmith.numerics.intervals import empty_estimate, wilson
from rewardsmith.scoring.rendering import Marks, RenderedScorer, Rendering, rendered_scorer

DIFFERENCE_LIMIT = 1e-3
# bfloat16 keeps about three digits: rewards differ by about a hundredth of their spread.
COARSE_LIMIT = 0.1
CRITICAL_DIFFERENCE = 0.5
MOST_TEXTS = 16


@dataclass(frozen=True, slots=True)
class TokenChecks:
    """What only a scorer that shows its tokens can say.

    Attributes:
        sides: Reward with the padding on the left minus that with it on the right.
        doubled_bos: Reward with a second BOS minus the reward as it is; empty where there is no BOS.
        missing_end: Reward without the end token minus the reward as it is; empty where there is none.
        marks: The tokens at both ends.
    """

    sides: Float64[np.ndarray, " text"]
    doubled_bos: Float64[np.ndarray, " text"]
    missing_end: Float64[np.ndarray, " text"]
    marks: Marks


@dataclass(frozen=True, slots=True)
class RenderingChecks:
    """The same texts, scored in several ways.

    Attributes:
        company: Reward among other texts minus reward alone.
        is_coarse: The scorer computes in half precision.
        tokens: What the tokens show, or why they cannot be seen.
    """

    company: Float64[np.ndarray, " text"]
    is_coarse: bool
    tokens: TokenChecks | Absent


def check_rendering(scorer: Scorer, conversations: Sequence[Conversation]) -> RenderingChecks:
    """Score at most 16 of `conversations`, spread evenly over their lengths, in each of the ways."""
    texts = _spread(conversations)
    together = np.asarray(scorer.score(texts).rewards, dtype=np.float64)
    rendered = rendered_scorer(scorer)
    if rendered is None:
        alone = np.array([float(scorer.score([text]).rewards[0]) for text in texts], dtype=np.float64)
        reason = "the scorer does not show its model and its tokens"
        return RenderingChecks(together - alone, is_coarse=False, tokens=Absent(reason))
    alone = rendered.score(texts, Rendering())
    is_coarse = bool(getattr(scorer, "uses_bf16", False))
    return RenderingChecks(together - alone, is_coarse=is_coarse, tokens=_check_tokens(rendered, texts, alone))


def rendering_findings(checks: RenderingChecks, *, sigma: float) -> list[Finding]:
    """`rendering.batch`, and where the tokens can be seen `rendering.padding_side`, `rendering.bos`, `rendering.eos`.

    Args:
        sigma: Standard deviation of the reward within a prompt.
    """
    limit = COARSE_LIMIT if checks.is_coarse else DIFFERENCE_LIMIT
    batch = _difference("rendering.batch", checks.company, sigma, limit=limit, what="alone and among other texts")
    tokens = checks.tokens
    if isinstance(tokens, Absent):
        return [batch]
    return [
        batch,
        _difference(
            "rendering.padding_side",
            tokens.sides,
            sigma,
            limit=DIFFERENCE_LIMIT,
            what="padded on the left and on the right",
        ),
        _bos(tokens, sigma),
        _end(tokens, sigma),
    ]


def _check_tokens(
    rendered: RenderedScorer, texts: Sequence[Conversation], alone: Float64[np.ndarray, " text"]
) -> TokenChecks:
    marks = rendered.marks(texts)
    none = np.empty(0)
    left, right = (rendered.score(texts, Rendering(padding=side)) for side in ("left", "right"))
    return TokenChecks(
        sides=left - right,
        doubled_bos=rendered.score(texts, Rendering(bos="doubled")) - alone if marks.bos.any() else none,
        missing_end=rendered.score(texts, Rendering(end="missing")) - alone if marks.has_end.any() else none,
        marks=marks,
    )


def _spread(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Short ones, long ones, and those between."""
    distinct = list(dict.fromkeys(conversations))
    by_length = sorted(distinct, key=lambda text: sum(len(content) for _, content in text))
    places = np.unique(np.linspace(0, len(by_length) - 1, min(MOST_TEXTS, len(by_length))).round().astype(int))
    return [by_length[int(place)] for place in places]


def _difference(
    name: str, differences: Float64[np.ndarray, " text"], sigma: float, *, limit: float, what: str
) -> Finding:
    """The largest difference, which for a sound scorer is rounding."""
    known = np.abs(differences[np.isfinite(differences)])
    if not len(known) or not sigma > 0:
        return Finding(name, empty_estimate(), "info", "Nothing can be said: no finite reward.", limit, unit=UNIT)
    largest = float(known.max()) / sigma
    estimate = Estimate(largest, largest, largest, len(known), len(known))
    measured = f"The same text, {what}, differs by at most {largest:.2g} SD over {len(known)} texts."
    if largest <= limit:
        return Finding(name, estimate, "info", measured, limit, unit=UNIT)
    severity = "critical" if largest >= CRITICAL_DIFFERENCE else "warning"
    fix = "Pool by the attention mask, give position ids that start at the first real token, and score in float32."
    return Finding(name, estimate, severity, f"{measured} {fix}", limit, unit=UNIT)


def _bos(tokens: TokenChecks, sigma: float) -> Finding:
    marks = tokens.marks
    fewest = 1 if marks.wants_bos else 0
    wrong = int(((marks.bos > 1) | (marks.bos < fewest)).sum())
    cost = _cost(tokens.doubled_bos, sigma, "A second BOS")
    if not wrong:
        text = "Each text starts with one BOS." if marks.bos.any() else "The model has no BOS."
        return Finding("rendering.bos", wilson(0, len(marks.bos)), "info", f"{text}{cost}", 0.0, unit="share")
    fault = "two BOS tokens" if (marks.bos > 1).any() else "no BOS, which its tokenizer gives every other text"
    summary = f"{wrong} of {len(marks.bos)} texts start with {fault}. Correct the chat template.{cost}"
    return Finding("rendering.bos", wilson(wrong, len(marks.bos)), "warning", summary, 0.0, unit="share")


def _end(tokens: TokenChecks, sigma: float) -> Finding:
    marks = tokens.marks
    wrong = int((~marks.has_end).sum()) if marks.wants_end else 0
    cost = _cost(tokens.missing_end, sigma, "Its absence")
    share = wilson(wrong, len(marks.has_end))
    if not wrong:
        text = "An end token follows each answer." if marks.wants_end else "The model has no end token."
        return Finding("rendering.eos", share, "info", f"{text}{cost}", 0.0, unit="share")
    summary = (
        f"{wrong} of {len(marks.has_end)} answers have no end token behind them: a cut-off answer looks like a whole "
        f"one. Add it to the chat template and train again.{cost}"
    )
    return Finding("rendering.eos", share, "warning", summary, 0.0, unit="share")


def _cost(differences: Float64[np.ndarray, " text"], sigma: float, what: str) -> str:
    known = differences[np.isfinite(differences)]
    if not len(known) or not sigma > 0:
        return ""
    return f" {what} would move the reward by {np.abs(known).mean() / sigma:.2f} SD on average."
