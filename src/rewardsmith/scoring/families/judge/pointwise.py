"""The pointwise judge: how good is this answer?"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.scoring.families.judge.ask import Opinion
from rewardsmith.scoring.families.judge.questioner import Questioner, require_answers
from rewardsmith.scoring.families.judge.usage import Usage

logger = logging.getLogger(__name__)


class PointwiseJudge:
    """A `Scorer`: the score that a language model gives to each answer by itself.

    The reward is the written score, or its expectation over the probabilities of the scale's points, in points of the
    scale. Written scores are whole numbers, so that many answers get the same. Of several rounds the last one counts.

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
        """Conversations without a verdict so far, whose reward is NaN."""
        return self.questioner.n_unscored

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """One reward a conversation, in order; equal ones are asked for once.

        Raises:
            DataError: A conversation holds no answer.
            JudgeError: The model does not answer, or gives no verdict and the rule is to stop.
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        opinions = {each: found[-1] for each, found in self.rate(conversations).items()}
        values = {each: self.questioner.value(opinion) for each, opinion in opinions.items()}
        unscored = sum(np.isnan(value) for value in values.values())
        if unscored:
            self.questioner.n_unscored += int(unscored)
            logger.warning("%d of %d conversations have no verdict; their reward is NaN", unscored, len(values))
        rationales = tuple(opinions[each].rationale for each in conversations)
        return Scores(
            np.array([values[each] for each in conversations], dtype=np.float32),
            self.provenance,
            rationales=rationales if any(rationales) else None,
        )

    def rate(self, conversations: Sequence[Conversation]) -> dict[Conversation, tuple[Opinion, ...]]:
        """The opinions on each distinct conversation, one a round, those without a verdict included."""
        require_answers(conversations)
        distinct = list(dict.fromkeys(conversations))
        asked = [self.questioner.question([each]) for each in distinct]
        self.n_truncated += sum(was_cut for _, was_cut in asked)
        return dict(zip(distinct, self.questioner.ask_all([question for question, _ in asked]), strict=True))
