"""A small real tokenizer, and short ways to write preferences and files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.text.encoder import ConversationEncoder

_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ message['role'] + ':' + message['content'] + eos_token }}{% endfor %}"
)


@pytest.fixture(scope="session")
def byte_encoder() -> ConversationEncoder:
    """One token a UTF-8 byte; `<bos>`, then `role:text<eos>` for each turn."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", chat_template=_TEMPLATE
    )
    return ConversationEncoder(tokenizer, max_tokens=512)


@pytest.fixture(scope="session")
def make_preference() -> Callable[..., Preference]:
    """`make_preference("prompt", "chosen", "rejected", ...)`: the first response beats each of the others."""

    def make(prompt: str, *responses: str, **values: Any) -> Preference:
        pairs = tuple(Pair(0, other) for other in range(1, len(responses)))
        defaults: dict[str, Any] = {"pairs": pairs, "id": prompt, "group": prompt, "source": "test"}
        turns = (user(prompt),) if prompt else ()
        return Preference(turns, tuple((assistant(text),) for text in responses), **{**defaults, **values})

    return make


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., str]:
    """`write_rows(rows, "name.jsonl")`: writes JSON lines and returns their path; a string is written as it is."""

    def write(rows: list[Mapping[str, Any] | str], name: str = "rows.jsonl") -> str:
        path = tmp_path / name
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("".join(line + "\n" for line in lines), "utf-8")
        return str(path)

    return write
