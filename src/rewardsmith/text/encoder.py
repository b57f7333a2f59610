"""Conversations to token ids, the same ids that every other tool gets from the saved tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Int32
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.digest import digest_json, digest_text
from rewardsmith.text.load import prepared
from rewardsmith.text.render import Renderer
from rewardsmith.text.segments import SegmentTokenizer

_NEUTRAL_RULE = "special tokens in messages are broken by one space"
_PROBE = (user("a"), assistant("b"))


class ConversationEncoder:
    """Renders conversations with the chat template and tokenises them.

    The ids equal `tokenizer.apply_chat_template(messages, tokenize=True)` of the prepared tokenizer, for messages that
    hold no special-token strings; those are broken first (see `neutral`). One BOS stands at the start where the model
    has one, and an end token follows the last message. Nothing is cut: `max_tokens` is carried for the length rule
    (`text.length`) and for scorers.

    Args:
        tokenizer: A fast tokenizer, as `text.load.load_tokenizer` returns it. One that lacks a pad token or a chat
            template is copied and given both.
        max_tokens: Longest conversation that the model takes; `None` where there is no limit.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int | None = None) -> None:
        is_ready = bool(tokenizer.pad_token) and isinstance(tokenizer.chat_template, str)
        self.tokenizer = tokenizer if is_ready else prepared(tokenizer)
        self.max_tokens = max_tokens
        self._renderer = Renderer(self.tokenizer)
        self._segments = SegmentTokenizer(self.tokenizer)

    @property
    def pad_id(self) -> int:
        """Id that fills batches; never read as an end, since pooling goes by the mask."""
        pad_id = self.tokenizer.pad_token_id
        assert isinstance(pad_id, int)
        return pad_id

    @cached_property
    def bos_id(self) -> int | None:
        """Id that stands once at the start of every conversation, where there is one (`[CLS]` for encoders)."""
        first = int(self.encode([_PROBE])[0][0])
        return first if first in (self.tokenizer.bos_token_id, self.tokenizer.cls_token_id) else None

    def encode(self, conversations: Iterable[Conversation]) -> list[Int32[np.ndarray, " token"]]:
        """Token ids of each conversation, in order.

        Raises:
            ModelError: A conversation is empty, or the chat template refuses it.
            DataError: A text holds half a surrogate pair.
        """
        return self._segments.encode([self._renderer.render(conversation) for conversation in conversations])

    def tokenise(self, texts: Sequence[str]) -> list[Int32[np.ndarray, " token"]]:
        """Token ids of texts that somebody else has rendered: as they are, special tokens recognised and none added.

        Raises:
            DataError: A text holds half a surrogate pair.
        """
        return self._segments.encode(texts)

    def render(self, conversation: Conversation) -> str:
        """The text that is tokenised; tokenising it without adding special tokens gives `encode`'s ids."""
        return self._renderer.render(conversation)

    @cached_property
    def template_digest(self) -> str:
        """See the function of this name."""
        return template_digest(self.tokenizer)

    @cached_property
    def tokenizer_digest(self) -> str:
        """Digest of everything that decides the ids of a text."""
        return digest_text(self._segments.digest_source())


def template_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """Digest of everything that decides a conversation's text: template, special tokens, the rule for messages."""
    named = {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
    return digest_json({"template": tokenizer.chat_template, "tokens": named, "messages": _NEUTRAL_RULE})
