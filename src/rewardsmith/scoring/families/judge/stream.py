"""Any number of conversations, those of a prompt together: some prompts at once, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError, RewardsmithError
from rewardsmith.core.scores import Scores
from rewardsmith.scoring.windows import windows

_MOST_AT_ONCE = 64


def by_runs(
    score: Callable[[Sequence[Conversation]], Scores], conversations: Iterable[Conversation]
) -> Iterator[Scores]:
    """The scores of `conversations`, in order and in pieces. Those that follow each other and have the same prompt are
    scored in one call. Where one is refused, the scores of those before its prompt come first.

    Raises:
        DataError: A prompt has a single answer.
    """
    for window in windows(_runs(conversations), max_items=_MOST_AT_ONCE, size=len, max_size=_MOST_AT_ONCE):
        try:
            _require_rivals(window)
            scores = [score([conversation for run in window for conversation in run])]
        except RewardsmithError:
            # Again, prompt by prompt: what was answered is in the cache, and those before the refused one come out.
            for run in window:
                _require_rivals([run])
                yield score(run)
        else:
            yield from scores


def _runs(conversations: Iterable[Conversation]) -> Iterator[list[Conversation]]:
    """Conversations that follow each other and share all turns but the last; those before an error come first."""
    run: list[Conversation] = []
    try:
        for conversation in conversations:
            if run and run[0][:-1] != conversation[:-1]:
                yield run
                run = []
            run.append(conversation)
    except Exception:
        if run:
            yield run
        raise
    if run:
        yield run


def _require_rivals(runs: Sequence[Sequence[Conversation]]) -> None:
    for run in runs:
        if len(set(run)) < 2:
            raise DataError(
                "a pairwise judge compares answers",
                wanted="two different answers of a prompt, in one row or in rows that follow each other",
                got=f"one, of the prompt {' '.join(message.content for message in run[0][:-1])!r}",
                fix="give the rows `responses`, or take a pointwise judge",
            )
