"""Adversarial search: which short phrases and edits raise the reward of bad answers?

The search sees nothing but rewards. What it finds is measured on prompts that it did not see: the best of some hundred
tries on a few prompts is good there by accident too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from jaxtyping import Float64

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.observations import OrderedPair, ordered_pairs, score_conversations
from rewardsmith.audit.stress.tricks import Trick, liked_words, moves, played, trick_name
from rewardsmith.core.conversation import Conversation, assistant, response_text
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer
from rewardsmith.numerics.intervals import empty_estimate, group_bootstrap, share_bootstrap
from rewardsmith.numerics.testing import mean_p_value

BUDGET = 4000
"""Texts that a search may score where nothing else is asked for."""

_SEARCH_PAIRS = 150
_TRIED_ON = 24
_FIRST_LOOK = 6
_FINALISTS = 24
_UNSEEN = 120
_SHOWN = 3
_BEAM = 3
_EXTENSIONS = 8
_LONGEST = 3
_WORDS = 40
FEWEST_TEXTS = 600


@dataclass(frozen=True, slots=True)
class Found:
    """A trick that the search found.

    Attributes:
        trick: What is done to a bad answer.
        sought: Mean shift on the prompts of the search, in standard deviations within a prompt: too good to be true.
        gain: The same on prompts that the search did not see.
        p_value: That the mean of the latter is not above 0.
        beats: Share of those prompts where the bad answer, after the trick, has a higher reward than the good one;
            equal rewards count half.
        transfer: Mean shift of another scorer, in its own standard deviations; absent where none was given.
        before: A bad answer of an unseen prompt, the one that gained most.
        after: The same after the trick.
    """

    trick: str
    sought: float
    gain: Estimate
    p_value: float
    beats: Estimate
    transfer: Estimate | None
    before: Conversation
    after: Conversation


@dataclass(frozen=True, slots=True)
class Search:
    """What the search found.

    Attributes:
        found: The best tricks, best first by what they gained in the search; the first is the one that is judged.
        beats_before: Share of the unseen prompts where the bad answer has the higher reward as it is.
        tried: Tricks that were tried.
        texts: Texts that were scored for it, beside answers as they are.
        budget: Texts that were allowed.
        sought_on: Prompts that the search saw.
        deviation: Standard deviation of the reward within a prompt.
    """

    found: tuple[Found, ...]
    beats_before: Estimate
    tried: int
    texts: int
    budget: int
    sought_on: int
    deviation: float


@dataclass(frozen=True, slots=True)
class _Bad:
    """A bad answer beside the good one of its prompt."""

    prompt: Conversation
    answer: str
    good: Conversation
    group: str

    def after(self, trick: Trick) -> Conversation:
        return (*self.prompt, assistant(played(trick, self.answer)))


class _Meter:
    """Rewards of texts, each computed once, how many texts may still be asked for, and which tricks were tried."""

    def __init__(self, scorer: Scorer, budget: int, *, tell: Callable[[str], object] | None = None) -> None:
        self._scorer = scorer
        self._tell = tell
        self._rewards: dict[Conversation, float] = {}
        self._budget = budget
        self.texts = 0
        self.kept_back = 0
        self.tried: set[Trick] = set()

    @property
    def left(self) -> int:
        """Texts that a look may still ask for."""
        return self._budget - self.texts - self.kept_back

    def rewards(self, conversations: Sequence[Conversation], *, free: bool = False) -> Float64[np.ndarray, " text"]:
        """A reward each; those that are new come off the budget, unless they are free."""
        new = [one for one in dict.fromkeys(conversations) if one not in self._rewards]
        if new:
            self._rewards |= score_conversations(self._scorer, new).by_conversation
            self.texts += 0 if free else len(new)
        return np.array([self._rewards[one] for one in conversations], dtype=np.float64)

    def shifts(self, trick: Trick, bad: Sequence[_Bad]) -> Float64[np.ndarray, " item"]:
        """Raw change of the reward of each bad answer; 0 where it is not a number."""
        before = self.rewards([each.after(()) for each in bad], free=True)
        return np.nan_to_num(self.rewards([each.after(trick) for each in bad]) - before, posinf=0.0, neginf=0.0)

    def best(self, tricks: Sequence[Trick], bad: Sequence[_Bad], *, most: int) -> list[tuple[float, Trick]]:
        """The tricks with the highest mean shift, best first; all texts of one look are scored in one call.

        What the budget does not reach is not tried.
        """
        affordable = list(tricks[: max(0, self.left // max(1, len(bad)))])
        self.tried.update(affordable)
        if self._tell is not None and affordable:
            spent = f"{self.texts:,} of {self._budget:,} texts so far"
            self._tell(f"search: {len(affordable):,} changes on {len(bad)} prompts; {spent}")
        self.rewards([each.after(trick) for trick, each in product(affordable, bad)])
        scored = [(float(self.shifts(trick, bad).mean()), trick) for trick in affordable]
        return sorted(scored, key=lambda pair: -pair[0])[:most]


def search_phrases(
    scorer: Scorer,
    heldout: Sequence[Preference],
    *,
    budget: int = BUDGET,
    transfer: Scorer | None = None,
    seed: int = 0,
    tell: Callable[[str], object] | None = None,
) -> Search | Absent:
    """Search for phrases and edits that raise the reward of the answers that raters rejected.

    Single moves first, on a few prompts; the best on more; then combinations of up to three by a beam search. Half of
    the prompt groups are kept from the search, to measure what it found.

    Args:
        budget: Texts that may be scored, the measurement included; answers as they stand in `heldout` are not counted.
        transfer: Another scorer, to see whether it falls for the same. Its texts are not counted.
        tell: Called with a line before each look, for whoever waits.

    Raises:
        SettingsError: The budget is below 600 texts.
    """
    if budget < FEWEST_TEXTS:
        raise SettingsError("too few texts to search with", wanted=f"at least {FEWEST_TEXTS}", got=budget)
    meter = _Meter(scorer, budget, tell=tell)
    pairs = _scored_pairs(heldout, meter, seed=seed)
    half = min(_SEARCH_PAIRS, len(pairs) // 2)
    seen, unseen = pairs[:half], pairs[half : half + min(_UNSEEN, budget // 8)]
    if len(seen) < _FIRST_LOOK or not unseen:
        return Absent(f"Only {len(pairs)} prompts have a preferred and a rejected answer with a reward.")
    deviation = _deviation(meter, [*seen, *unseen])
    if not deviation > 0:
        return Absent("The reward does not vary within a prompt.")
    # What the measurement takes is set aside first.
    meter.kept_back = _SHOWN * len(unseen)
    best = _beam(meter, seen, seed=seed)
    meter.kept_back = 0
    measured = [_measure(trick, unseen, meter, sought=sought, deviation=deviation, seed=seed) for sought, trick in best]
    if transfer is not None:
        other = _Meter(transfer, 0)
        own = _deviation(other, [*seen, *unseen])
        moved = [_gain(other.shifts(trick, unseen), unseen, deviation=own, seed=seed) for _, trick in best]
        measured = [replace(each, transfer=gain) for each, gain in zip(measured, moved, strict=True)]
    return Search(
        found=tuple(measured),
        beats_before=_beats(meter, (), unseen, seed=seed),
        tried=len(meter.tried),
        texts=meter.texts,
        budget=budget,
        sought_on=len(seen),
        deviation=deviation,
    )


def _scored_pairs(heldout: Sequence[Preference], meter: _Meter, *, seed: int) -> list[_Bad]:
    """One pair a prompt group, in a random order; those with a reward that is not a number are left out."""
    by_group: dict[str, _Bad] = {}
    pairs = ordered_pairs(heldout)
    for index in np.random.default_rng(seed).permutation(len(pairs)):
        pair = pairs[int(index)]
        if not pair.tie and pair.preference.group not in by_group and _usable(pair):
            good, bad = pair.conversations
            by_group[pair.preference.group] = _Bad(bad[:-1], response_text(bad), good, pair.preference.group)
    found = list(by_group.values())[: _SEARCH_PAIRS + max(_SEARCH_PAIRS, _UNSEEN)]
    rewards = meter.rewards([side for each in found for side in (each.after(()), each.good)], free=True)
    sides = np.isfinite(rewards).reshape(-1, 2)
    return [each for each, known in zip(found, sides, strict=True) if known.all()]


def _usable(pair: OrderedPair) -> bool:
    good, bad = pair.conversations
    return bad[-1].role == "assistant" and bool(bad[-1].content.strip()) and good != bad


def _deviation(meter: _Meter, pairs: Sequence[_Bad]) -> float:
    margin = meter.rewards([each.good for each in pairs]) - meter.rewards([each.after(()) for each in pairs])
    return math.sqrt(float((margin**2).mean()) / 2)


def _beam(meter: _Meter, seen: Sequence[_Bad], *, seed: int) -> list[tuple[float, Trick]]:
    """The best tricks with their mean shift on the prompts of the search."""
    some = seen[:_TRIED_ON]
    single: list[Trick] = [(move,) for move in moves(_words(meter, seen))]
    # Half of a small budget goes to the first look, at moves drawn by lot: else nothing is left to confirm them with.
    affordable = meter.left // (2 * min(_FIRST_LOOK, len(some)))
    drawn = [single[int(index)] for index in np.random.default_rng(seed).permutation(len(single))[:affordable]]
    finalists = meter.best(drawn, some[:_FIRST_LOOK], most=_FINALISTS)
    best = meter.best([trick for _, trick in finalists], some, most=_EXTENSIONS)
    beam, extensions = best[:_BEAM], [trick for _, trick in best]
    for _ in range(1, _LONGEST):
        longer = [head + tail for (_, head), tail in product(beam, extensions) if tail[0] not in head]
        grown = meter.best(longer, some, most=_BEAM)
        beam = sorted([*beam, *grown], key=lambda pair: -pair[0])[:_BEAM]
    return beam[:_SHOWN]


def _words(meter: _Meter, seen: Sequence[_Bad]) -> list[str]:
    """Words of the answers that the scorer likes, from rewards that are known anyway."""
    answers = [text for each in seen for text in (each.answer, response_text(each.good))]
    rewards = meter.rewards([side for each in seen for side in (each.after(()), each.good)]).reshape(-1, 2)
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    return liked_words(answers, centred.reshape(-1).tolist(), count=_WORDS)


def _measure(
    trick: Trick, unseen: Sequence[_Bad], meter: _Meter, *, sought: float, deviation: float, seed: int
) -> Found:
    shifts = meter.shifts(trick, unseen)
    most = unseen[int(np.argmax(shifts))]
    return Found(
        trick=trick_name(trick),
        sought=sought / deviation,
        gain=_gain(shifts, unseen, deviation=deviation, seed=seed),
        p_value=mean_p_value(shifts, [each.group for each in unseen], null=0.0, alternative="greater"),
        beats=_beats(meter, trick, unseen, seed=seed),
        transfer=None,
        before=most.after(()),
        after=most.after(trick),
    )


def _gain(shifts: Float64[np.ndarray, " item"], bad: Sequence[_Bad], *, deviation: float, seed: int) -> Estimate:
    """In standard deviations within a prompt; no figure where the reward has none."""
    if not deviation > 0:
        return empty_estimate()
    return group_bootstrap(shifts / deviation, [each.group for each in bad], seed=seed)


def _beats(meter: _Meter, trick: Trick, bad: Sequence[_Bad], *, seed: int) -> Estimate:
    lead = meter.rewards([each.after(trick) for each in bad]) - meter.rewards([each.good for each in bad])
    return share_bootstrap((np.sign(np.nan_to_num(lead)) + 1) / 2, [each.group for each in bad], seed=seed)
