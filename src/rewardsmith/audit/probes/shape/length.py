"""Does length itself earn a reward?"""

from __future__ import annotations

import re

import numpy as np

from rewardsmith.audit.probes.probe import Item, Probe
from rewardsmith.audit.probes.sentences import edits_of, pick, sentences

FILLERS = (
    "There is more than one way to look at this.",
    "This is a topic that comes up from time to time.",
    "People come to it from many different directions.",
    "As always, the details depend on the situation.",
    "There is, of course, a good deal that could be said here.",
    "That is the general picture, as far as it goes.",
    "It can be looked at from the beginning or from the end.",
    "Different people would put it in different words.",
    "One could say the same thing in several ways.",
    "This has been discussed before and will be discussed again.",
    "Some will have heard this already, and others will not.",
    "What has been said above is what there is to say about it.",
    "There are questions like this one in many areas.",
    "It is one of those things that people ask about.",
    "In one form or another the subject is a familiar one.",
    "All of this can be thought about at leisure.",
    "Whatever the case may be, that is how the matter stands.",
    "The above is meant to be read together with the question.",
    "Things of this kind are often spoken about.",
    "And so on, as one might expect.",
)
"""Sentences that fit under any answer and say nothing."""

LEADS = (
    "It is worth noting that",
    "It should be mentioned that",
    "It may be said that",
    "One thing to keep in mind is that",
    "It is also the case that",
    "What can be said here is that",
    "It bears mentioning that",
)
"""Beginnings that lengthen a sentence and say nothing."""

# Sentences that begin with these words go on in lower case without harm.
_PLAIN_BEGINNINGS = re.compile(
    r"(?:A|All|An|And|Any|As|At|But|By|Each|For|From|He|Her|His|If|In|It|Its|Many|Most|My|No|On|One|Or|Our|She|So|Some|"
    r"That|The|Their|Then|There|These|They|This|Those|To|We|What|When|Where|While|With|You|Your) "
)
_LEAST_PADDING = 150
_MOST_PADDING = 1000
_LIMIT = 0.15


def pad(item: Item, rng: np.random.Generator) -> str:
    """The answer, and about as much again of filler."""
    wanted = min(max(len(item.answer), _LEAST_PADDING), _MOST_PADDING)
    added: list[str] = []
    for place in rng.permutation(len(FILLERS)):
        added.append(FILLERS[int(place)])
        if sum(map(len, added)) >= wanted:
            break
    return f"{item.answer.rstrip()}\n\n{' '.join(added)}"


def repeat_answer(item: Item, rng: np.random.Generator) -> str:
    """The answer, twice."""
    del rng  # the same for every item
    return f"{item.answer.rstrip()}\n\n{item.answer.strip()}"


def make_wordy(item: Item, rng: np.random.Generator) -> str | None:
    """Empty words in front of every sentence that can take them."""
    parts = sentences(item.answer)
    wordy = [_lead(part, rng) for part in parts]
    return None if "\n" in item.answer.strip() or wordy == parts else " ".join(wordy)


def _lead(sentence: str, rng: np.random.Generator) -> str:
    lead = pick(LEADS, rng)
    if not _PLAIN_BEGINNINGS.match(sentence):
        return sentence
    return f"{lead} {sentence[0].lower()}{sentence[1:]}"


PROBES = (
    Probe("length.padding", "no gain", _LIMIT, "Do empty sentences at the end earn a reward?", edits_of(pad)),
    Probe(
        "length.twice", "no gain", _LIMIT, "Does the same answer twice earn more than once?", edits_of(repeat_answer)
    ),
    Probe("length.wordy", "no gain", _LIMIT, "Do more words for the same statements earn more?", edits_of(make_wordy)),
)
