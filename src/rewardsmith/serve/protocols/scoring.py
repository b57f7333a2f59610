"""From a request's texts to an answer, the same way for every wire format: limits, scoring, records and headers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from fastapi import Request

from rewardsmith.core.conversation import assistant
from rewardsmith.core.errors import ModelError
from rewardsmith.serve.models import ServedModel, ServedModels
from rewardsmith.serve.protocols.presence import while_present
from rewardsmith.serve.work import Answer, Ask
from rewardsmith.web.limits import charge_tokens, require_texts
from rewardsmith.web.requests import record_of

GATE_HEADER = "X-Rewardsmith-Gate"
RENDERING_HEADER = "X-Rewardsmith-Rendering"
TRUNCATED_HEADER = "X-Rewardsmith-Truncated"

Rendering = Literal["as-is", "template"]


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model said to a request.

    Attributes:
        model: Who said it.
        answer: What.
        rendering: Whether texts went in as they were, or through the chat template.
    """

    model: ServedModel
    answer: Answer
    rendering: Rendering

    @property
    def rewards(self) -> list[float]:
        """The rewards, as the very float32 values that they are."""
        return self.answer.scores.rewards.tolist()

    @property
    def n_tokens(self) -> int:
        """Tokens of all texts; 0 where the family does not tell."""
        return sum(self.answer.n_tokens)


def served_models(request: Request) -> ServedModels:
    """The models of the application that answers `request`."""
    return request.app.state.models


async def score(request: Request, name: str | None, ask: Ask) -> Scored:
    """Score the texts of one request.

    Rendering, truncation and the model's gate standing are told in headers of the reply, since most wire formats have
    no place for them.

    Args:
        name: The model that the client names; the first one where absent.

    Raises:
        RewardsmithError: What the model, its queue or the client's limits say against it.
    """
    require_texts(request, len(ask))
    models = served_models(request)
    model = models.find(name)
    record = record_of(request)
    record.note(model=model.name, n_texts=len(ask), headers=_standing(model))
    fitted, rendering = _for_model(ask, model)
    answer = await while_present(request, models.score(model.name, fitted))
    n_tokens = sum(answer.n_tokens)
    charge_tokens(request, n_tokens)
    request.app.state.watch.note(model, ask, answer)
    record.note(
        n_tokens=n_tokens,
        n_truncated=answer.n_truncated,
        n_cached=answer.n_cached,
        stages={"queue": answer.queue_s, "score": answer.score_s},
        headers=_told(answer, rendering),
        texts=_texts(ask) if record.logs_texts else (),
    )
    return Scored(model, answer, rendering)


def usage(*scored: Scored) -> dict[str, int]:
    """`Usage` of a reply."""
    n_tokens = sum(each.n_tokens for each in scored)
    return {"prompt_tokens": n_tokens, "total_tokens": n_tokens, "completion_tokens": 0}


def listed(prefix: str, scored: Scored, data: list[dict[str, Any]]) -> dict[str, Any]:
    """The envelope of vLLM's and OpenAI's lists."""
    return {
        "id": f"{prefix}-{uuid.uuid4().hex}",
        "object": "list",
        "created": int(time.time()),
        "model": scored.model.name,
        "data": data,
        "usage": usage(scored),
    }


def _for_model(ask: Ask, model: ServedModel) -> tuple[Ask, Rendering]:
    """`ask` in a form that the model takes: a bare text becomes an answer to nothing where it must be a conversation.

    Raises:
        ModelError: The model takes no token ids.
    """
    if ask.ids and "ids" not in model.can:
        raise ModelError(
            f"a model of family {model.family} takes no token ids",
            wanted="texts or messages",
            where="input",
            fix="decode the ids, and send the text",
        )
    if ask.texts and "texts" not in model.can:
        return replace(ask, texts=(), conversations=tuple((assistant(text),) for text in ask.texts)), "template"
    return ask, "template" if ask.conversations else "as-is"


def _standing(model: ServedModel) -> Mapping[str, str]:
    return {} if model.verdict.passed else {GATE_HEADER: model.verdict.state}


def _told(answer: Answer, rendering: Rendering) -> dict[str, str]:
    cut = {TRUNCATED_HEADER: str(answer.n_truncated)} if answer.n_truncated else {}
    return {RENDERING_HEADER: rendering, **cut}


def _texts(ask: Ask) -> tuple[str, ...]:
    spoken = ("\n".join(message.content for message in each) for each in ask.conversations)
    return (*ask.texts, *spoken)
