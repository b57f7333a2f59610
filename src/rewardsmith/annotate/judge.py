"""An LLM judge as a rater among others: it answers the tasks of a project, and its votes say that they are a judge's.

A comparison is asked in both orders, and an answer counts where both agree; else it is a tie, as `pairwise` has it.
Each axis of a pair and each attribute of a rating is a question of its own, with a rubric that names it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rewardsmith.annotate.answers import Answer, AttributesAnswer, PairAnswer, RankingAnswer, Side
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import NewVote
from rewardsmith.core.errors import SettingsError
from rewardsmith.scoring.families.judge.pairwise import Comparison, PairwiseJudge
from rewardsmith.scoring.families.judge.pointwise import PointwiseJudge
from rewardsmith.scoring.families.judge.questioner import Questioner

Judge = PairwiseJudge | PointwiseJudge

_AT_ONCE = 16
_SIDES: dict[int, Side] = {1: "first", -1: "second", 0: "tie"}
_NAMESPACE = uuid.UUID("6d1f3f0e-7f5b-5c55-9d0c-2f9f0b7a8d11")


@dataclass(frozen=True, slots=True)
class JudgedTask:
    """A judge's vote, and what is known of how it came about.

    Attributes:
        vote: A skip where the judge gave no verdict.
        is_consistent: Both orders said the same; `None` where there is but one order.
    """

    vote: NewVote
    is_consistent: bool | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    answer: Answer | None
    rationale: str = ""
    is_consistent: bool | None = None


def can_judge(task: Task) -> bool:
    """Whether the task is one that a judge can be asked: a prompt, and responses of one turn each."""
    return bool(task.prompt) and all(len(response) == 1 for response in task.responses)


def judge_tasks(judge: Judge, tasks: Sequence[Task], *, project: ProjectSettings, rater: str) -> Iterator[JudgedTask]:
    """The judge's vote on each task, in order, some tasks at a time.

    The id of a vote follows from the judge, the project and the task: asked again, it is the same vote.

    Args:
        tasks: Those of which `can_judge` is true.
        rater: Id of the judge among the raters.

    Raises:
        SettingsError: The judge is of the wrong kind for the project.
        JudgeError: Its model does not answer, or gives no verdict where its settings say to stop.
        OverlengthError: A task is too long for it.
    """
    answerer = _Answerer(judge, project)
    for start in range(0, len(tasks), _AT_ONCE):
        some = tasks[start : start + _AT_ONCE]
        for task, verdict in zip(some, answerer.verdicts(some), strict=True):
            vote = NewVote(
                id=vote_id(judge, project=project.name, task=task.id),
                task=task.id,
                rater=rater,
                answer=verdict.answer,
                rationale=verdict.rationale,
                shown=tuple(range(len(task.responses))),
            )
            yield JudgedTask(vote, verdict.is_consistent)


def vote_id(judge: Judge, *, project: str, task: str) -> str:
    """The id of this judge's vote on a task."""
    known = judge.provenance
    return str(uuid.uuid5(_NAMESPACE, "\0".join((known.model_digest, known.template_digest, project, task))))


