"""Does a policy fit its reward and TRL? What does not is refused before anything is trained."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from rewardsmith.core.conversation import Conversation, assistant, to_dicts
from rewardsmith.core.errors import MissingDependencyError, ModelError, OverlengthError
from rewardsmith.core.scores import Scorer, TokenScorer
from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.causal_lm import CausalLm
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.response import header_ids


def require_trl() -> ModuleType:
    """The package `trl`.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        return importlib.import_module("trl")
    except ImportError as error:
        raise MissingDependencyError(
            "policy training needs trl", wanted="trl 1.16 or later", got=error, fix="pip install 'rewardsmith[rl]'"
        ) from error


def require_pad(lm: CausalLm) -> None:
    """The policy's tokenizer has a pad token, other than the one that ends a turn.

    Where they are one, TRL would mask the ends of responses, which the policy then never learns.

    Raises:
        ModelError: It has not.
    """
    pad, eos = lm.tokenizer.pad_token_id, lm.tokenizer.eos_token_id
    if pad is None or pad == eos:
        raise ModelError(
            "the policy's tokenizer has no pad token of its own",
            wanted="a pad token that is not the EOS",
            got=f"pad {pad}, EOS {eos}",
            fix="add one to the tokenizer, or name an unused token of its vocabulary",
        )


def require_generation_prompt(lm: CausalLm, prompts: Sequence[Conversation]) -> None:
    """The policy's chat template opens the assistant's turn where it is asked to, so that TRL samples what we measure.

    Raises:
        ModelError: It does not.
    """
    encoder = ConversationEncoder(lm.tokenizer)
    for number, prompt in enumerate(prompts):
        wanted = header_ids(encoder, prompt).tolist()
        rendered: Any = lm.tokenizer.apply_chat_template(
            to_dicts(prompt), add_generation_prompt=True, tokenize=True, return_dict=True
        )
        got: list[int] = list(rendered["input_ids"])
        if got != wanted:
            raise ModelError(
                "the policy's chat template does not open the assistant's turn",
                wanted="add_generation_prompt that gives what stands before a response",
                got=lm.tokenizer.decode(got),
                where=f"prompt {number}",
                fix="use PPO, or mend the template: {% if add_generation_prompt %}…{% endif %}",
            )


def require_room(lm: CausalLm, scorer: Scorer | None, prompts: Sequence[Conversation], *, max_new_tokens: int) -> None:
    """Prompts and responses fit the policy, and the reward model where its limit is known.

    A scorer of another tokenizer is held to the same number of tokens of its own; it still refuses what is longer.

    Raises:
        OverlengthError: They do not.
    """
    encoder = ConversationEncoder(lm.tokenizer)
    starts = [len(header_ids(encoder, prompt)) for prompt in prompts]
    _require(starts, max_new_tokens, token_capacity(lm.network, lm.tokenizer), "the policy")
    if isinstance(scorer, TokenScorer):
        theirs = [len(ids) for ids in scorer.encoder.encode([(*prompt, assistant("")) for prompt in prompts])]
        _require(theirs, max_new_tokens, scorer.encoder.max_tokens, "the reward model")


def _require(starts: Sequence[int], more: int, limit: int | None, whose: str) -> None:
    longest = max(range(len(starts)), key=starts.__getitem__)
    if limit is not None and starts[longest] + more > limit:
        raise OverlengthError(
            f"prompt and response are longer than {whose} takes",
            wanted=f"at most {limit} tokens",
            got=f"{starts[longest]} tokens and {more} to write",
            where=f"prompt {longest}",
            fix="leave the prompt out, lower max_new_tokens, or say overlength: truncate",
        )
