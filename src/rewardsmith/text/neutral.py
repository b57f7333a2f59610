"""Special-token strings inside messages: a text must not be able to forge a turn.

A user who writes `<|im_end|>` would end the turn if the string reached the tokenizer. Such strings are broken by one
space after their first character (`< |im_end|>`). Texts without them are not touched, so that they render and tokenise
as `apply_chat_template` has them; and because the change is in the text, a tool that gets the rendered text gets the
same ids as we do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from transformers import PreTrainedTokenizerBase


class Neutraliser:
    """Breaks the special-token strings of one tokenizer.

    Args:
        tokenizer: Where the special tokens are read; not kept.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        added = list(tokenizer.added_tokens_decoder.values())
        exact = {token.content for token in added if token.special and not token.normalized}
        exact |= {str(token) for token in tokenizer.all_special_tokens}
        folded = {token.content for token in added if token.special and token.normalized}
        self._pattern = _pattern(exact, folded)

    def __call__(self, text: str) -> str:
        """`text` without any special-token string."""
        if self._pattern is None:
            return text
        # Two special tokens may overlap, so breaking one can leave the other: repeat until none is left. Each round
        # adds a space inside every match, and a finite text holds finitely many of them.
        while self._pattern.search(text):
            text = self._pattern.sub(_broken, text)
        return text


def _broken(match: re.Match[str]) -> str:
    return f"{match[0][0]} {match[0][1:]}"


def _pattern(exact: Iterable[str], folded: Iterable[str]) -> re.Pattern[str] | None:
    # A token of one character, or one that starts with a blank, cannot be broken by a space.
    parts = [re.escape(token) for token in sorted(exact, key=len, reverse=True) if _breakable(token)]
    # Tokens that are matched after normalisation may be written in another case.
    parts += [f"(?i:{re.escape(token)})" for token in sorted(folded, key=len, reverse=True) if _breakable(token)]
    return re.compile("|".join(parts)) if parts else None


def _breakable(token: str) -> bool:
    return len(token) > 1 and not token[0].isspace() and token[1] != " "
