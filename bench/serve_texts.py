"""What the servers are sent: real conversations of mixed lengths, each once, and texts of a given length."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import real_data

from rewardsmith.core.conversation import Conversation, assistant, to_dicts, user
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer

Messages = list[dict[str, str]]
_SEED = 0


@dataclass(frozen=True, slots=True)
class Texts:
    """Distinct conversations.

    Attributes:
        conversations: In an order drawn once; none is longer than the model takes.
        lengths: Tokens of each.
        source: Where they come from, for the rows.
    """

    conversations: tuple[Conversation, ...]
    lengths: tuple[int, ...]
    source: str

    def messages(self) -> list[Messages]:
        """As chat messages."""
        return [to_dicts(each) for each in self.conversations]

    def of_length(self, least: int, most: int) -> Texts:
        """Those of `least` to `most` tokens."""
        kept = [index for index, length in enumerate(self.lengths) if least <= length <= most]
        return self.at(kept)

    def at(self, places: Sequence[int]) -> Texts:
        """Those at `places`."""
        return Texts(
            tuple(self.conversations[place] for place in places),
            tuple(self.lengths[place] for place in places),
            self.source,
        )


def encoder_of(model: Path) -> ConversationEncoder:
    """The encoder of a checkpoint."""
    return ConversationEncoder(load_tokenizer(str(model), keep_template=True))


def mixed(encoder: ConversationEncoder, *, most_tokens: int = 512) -> Texts:
    """HH conversations, helpful and harmless, of all lengths up to `most_tokens`; the built-in ones where HH is absent.

    Both answers of a pair are there, so that prompts occur twice and whole texts once.
    """
    found, source = _found()
    distinct = list(dict.fromkeys(found))
    random.Random(_SEED).shuffle(distinct)
    lengths = [len(ids) for ids in encoder.encode(distinct)]
    return Texts(tuple(distinct), tuple(lengths), source).of_length(1, most_tokens)


def best_of(encoder: ConversationEncoder, *, prompt_tokens: int, answers: int, answer_tokens: int) -> Iterator[Any]:
    """Prompts of about `prompt_tokens`, and so many answers of about `answer_tokens` to each, as `(prompt, answers)`.

    They are made of real texts, strung together and cut by the tokenizer; no text is in two of them.
    """
    found, _ = _found()
    words = iter([turn.content for each in found for turn in each])
    while True:
        prompt = _cut_text(words, encoder, prompt_tokens)
        some = [_cut_text(words, encoder, answer_tokens) for _ in range(answers)]
        if prompt is None or None in some:
            return
        yield prompt, some


def rendered(encoder: ConversationEncoder, conversation: Conversation) -> str:
    """The text without the special tokens at both ends, for servers that add these themselves."""
    text = encoder.render(conversation)
    tokenizer: Any = encoder.tokenizer
    return text.removeprefix(tokenizer.cls_token or "").removesuffix(tokenizer.sep_token or "")


def _found() -> tuple[list[Conversation], str]:
    files = [real_data.FOLDER / name for name in real_data.HH]
    if all(file.is_file() for file in files):
        return _conversations(files), "HH conversations"
    print("the HH conversations are not there; taking the built-in ones, which are fewer and shorter")
    return _conversations([real_data.STARTER]), "built-in conversations"


def _conversations(sources: Sequence[str | Path]) -> list[Conversation]:
    return [
        each.conversation(number)
        for source in sources
        for each in real_data.preferences(source)
        for number in range(len(each.responses))
    ]


def _cut_text(texts: Iterator[str], encoder: ConversationEncoder, tokens: int) -> str | None:
    """The next texts, strung together until they have so many tokens, and cut; nothing where there are no more."""
    ids: list[int] = []
    for text in texts:
        ids += encoder.tokenizer(text + "\n", add_special_tokens=False)["input_ids"]
        if len(ids) >= tokens:
            return str(encoder.tokenizer.decode(ids[:tokens])).strip()
    return None


def messages_of(prompt: str, answer: str) -> Messages:
    """One question and its answer."""
    return to_dicts((user(prompt), assistant(answer)))
