"""What every preference must satisfy, whatever layout it came from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from rewardsmith.core.conversation import ROLES, Conversation, response_text
from rewardsmith.core.errors import shorten
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences import filters, votes
from rewardsmith.preferences.comparisons import between
from rewardsmith.preferences.outcome import Reason, Rejection
from rewardsmith.preferences.settings import DataSettings


def check(preference: Preference, settings: DataSettings) -> Preference | Rejection:
    """The preference as it will be used, or why it is not.

    Identical responses of a K-way preference become one; pairs that then compare a response with itself, or that say
    opposite things, go; so do ties unless `settings.ties` keeps them, and responses that stand in no pair.
    With `settings.soft_labels` the share of votes becomes the label.
    """
    problem = _problem(preference)
    if problem is not None:
        return problem
    distinct = merge_identical(preference)
    if len(distinct.responses) < 2:
        return Rejection(Reason.IDENTICAL, shorten(response_text(preference.responses[0]), 80))
    disputed = _dispute(distinct, settings.min_agreement)
    if disputed is not None:
        return disputed
    softened = _softened(distinct) if settings.soft_labels else distinct
    settled = softened if settings.ties == "keep" else _without_ties(softened)
    if not settled.pairs:
        reason = Reason.TIE if softened.pairs else Reason.NO_COMPARISON
        return Rejection(reason, "every pair is a tie" if softened.pairs else "no pair of distinct responses is left")
    return _filtered(_without_idle_responses(settled), settings)


def merge_identical(preference: Preference) -> Preference:
    """Responses with the same turns become one, and its pairs are put together.

    A pair of identical responses goes. Of two pairs that then compare the same two responses, the first stays if
    they agree, and neither if they are opposite.
    """
    first_of: dict[tuple[tuple[str, str], ...], int] = {}
    kept: list[Conversation] = []
    place = []
    for response in preference.responses:
        text = tuple((role, content.strip()) for role, content in response)
        if text not in first_of:
            first_of[text] = len(kept)
            kept.append(response)
        place.append(first_of[text])
    if len(kept) == len(preference.responses):
        return preference
    moved = [pair._replace(chosen=place[pair.chosen], rejected=place[pair.rejected]) for pair in preference.pairs]
    pairs = _one_a_comparison([pair for pair in moved if pair.chosen != pair.rejected])
    return _with(preference, tuple(kept), pairs)


def _one_a_comparison(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    first: dict[tuple[int, int], Pair] = {}
    opposed: set[tuple[int, int]] = set()
    for pair in pairs:
        key = (min(pair.chosen, pair.rejected), max(pair.chosen, pair.rejected))
        earlier = first.setdefault(key, pair)
        if earlier.tie != pair.tie or (not pair.tie and earlier.chosen != pair.chosen):
            opposed.add(key)
    return tuple(pair for key, pair in first.items() if key not in opposed)


def _problem(preference: Preference) -> Rejection | None:
    """What is wrong with roles, types or texts, if anything."""
    for message in (*preference.prompt, *(turn for response in preference.responses for turn in response)):
        if not isinstance(message.role, str) or message.role not in ROLES:
            return Rejection(Reason.WRONG_ROLES, f"unknown role {shorten(message.role, 40)}")
        if not isinstance(message.content, str):
            return Rejection(Reason.WRONG_TYPE, f"content is {type(message.content).__name__}, not text")
        if not _encodable(message.content):
            return Rejection(Reason.WRONG_TYPE, "text with a lone surrogate, which is no Unicode text")
    for index, response in enumerate(preference.responses):
        found = _response_problem(response, index)
        if found is not None:
            return found
    if preference.prompt and not any(content.strip() for _, content in preference.prompt):
        return Rejection(Reason.EMPTY_SIDE, "the prompt has turns but no text")
    return _turn_problem(preference) or _pair_problem(preference)


def _response_problem(response: Conversation, index: int) -> Rejection | None:
    if not response or not any(content.strip() for _, content in response):
        return Rejection(Reason.EMPTY_SIDE, f"response {index} is empty")
    if response[-1].role != "assistant":
        return Rejection(Reason.WRONG_ROLES, f"response {index} ends with {response[-1].role}, not assistant")
    if response[0].role != "assistant":
        return Rejection(Reason.WRONG_ROLES, f"response {index} begins with {response[0].role}, not assistant")
    if not response[-1].content.strip():
        return Rejection(Reason.EMPTY_SIDE, f"response {index} ends with an empty turn")
    return None


def _turn_problem(preference: Preference) -> Rejection | None:
    """A system turn only first; user and assistant alternate, the response included; tools may speak in between."""
    for response in preference.responses:
        previous = ""
        for index, (role, _) in enumerate((*preference.prompt, *response)):
            if role == "system" and index > 0:
                return Rejection(Reason.WRONG_ROLES, f"turn {index} is the system's, but only the first may be")
            if role == previous and role != "tool":
                return Rejection(Reason.WRONG_ROLES, f"turns {index - 1} and {index} are both {role}'s")
            previous = role
    return None


def _pair_problem(preference: Preference) -> Rejection | None:
    for pair in preference.pairs:
        if not 0.0 <= pair.prob_chosen <= 1.0:
            return Rejection(Reason.WRONG_TYPE, f"label probability {pair.prob_chosen} is not in [0, 1]")
        if not (math.isfinite(pair.weight) and pair.weight >= 0):
            return Rejection(Reason.WRONG_TYPE, f"weight {pair.weight} is not a finite number of at least 0")
        if pair.margin is not None and not math.isfinite(pair.margin):
            return Rejection(Reason.WRONG_TYPE, f"margin {pair.margin} is not finite")
    return None


def _dispute(preference: Preference, min_agreement: float) -> Rejection | None:
    if not preference.votes or min_agreement <= 0:
        return None
    share = votes.agreement(preference.votes)
    # NaN (nobody voted) compares false, and is then no dispute.
    return Rejection(Reason.DISPUTED, f"agreement {share:.2f} < {min_agreement:g}") if share < min_agreement else None


def _softened(preference: Preference) -> Preference:
    """The share of votes as label; a tie stays one, at .5."""
    return preference if any(pair.tie for pair in preference.pairs) else votes.soften(preference)


def _filtered(preference: Preference, settings: DataSettings) -> Preference | Rejection:
    for index, response in enumerate(preference.responses):
        text = response_text(response)
        if settings.complete_sentences and not filters.ends_sentence(text):
            return Rejection(Reason.INCOMPLETE_SENTENCE, f"response {index} ends with {shorten(text[-30:])!r}")
        flaw = filters.flaw(text) if settings.drop_obviously_bad else None
        if flaw is not None:
            return Rejection(Reason.OBVIOUSLY_BAD, f"response {index}: {flaw}")
    return preference


def _without_ties(preference: Preference) -> Preference:
    pairs = tuple(pair for pair in preference.pairs if not pair.tie)
    return preference if len(pairs) == len(preference.pairs) else _with(preference, preference.responses, pairs)


def _without_idle_responses(preference: Preference) -> Preference:
    used, pairs = between(preference.pairs, range(len(preference.responses)))
    if len(used) == len(preference.responses):
        return preference
    return _with(preference, tuple(preference.responses[old] for old in used), pairs)


def _with(preference: Preference, responses: tuple[Conversation, ...], pairs: tuple[Pair, ...]) -> Preference:
    return replace(preference, responses=responses, pairs=pairs)


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
