"""The texts of the report: where the model was most wrong, least sure, and what it likes and dislikes."""

from __future__ import annotations

from rewardsmith.audit.evaluation import Evaluation
from rewardsmith.audit.heldout.examples import AnswerExample, PairExample
from rewardsmith.core.conversation import Conversation, Message
from rewardsmith.figures.pieces import Details, Example, Piece, Prose, Reply, Section

_MAX_CHARS = 1500
_OPEN = 2


def reading_section(evaluation: Evaluation) -> Section:
    """Pairs and answers to read; the first wrong ones open, the rest folded away."""
    examples = evaluation.examples
    wrong = tuple(_pair(example) for example in examples.wrong)
    pieces: list[Piece] = [Prose("Most confidently wrong first: the model preferred the rejected answer, and by most.")]
    pieces += wrong[:_OPEN] or (Prose("The model was wrong on no pair."),)
    if wrong[_OPEN:]:
        pieces.append(Details(f"{len(wrong) - _OPEN} more that are confidently wrong", wrong[_OPEN:]))
    unsure = tuple(_pair(example) for example in examples.unsure)
    pieces.append(Details(f"{len(unsure)} pairs that it is least sure of", unsure))
    pieces.append(
        Prose(
            "Raw rewards of different prompts are not comparable: a prompt may add any constant to all its answers. So "
            "the answers below are ordered by their reward minus the mean reward of the answers to the same prompt."
        )
    )
    pieces.append(Details(f"{len(examples.highest)} answers that it likes most", _answers(examples.highest)))
    pieces.append(Details(f"{len(examples.lowest)} answers that it likes least", _answers(examples.lowest)))
    intro = "The figures say how often; only the texts say why. They come from the data as they are and may offend."
    return Section("To read", tuple(pieces), intro=intro)


def _pair(example: PairExample) -> Example:
    return Example(
        title=f"{example.id} · {example.source} · margin {example.margin:+.2f}",
        prompt=shortened(example.prompt),
        replies=(
            Reply(f"chosen by the raters · reward {example.chosen_reward:.2f}", shortened(example.chosen), "good"),
            Reply(f"rejected by the raters · reward {example.rejected_reward:.2f}", shortened(example.rejected), "bad"),
        ),
    )


def _answers(examples: tuple[AnswerExample, ...]) -> tuple[Example, ...]:
    return tuple(
        Example(
            title=f"{example.id} · {example.source} · {example.centred:+.2f} against the mean of its prompt",
            prompt=shortened(example.prompt),
            replies=(Reply(f"reward {example.reward:.2f}", shortened(example.answer)),),
        )
        for example in examples
    )


def shortened(conversation: Conversation) -> Conversation:
    """Each turn cut to a readable length; what was cut is said. report.json holds the whole texts."""
    return tuple(Message(role, _cut(content)) for role, content in conversation)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}… [{len(text) - _MAX_CHARS:,} more characters]"
