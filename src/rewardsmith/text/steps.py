"""Solutions in steps to token ids, and the place in them at which each step has ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int32, Int64

from rewardsmith.core.conversation import Conversation, assistant
from rewardsmith.core.errors import ModelError
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.neutral import Neutraliser
from rewardsmith.text.segments import SegmentTokenizer

SEPARATOR = "\n"
"""What TRL puts between steps."""

CUT = -1
"""Place of a step that was cut away."""

Splitting = Literal["lines", "paragraphs"]
"""Where an answer is cut into steps: at each line break, or at blank lines."""

_MARK = "\ue000steps\ue001"
_BREAKS = {"lines": re.compile(r"\n"), "paragraphs": re.compile(r"\n[^\S\n]*\n\s*")}


@dataclass(frozen=True, slots=True)
class EncodedSteps:
    """One solution with its prompt.

    Attributes:
        input_ids: Of the whole conversation, the end of the solution's turn included.
        places: Of each step: the last token of its separator, or of its text where the separator has no token
            (WordPiece drops line breaks); `CUT` where it was cut away.
        start: Place of the first step's first token; `CUT` where that was cut away.
    """

    input_ids: Int32[np.ndarray, " token"]
    places: Int64[np.ndarray, " step"]
    start: int


class StepEncoder:
    """Renders prompts with the chat template, and puts the steps, each followed by the separator, into the answer.

    Each step and the separator are tokenised by themselves, as TRL does it, so that neither a step's tokens nor its
    place depend on what follows: a decoder gives the first steps of a longer solution the same probabilities.

    Args:
        encoder: Knows the tokenizer and the template.
        separator: Follows each step, the last one too. A special token of the model is recognised in it.
    """

    def __init__(self, encoder: ConversationEncoder, *, separator: str = SEPARATOR) -> None:
        self.conversations = encoder
        self.separator = separator
        self._neutral = Neutraliser(encoder.tokenizer)
        self._tokenizer = SegmentTokenizer(encoder.tokenizer)
        self._separator_ids = self._tokenizer.encode([separator])[0] if separator else np.zeros(0, np.int32)

    def encode(self, solutions: Sequence[tuple[Conversation, Sequence[str]]]) -> list[EncodedSteps]:
        """The ids and places of each (prompt, steps), in order.

        Raises:
            ModelError: The chat template refuses a prompt, or a solution has no step.
        """
        texts = []
        for prompt, steps in solutions:
            head, tail = self._frame(prompt)
            texts.append([head, *map(self._neutral, steps), tail])
        known = iter(self._tokenizer.encode([text for each in texts for text in each]))
        return [self._joined([next(known) for _ in each]) for each in texts]

    def _frame(self, prompt: Conversation) -> tuple[str, str]:
        """What stands before and after an answer to `prompt`."""
        head, mark, tail = self.conversations.render((*prompt, assistant(_MARK))).rpartition(_MARK)
        if not mark:
            raise ModelError("the chat template does not print the answer", fix="correct the tokenizer's chat_template")
        return head, tail

    def _joined(self, pieces: list[Int32[np.ndarray, " token"]]) -> EncodedSteps:
        head, *steps, tail = pieces
        if not steps:
            raise ModelError("a solution without a step", wanted="at least one step")
        whole = [part for step in steps for part in (step, self._separator_ids)]
        sizes = [len(step) + len(self._separator_ids) for step in steps]
        places = len(head) + np.cumsum(sizes, dtype=np.int64) - 1
        if places[0] < 0:
            raise ModelError("the first step has no token", got="a text that the tokenizer drops", fix="leave it out")
        return EncodedSteps(np.concatenate([head, *whole, tail]).astype(np.int32), places, len(head))


def split_steps(answer: str, splitting: Splitting) -> tuple[str, ...]:
    """The steps of an answer: its lines or paragraphs, without blanks around them and without blank ones.

    A blank answer is one step, so that each answer has a reward.
    """
    steps = tuple(step.strip() for step in _BREAKS[splitting].split(answer) if step.strip())
    return steps or (answer.strip(),)


def shortened(encoded: EncodedSteps, *, max_tokens: int, bos_id: int | None) -> EncodedSteps:
    """`encoded` cut from the left to `max_tokens`, behind a BOS: the problem goes first, and then the first steps."""
    surplus = len(encoded.input_ids) - max_tokens
    if surplus <= 0:
        return encoded
    kept_first = int(bos_id is not None and int(encoded.input_ids[0]) == bos_id and max_tokens > 1)
    ids = np.concatenate([encoded.input_ids[:kept_first], encoded.input_ids[surplus + kept_first :]])
    places, start = encoded.places - surplus, encoded.start - surplus
    return EncodedSteps(ids, np.where(places >= kept_first, places, CUT), start if start >= kept_first else CUT)
