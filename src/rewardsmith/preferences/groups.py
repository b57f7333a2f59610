"""The prompt group: which preferences must stay on the same side of a split."""

from __future__ import annotations

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.digest import digest_text

_GROUP_CHARS = 24


def group_of(prompt: Conversation) -> str:
    """Group of a prompt: digest of its opening turn, casefolded, with each run of whitespace as one space.

    Only the first user turn counts. Conversations that were sampled from one opening (HH-RLHF holds many) share
    most of their text, so a split between two of them would put a near copy of a training row into the held-out
    set. A prompt without a user turn is grouped by its first turn, an empty one by the empty text.
    """
    opening = next((content for role, content in prompt if role == "user"), None)
    if opening is None:
        opening = prompt[0].content if prompt else ""
    return digest_text(" ".join(opening.casefold().split()))[:_GROUP_CHARS]
