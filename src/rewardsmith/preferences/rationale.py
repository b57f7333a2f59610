"""The rubric's judgement of a response in words: a rationale that a program can write for any text."""

from __future__ import annotations

from collections.abc import Mapping

from rewardsmith.core.conversation import response_text
from rewardsmith.core.preference import Preference
from rewardsmith.preferences.rubric import Criteria, judge

SENTENCES: Mapping[str, tuple[str, str, str]] = {
    "finished": ("It is finished.", "It is nearly finished.", "It stops in the middle."),
    "subject": ("It is about the question.", "It is partly about the question.", "It misses the question."),
    "facts": ("It has the facts.", "It lacks some facts.", "It lacks the facts."),
    "form": ("It keeps to the form.", "It strays from the form.", "It ignores the form."),
    "direct": ("It is direct.", "It is a little wordy.", "It is full of empty phrases."),
    "fresh": ("It does not repeat itself.", "It repeats itself a little.", "It repeats itself."),
    "brief": ("It is brief.", "It is rather long.", "It is too long."),
}
"""For each part of the rubric what is said of one that is earned in full, in part, and not at all, in the order in
which a rationale says it: a short rationale holds the first ones, which decide the most comparisons."""

_FULL, _NONE = 0.99, 0.01


def rubric_rationale(prompt: str, response: str, criteria: Criteria) -> str:
    """One sentence for each part of the rubric."""
    earned = judge(prompt, response, criteria)
    return " ".join(sentences[_degree(earned[part])] for part, sentences in SENTENCES.items())


def rubric_rationales(preference: Preference) -> list[str]:
    """One of each response, by the criteria in `meta.criteria`, or by none where there are not any."""
    said = preference.meta.get("criteria")
    criteria = Criteria.from_dict(said) if isinstance(said, Mapping) else Criteria()
    prompt = next((content for role, content in reversed(preference.prompt) if role == "user"), "")
    return [rubric_rationale(prompt, response_text(response), criteria) for response in preference.responses]


def _degree(earned: float) -> int:
    return 0 if earned >= _FULL else 2 if earned <= _NONE else 1
