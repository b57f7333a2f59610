"""A tiny policy whose template opens the assistant's turn when it is asked to, and a simple reward."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaForCausalLM

from rewardsmith.core.conversation import Conversation, response_text
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.text.load import prepared

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start|>' + message['role'] + '\\n' + message['content'] + eos_token + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant\\n' }}{% endif %}"
)


def save_policy(tiny: Any, folder: Path, *, template: str = TEMPLATE) -> Path:
    """A saved two-layer language model."""
    torch.manual_seed(0)
    LlamaForCausalLM(tiny.llama_config()).save_pretrained(folder)
    prepared(tiny.decoder_tokenizer(template=template)).save_pretrained(folder)
    return folder


class Vowels:
    """A scorer: the share of vowels in the response, of six letters."""

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        counts = [sum(letter in "aeiou" for letter in response_text(each)) / 6 for each in conversations]
        return Scores(np.array(counts, dtype=np.float32), Provenance("vowels", "none"))