class _Answerer:
    """Asks a judge what a project asks its raters.

    Raises:
        SettingsError: It cannot.
    """

    def __init__(self, judge: Judge, project: ProjectSettings) -> None:
        self._judge = judge
        self._project = project
        if project.kind == "first_error":
            raise _wrong_kind(project, wanted="a project of kind pair, ranking or attributes", got="first_error")
        if project.kind == "attributes" and not isinstance(judge, PointwiseJudge):
            raise _wrong_kind(project, wanted="a pointwise judge", got="a pairwise one")

    def verdicts(self, tasks: Sequence[Task]) -> list[_Verdict]:
        """One a task."""
        match self._project.kind:
            case "pair":
                return self._pairs(tasks)
            case "ranking":
                return self._rankings(tasks)
            case _:
                return self._ratings(tasks)

    def _pairs(self, tasks: Sequence[Task]) -> list[_Verdict]:
        overall = self._choices(self._judge, tasks) if self._project.overall else [_Choice(None)] * len(tasks)
        by_axis: dict[str, list[_Choice]] = {
            axis: self._choices(_about(self._judge, f"how {axis} the answers are"), tasks)
            for axis in self._project.axes
        }
        found = []
        for at, whole in enumerate(overall):
            known: dict[str, Side] = {}
            for axis, choices in by_axis.items():
                side = choices[at].side
                if side is not None:
                    known[axis] = side
            is_skip = len(known) < len(by_axis) or (self._project.overall and whole.side is None)
            notes = [whole.rationale, *(f"{axis}: {choices[at].rationale}" for axis, choices in by_axis.items())]
            orders = [each.is_consistent for each in (whole, *(choices[at] for choices in by_axis.values()))]
            stated = [each for each in orders if each is not None]
            answer = None if is_skip else PairAnswer(whole.side, known)
            found.append(_Verdict(answer, _joined(notes), all(stated) if stated else None))
        return found

    def _choices(self, judge: Judge, tasks: Sequence[Task]) -> list[_Choice]:
        if isinstance(judge, PairwiseJudge):
            asked = judge.compare([(task.conversation(0), task.conversation(1)) for task in tasks])
            return [_of_comparison(rounds[-1]) for rounds in asked]
        rewards, notes = _rated(judge, tasks)
        return [
            _Choice(None if np.isnan(one).any() else _SIDES[int(np.sign(one[0] - one[1]))], note)
            for one, note in zip(rewards, notes, strict=True)
        ]

    def _rankings(self, tasks: Sequence[Task]) -> list[_Verdict]:
        found = []
        for rewards, note in zip(*_rated(self._judge, tasks), strict=True):
            ranks = tuple(1 + int((rewards > reward).sum()) for reward in rewards)
            found.append(_Verdict(None if np.isnan(rewards).any() else RankingAnswer(ranks), note))
        return found

    def _ratings(self, tasks: Sequence[Task]) -> list[_Verdict]:
        values: list[dict[str, int]] = [{} for _ in tasks]
        notes: list[list[str]] = [[] for _ in tasks]
        for name, scale in self._project.attributes.items():
            rewards, said = _rated(_about(self._judge, f"the answer's {name}", scale=scale), tasks)
            for at, (reward, note) in enumerate(zip(rewards, said, strict=True)):
                notes[at].append(f"{name}: {note}")
                if np.isfinite(reward[0]):
                    values[at][name] = int(np.clip(round(float(reward[0])), *scale))
        wanted = len(self._project.attributes)
        return [
            _Verdict(AttributesAnswer(each) if len(each) == wanted else None, _joined(said))
            for each, said in zip(values, notes, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Choice:
    side: Side | None
    rationale: str = ""
    is_consistent: bool | None = None


def _of_comparison(comparison: Comparison) -> _Choice:
    note = _joined([comparison.forward.rationale, f"The other way round: {comparison.backward.rationale}"])
    if comparison.choice is None:
        return _Choice(None, note)
    if not comparison.is_consistent:
        note = _joined(["The two orders gave different answers.", note])
    return _Choice(_SIDES[comparison.choice], note, comparison.is_consistent)


def _rated(judge: Judge, tasks: Sequence[Task]) -> tuple[list[np.ndarray], list[str]]:
    """Rewards of the responses of each task, and what the judge wrote."""
    each = [[task.conversation(place) for place in range(len(task.responses))] for task in tasks]
    if isinstance(judge, PairwiseJudge):
        # Its rewards compare the answers to one prompt in one call, and two tasks may have one prompt.
        scored = [judge.score(conversations) for conversations in each]
        return [scores.rewards for scores in scored], [_joined(scores.rationales or ()) for scores in scored]
    scores = judge.score([conversation for conversations in each for conversation in conversations])
    ends = np.cumsum([len(conversations) for conversations in each])[:-1]
    said = scores.rationales or ("",) * len(scores)
    notes = [_joined(said[end - len(one) : end]) for one, end in zip(each, [*ends, len(scores)], strict=True)]
    return np.split(scores.rewards, ends), notes


def _about(judge: Judge, subject: str, *, scale: tuple[int, int] | None = None) -> Judge:
    """The same model, asked about one thing."""
    asker = judge.questioner
    update: dict[str, object] = {"rubric": f"Judge by one thing only: {subject}. Everything else counts for nothing."}
    if scale is not None:
        update["scale"] = scale
    about = Questioner(asker.settings.model_copy(update=update), asker.chat, overlength=asker.overlength)
    return type(judge)(about)


def _joined(notes: Sequence[str]) -> str:
    return "\n".join(note for note in notes if note)


def _wrong_kind(project: ProjectSettings, *, wanted: str, got: str) -> SettingsError:
    return SettingsError(
        "this judge cannot answer what the project asks",
        wanted=wanted,
        got=got,
        where=f"project {project.name}",
        fix="make another judge with `rewardsmith judge --kind`",
    )
