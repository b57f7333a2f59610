"""A causal language model in this process as a judge: it writes greedily, or shows the odds of its next token."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from itertools import takewhile
from typing import Any

import torch
import transformers
from jaxtyping import Int64
from torch import Tensor
from transformers import GenerationConfig

from rewardsmith.core.conversation import Conversation, Message, to_dicts
from rewardsmith.core.errors import ModelError, OverlengthError, SettingsError
from rewardsmith.models.causal_lm import CausalLm, last_states
from rewardsmith.scoring.families.judge.cache import ReplyCache, question_key
from rewardsmith.scoring.families.judge.reply import Reply
from rewardsmith.scoring.families.judge.usage import Meter, Usage
from rewardsmith.text.neutral import Neutraliser

_NOT_KNOWN = 1_000_000
"""transformers writes an absurdly large `model_max_length` where a tokenizer has no limit."""


class LocalChat:
    """A language model as a `Chat` and as an `OptionReader`. One question at a time, whatever the number of threads.

    Special-token strings inside messages are broken (see `text.neutral`), so that no answer can forge a turn.

    Args:
        model: Moved to `device`, and to bfloat16 where that is asked for.
        max_reply_tokens: Longest reply; the prompt must leave room for it.
        precision: `float32` or `bf16`; the softmax is float32 in both.
        cache: Keeps each reply as it comes.
        device: The GPU where there is one, if absent.
        max_tokens: Longest prompt and reply together, where that is to be less than what the model takes.
        name: Of the model, for errors.
    """

    def __init__(
        self,
        model: CausalLm,
        *,
        max_reply_tokens: int,
        precision: str = "float32",
        cache: ReplyCache | None = None,
        device: str | None = None,
        max_tokens: int | None = None,
        name: str = "",
    ) -> None:
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        network: Any = model.network
        self._network = network.to(device=self._device, dtype=dtype).eval()
        self._tokenizer = model.tokenizer
        self._neutral = Neutraliser(model.tokenizer)
        self._max_reply_tokens = max_reply_tokens
        self._cache = ReplyCache() if cache is None else cache
        self._meter = Meter()
        self._lock = threading.RLock()
        self._max_tokens = max_tokens
        self._name = name
        self._digest = model.digest
        self._precision = precision

    @property
    def identity(self) -> Mapping[str, Any]:
        """Weights, template, how it computes, and the longest reply."""
        return {
            "weights": self._digest,
            "template": self._tokenizer.chat_template,
            "precision": self._precision,
            "device": self._device.type,
            "versions": [str(torch.__version__), transformers.__version__],
            "max_reply_tokens": self._max_reply_tokens,
        }

    @property
    def concurrency(self) -> int:
        """One: a second question would only slow down the first."""
        return 1

    @property
    def usage(self) -> Usage:
        """What was asked so far."""
        return self._meter.usage

    @cached_property
    def max_prompt_tokens(self) -> int | None:
        """Positions of the model less the longest reply; `None` where there is no limit to them.

        Raises:
            SettingsError: A reply of `max_reply_tokens` leaves no room for a question.
        """
        config: Any = self._network.config
        known = (getattr(config.get_text_config(), "max_position_embeddings", None), self._tokenizer.model_max_length)
        known = (*known, self._max_tokens)
        limit = min((int(each) for each in known if each and each < _NOT_KNOWN), default=None)
        if limit is None:
            return None
        if limit <= self._max_reply_tokens:
            raise SettingsError(
                "max_reply_tokens leaves no room for a question",
                wanted=f"less than the model's {limit} positions",
                got=self._max_reply_tokens,
                where=self._name,
            )
        return limit - self._max_reply_tokens

    def count_tokens(self, messages: Conversation) -> int:
        """Tokens of `messages`, the opening of the reply included."""
        with self._lock:
            return len(self._prompt_ids(messages))

    def complete(self, messages: Conversation) -> Reply:
        """The most likely reply, token by token.

        Raises:
            OverlengthError: There is no room for a reply behind `messages`.
        """
        key = question_key(self.identity, messages)
        known = self._cache.find(key)
        if known is not None:
            self._meter.known()
            return Reply(**known)
        self._meter.sent()
        with self._lock, torch.inference_mode():
            ids = self._fitting(messages)
            found = self._network.generate(ids, attention_mask=torch.ones_like(ids), generation_config=self._generation)
            written = found[0, ids.shape[1] :]
            text = self._tokenizer.decode(written, skip_special_tokens=True)
        reply = Reply(str(text), ids.shape[1], len(written))
        self._meter.answered(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens)
        self._cache.add(key, asdict(reply))
        return reply

    def option_log_probs(self, messages: Conversation, *, prefix: str, options: Sequence[str]) -> tuple[float, ...]:
        """log p(option | messages, the reply begins with `prefix`), in nats; one pass over the prompt.

        The options must differ in one token, right behind what they share; that token's probability is the option's.

        Raises:
            OverlengthError: `messages` are too long.
            SettingsError: An option is more than one token, as 10 is beside 1.
        """
        key = question_key(self.identity, messages, prefix=prefix, options=list(options))
        known = self._cache.find(key)
        if known is not None:
            self._meter.known()
            return tuple(known["log_probs"])
        self._meter.sent()
        with self._lock, torch.inference_mode():
            shared, choices = self._choices(prefix, options)
            prompt = self._fitting(messages)
            ids = torch.cat([prompt, torch.tensor([shared], dtype=torch.long, device=self._device)], dim=1)
            found = self._next_log_probs(ids)[torch.tensor(choices, device=self._device)]
        log_probs = tuple(float(each) for each in found)
        self._meter.answered(prompt_tokens=ids.shape[1], completion_tokens=0)
        self._cache.add(key, {"log_probs": list(log_probs)})
        return log_probs

    def _next_log_probs(self, ids: Int64[Tensor, "1 token"]) -> Tensor:
        positions = torch.arange(ids.shape[1], device=self._device)[None]
        states = last_states(self._network, ids, torch.ones_like(ids), positions)
        logits = self._network.get_output_embeddings()(states[0, -1])
        return logits.float().log_softmax(dim=-1)

    def _choices(self, prefix: str, options: Sequence[str]) -> tuple[list[int], list[int]]:
        """The ids that all options share, and the one that tells each from the others."""
        # Tokenised apart from the prompt, as the model itself would go on behind the prompt's tokens.
        sequences = [self._tokenizer(f"{prefix} {option}", add_special_tokens=False)["input_ids"] for option in options]
        columns = zip(*sequences, strict=False)
        shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
        last = [ids[shared:] for ids in sequences]
        if any(len(ids) != 1 for ids in last):
            several = [option for option, ids in zip(options, last, strict=True) if len(ids) != 1]
            raise SettingsError(
                "an answer is more than one token, so that its odds cannot be read from one",
                wanted="answers of one token each",
                got=", ".join(several or options),
                where=self._name,
                fix="for a scale, take 1 to 9; or read the verdict from the text",
            )
        return list(sequences[0][:shared]), [ids[0] for ids in last]

    def _fitting(self, messages: Conversation) -> Int64[Tensor, "1 token"]:
        ids = self._prompt_ids(messages)
        limit = self.max_prompt_tokens
        if limit is not None and len(ids) > limit:
            raise OverlengthError(
                "a question to the judge is too long",
                wanted=f"at most {limit} tokens",
                got=f"{len(ids)} tokens",
                where=self._name,
                fix="shorten the texts, or name a judge that takes more",
            )
        return torch.tensor([ids], dtype=torch.long, device=self._device)

    def _prompt_ids(self, messages: Conversation) -> list[int]:
        safe = tuple(Message(message.role, self._neutral(message.content)) for message in messages)
        try:
            text = self._tokenizer.apply_chat_template(to_dicts(safe), tokenize=False, add_generation_prompt=True)
        except Exception as error:  # templates raise whatever they like
            raise ModelError("the judge's chat template refuses a question", got=error, where=self._name) from error
        return list(self._tokenizer(str(text), add_special_tokens=False)["input_ids"])

    @cached_property
    def _generation(self) -> GenerationConfig:
        """Greedy. What the model's own file says of sampling does not count; its ends do.

        What is left open here would be filled from that file.
        """
        own: Any = self._network.generation_config
        ends = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
        ends = [each for each in dict.fromkeys([*ends, self._tokenizer.eos_token_id]) if each is not None]
        return GenerationConfig(
            do_sample=False,
            num_beams=1,
            temperature=1.0,
            top_p=1.0,
            top_k=50,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            max_new_tokens=self._max_reply_tokens,
            eos_token_id=ends or None,
            pad_token_id=self._tokenizer.pad_token_id,
        )
