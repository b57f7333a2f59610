"""The reward in the words of verl and of OpenRLHF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rewardsmith.core.errors import DataError
from rewardsmith.optimise.reward.function import RewardFunction

END_TOKENS = ("</s>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>", "<end_of_turn>")
"""What a response in OpenRLHF's queries may end with, since these are decoded with their special tokens."""

PROMPT_KEYS = ("prompt", "raw_prompt", "question")
"""Where verl's `extra_info` may hold the prompt, as a text or as messages."""


def verl_score(
    reward: RewardFunction, data_source: str, solution: str, ground_truth: Any, extra_info: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What verl's `compute_score` returns: `score`, and the figures beside it.

    Args:
        solution: The response.
        ground_truth: What a checker holds it against.
        extra_info: Must hold the prompt: verl hands it to a reward in no other way.

    Raises:
        DataError: There is no prompt.
        RewardsmithError: It cannot be scored.
    """
    info = extra_info or {}
    prompt = next((info[key] for key in PROMPT_KEYS if info.get(key) is not None), None)
    if prompt is None:
        raise DataError(
            "no prompt for the reward model",
            wanted=f"extra_info with one of {', '.join(PROMPT_KEYS)}",
            got=", ".join(info) or "nothing",
            where=f"data source {data_source}",
            fix="keep the prompt in extra_info when the data are prepared",
        )
    prompt = prompt.tolist() if isinstance(prompt, np.ndarray) else prompt
    columns = {reward.settings.answer: [ground_truth]}
    (score,) = reward(prompts=[prompt], completions=[solution], **columns)
    return {"score": score, **reward.figures}


def openrlhf_rewards(
    reward: RewardFunction, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any] | None
) -> dict[str, Any]:
    """What OpenRLHF's `reward_func` returns, as numbers: `rewards`, `scores` (their sigmoids), `extra_logs`.

    The response is the query without its prompt and without tokens that end a turn. Prompts are taken for what a user
    said: they must not be rendered by a chat template.

    Raises:
        DataError: A query does not begin with its prompt.
        RewardsmithError: A response cannot be scored.
    """
    pairs = list(enumerate(zip(queries, prompts, strict=True)))
    responses = [_response(query, prompt, f"query {number}") for number, (query, prompt) in pairs]
    columns = {} if labels is None else {reward.settings.answer: list(labels)}
    found = reward(prompts=list(prompts), completions=responses, **columns)
    rewards = np.array(found, dtype=np.float64)
    return {"rewards": rewards, "scores": np.exp(-np.logaddexp(0.0, -rewards)), "extra_logs": dict(reward.figures)}


def _response(query: str, prompt: str, where: str) -> str:
    if not query.startswith(prompt):
        raise DataError("a query that does not begin with its prompt", wanted=prompt[-80:], got=query, where=where)
    response = query[len(prompt) :].rstrip("\n")
    while end := next((each for each in END_TOKENS if response.endswith(each)), None):
        response = response.removesuffix(end).rstrip("\n")
    return response
