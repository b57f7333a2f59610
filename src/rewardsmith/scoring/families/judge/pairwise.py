"""The pairwise judge: which of two answers is better?"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.numerics.tournament import fitted_scores, win_shares
from rewardsmith.scoring.families.judge.ask import Opinion
from rewardsmith.scoring.families.judge.groups import by_prompt, comparisons
from rewardsmith.scoring.families.judge.questioner import Questioner, require_answers
from rewardsmith.scoring.families.judge.stream import by_runs
from rewardsmith.scoring.families.judge.usage import Usage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers, judged in both orders.

    Attributes:
        forward: With the first answer shown first.
        backward: With the second answer shown first.
    """

    forward: Opinion
    backward: Opinion

    @property
    def is_judged(self) -> bool:
        """Whether there is a verdict in both orders."""
        return self.forward.value is not None and self.backward.value is not None

    @property
    def is_consistent(self) -> bool:
        """Whether both orders name the same answer, or both a tie; false without both verdicts."""
        return self.is_judged and bool(np.sign(self.forward.value or 0.0) == -np.sign(self.backward.value or 0.0))

    @property
    def choice(self) -> int | None:
        """1 for the first answer, −1 for the second, 0 for a tie, which an inconsistent pair of verdicts is too;
        `None` without both verdicts."""
        if not self.is_judged:
            return None
        return int(np.sign(self.forward.value or 0.0)) if self.is_consistent else 0

    @property
    def log_odds(self) -> float | None:
        """½ (l_forward − l_backward): the log-odds of the first answer, in which a leaning to a place cancels out."""
        if self.forward.value is None or self.backward.value is None:
            return None
        return (self.forward.value - self.backward.value) / 2

    @property
    def first_place_share(self) -> float | None:
        """Share of the two verdicts that name the answer shown first, ties half: ½ where the place does not matter."""
        if self.forward.value is None or self.backward.value is None:
            return None
        return float(2 + np.sign(self.forward.value) + np.sign(self.backward.value)) / 4


class PairwiseJudge:
    """Compares answers, in both orders; a `Scorer` of the answers of a prompt among each other.

    A reward depends on the other answers of its prompt in the same call: they are the rivals. Written verdicts give the
    share of its comparisons that an answer won, an inconsistent one counting as a tie. Log-odds give the scores that
    fit them best (`numerics.tournament.fitted_scores`), nats. An answer without a rival has a reward of NaN, which is
    counted; `score_by_prompt` refuses it. Of several rounds the last one counts.

    Args:
        questioner: Asks the model.
    """

    def __init__(self, questioner: Questioner) -> None:
        self.questioner = questioner
        self.n_truncated = 0

    @property
    def provenance(self) -> Provenance:
        """Digests that every `Scores` of this scorer carries."""
        return self.questioner.provenance

    @property
    def usage(self) -> Usage:
        """What was asked so far, and what it cost."""
        return self.questioner.usage

    @property
    def n_unscored(self) -> int:
        """Conversations without a rival, or without a verdict, so far; their reward is NaN."""
        return self.questioner.n_unscored

    def compare(self, pairs: Sequence[tuple[Conversation, Conversation]]) -> list[tuple[Comparison, ...]]:
        """The comparison of each pair of answers to one prompt, in order, one a round; two questions a pair and round.

        Raises:
            DataError: A conversation holds no answer, or the two of a pair differ before it.
            JudgeError: The model does not answer. A missing verdict is no error here.
            OverlengthError: A pair is too long, and truncation was not asked for.
        """
        require_answers([each for pair in pairs for each in pair])
        questions: list[Conversation] = []
        cut: set[Conversation] = set()
        for number, (first, second) in enumerate(pairs):
            if first[:-1] != second[:-1]:
                raise DataError("two answers to different prompts", where=f"pair {number}")
            for order in ((first, second), (second, first)):
                question, was_cut = self.questioner.question(order)
                questions.append(question)
                cut.update(order if was_cut else ())
        self.n_truncated += len(cut)
        opinions = self.questioner.ask_all(questions)
        return [
            tuple(Comparison(*both) for both in zip(forward, backward, strict=True))
            for forward, backward in zip(opinions[::2], opinions[1::2], strict=True)
        ]

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """One reward a conversation, in order; see the class for what it means.

        Raises:
            DataError: A conversation holds no answer.
            JudgeError: The model does not answer, or gives no verdict and the rule is to stop.
            OverlengthError: A comparison is too long, and truncation was not asked for.
        """
        groups = by_prompt(conversations)
        require_answers(conversations)
        plans = [self._plan([conversations[place] for place in group]) for group in groups]
        asked = [
            (conversations[group[i]], conversations[group[j]])
            for group, plan in zip(groups, plans, strict=True)
            for i, j in plan
        ]
        found = iter([each[-1] for each in self.compare(asked)])
        rewards: dict[Conversation, float] = {}
        notes: dict[Conversation, list[str]] = {}
        for group, plan in zip(groups, plans, strict=True):
            results = [next(found) for _ in plan]
            names = [conversations[place] for place in group]
            rewards |= dict(zip(names, self._rewards(plan, results, items=len(group)).tolist(), strict=True))
            for (i, j), result in zip(plan, results, strict=True):
                notes.setdefault(names[i], []).append(f"First, against {j + 1}: {result.forward.rationale}")
                notes.setdefault(names[j], []).append(f"First, against {i + 1}: {result.backward.rationale}")
        return self._scores(conversations, rewards, notes)

    def score_by_prompt(self, conversations: Iterable[Conversation]) -> Iterator[Scores]:
        """The scores of any number of conversations, in order and in pieces; those that follow each other and share a
        prompt are rivals. See `stream.by_runs`."""
        return by_runs(self.score, conversations)

    def _plan(self, group: Sequence[Conversation]) -> list[tuple[int, int]]:
        return comparisons(group, max_rivals=self.questioner.settings.max_rivals)

    def _rewards(
        self, plan: Sequence[tuple[int, int]], results: Sequence[Comparison], *, items: int
    ) -> Float64[np.ndarray, " item"]:
        for result in results:
            for opinion in (result.forward, result.backward):
                self.questioner.value(opinion)
        if self.questioner.settings.reads == "log_odds":
            log_odds = [np.nan if each.log_odds is None else each.log_odds for each in results]
            return fitted_scores(plan, np.array(log_odds, dtype=np.float64), items=items)
        credits = [np.nan if each.choice is None else (1 + each.choice) / 2 for each in results]
        return win_shares(plan, np.array(credits, dtype=np.float64), items=items)

    def _scores(
        self,
        conversations: Sequence[Conversation],
        rewards: dict[Conversation, float],
        notes: dict[Conversation, list[str]],
    ) -> Scores:
        unscored = sum(np.isnan(reward) for reward in rewards.values())
        if unscored:
            self.questioner.n_unscored += int(unscored)
            logger.warning("%d of %d answers have no rival or no verdict; their reward is NaN", unscored, len(rewards))
        reads_text = self.questioner.settings.reads == "text"
        rationales = tuple("\n".join(notes.get(each, [])) for each in conversations)
        return Scores(
            np.array([rewards[each] for each in conversations], dtype=np.float32),
            self.provenance,
            rationales=rationales if reads_text else None,
        )
