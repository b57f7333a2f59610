"""What the clients of other projects send and read, written down from what their sources do.

Each takes the URL of the server and what its project has at that moment, and gives what its project makes of the reply.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Sequence
from typing import Any

import httpx2
import numpy as np
import requests

Chat = list[dict[str, str]]


def verl_prompt(chat: Chat, tokenizer: Any) -> str:
    """verl renders with the reward model's own template, and takes a BOS at the start off again, since the server's
    tokenizer puts one there."""
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=False, tokenize=False)
    bos = tokenizer.bos_token
    return text.removeprefix(bos) if bos is not None else text


async def verl(url: str, text: str, *, engine: str, model: str, key: str = "use_activation") -> float:
    """One sample of verl's reward loop; it tries 16 times, but for a status of 4xx."""
    payload: dict[str, Any] = {"model": model, "input": text}
    route = "v1/embeddings"
    if engine == "vllm":
        payload[key], route = False, "classify"
    async with httpx2.AsyncClient(timeout=None) as session:
        for attempt in range(16):
            reply = await session.post(f"{url}/{route}", json=payload)
            if 400 <= reply.status_code < 500:
                reply.raise_for_status()
            if reply.status_code == 200:
                found = reply.json()["data"][-1]
                return found["probs"][-1] if engine == "vllm" else found["embedding"][-1]
            await asyncio.sleep(min(2**attempt, 30))
    raise TimeoutError(url)


def openrlhf(url: str, queries: list[str], prompts: list[str], labels: list[str], *, pause_s: float = 1.0) -> Any:
    """OpenRLHF's remote reward: five tries of 180 s, a second between them, whatever went wrong; then it stops."""
    body = {"query": queries, "prompts": prompts, "labels": labels}
    for _ in range(5):
        try:
            reply = requests.post(url=url, json=body, headers={"Content-Type": "application/json"}, timeout=180)
            reply.raise_for_status()
            found = reply.json()
            assert "rewards" in found, found
            return found
        except (requests.RequestException, AssertionError):
            time.sleep(pause_s)
    raise RuntimeError("five tries, no reward")


def llamafactory(url: str, messages: list[str]) -> list[float]:
    """LLaMA-Factory's PPO with `reward_model_type: api`; it looks at no status."""
    body = {"model": "model", "messages": messages}
    reply = requests.post(f"{url}/v1/score/evaluation", json=body, headers={"Content-Type": "application/json"})
    return json.loads(reply.text)["scores"]


_OPENAI_HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": "OpenAI/Python 1.99.0",
    "X-Stainless-Lang": "python",
    "X-Stainless-Retry-Count": "0",
    "Authorization": "Bearer sk-none",
}


def openai_embeddings(url: str, texts: str | list[str], *, model: str, **extra: Any) -> list[np.ndarray]:
    """The `openai` package: asks for base64 unless told, and reads little-endian float32."""
    body = {"input": texts, "model": model, "encoding_format": "base64", **extra}
    reply = httpx2.post(f"{url}/v1/embeddings", json=body, headers=_OPENAI_HEADERS)
    reply.raise_for_status()
    found = reply.json()
    assert found["object"] == "list"
    assert set(found["usage"]) >= {"prompt_tokens", "total_tokens"}
    return [np.frombuffer(base64.b64decode(row["embedding"]), dtype="<f4") for row in found["data"]]


def tei_rerank(url: str, query: str, texts: list[str], **extra: Any) -> list[dict[str, Any]]:
    """A client of Text Embeddings Inference, as LangChain and LlamaIndex call it."""
    reply = requests.post(f"{url}/rerank", json={"query": query, "texts": texts, **extra}, timeout=60)
    reply.raise_for_status()
    return reply.json()


def tei_predict(url: str, inputs: Any, **extra: Any) -> Any:
    """The same, for its sequence classifiers."""
    reply = requests.post(f"{url}/predict", json={"inputs": inputs, **extra}, timeout=60)
    reply.raise_for_status()
    return reply.json()


def vllm_rerank(url: str, query: str, documents: Sequence[str], *, route: str = "/v1/rerank", **extra: Any) -> Any:
    """The client of Jina's and Cohere's rerankers that vLLM answers too."""
    body = {"model": "decoder", "query": query, "documents": list(documents), **extra}
    reply = requests.post(url + route, headers={"accept": "application/json"}, json=body, timeout=60)
    reply.raise_for_status()
    return reply.json()


def vllm_score(url: str, first: str | list[str], second: str | list[str], **extra: Any) -> list[float]:
    """vLLM's own example client of `/score`."""
    body = {"model": "decoder", "text_1": first, "text_2": second, **extra}
    reply = requests.post(f"{url}/score", headers={"User-Agent": "Test Client"}, json=body, timeout=60)
    reply.raise_for_status()
    return [row["score"] for row in reply.json()["data"]]
