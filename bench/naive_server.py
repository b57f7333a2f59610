"""The reward server that people write by hand, as the benchmark's baseline: one forward pass a request.

    REWARD_MODEL=DIR REWARD_DTYPE=float32 uvicorn naive_server:app --app-dir bench

Plain transformers and FastAPI, a `def` route (which FastAPI runs in its pool of threads), `torch.no_grad`.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

path = os.environ["REWARD_MODEL"]
tokenizer: Any = AutoTokenizer.from_pretrained(path)
model: Any = AutoModelForSequenceClassification.from_pretrained(
    path, dtype=getattr(torch, os.environ.get("REWARD_DTYPE", "float32"))
).eval()
app = FastAPI()


class ScoreRequest(BaseModel):
    """One conversation."""

    messages: list[dict[str, str]]


@app.get("/health")
def health() -> dict[str, str]:
    """Whether it is up."""
    return {"status": "ok"}


@app.post("/score")
def score(request: ScoreRequest) -> dict[str, float]:
    """The reward of one conversation."""
    inputs = tokenizer.apply_chat_template(request.messages, tokenize=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        reward = model(**inputs).logits[0, 0]
    return {"score": reward.item()}
