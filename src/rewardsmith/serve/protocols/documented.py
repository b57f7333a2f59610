"""What a route says of itself in OpenAPI: the reply with an example, and the errors that it may give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from rewardsmith.web.errors import error_responses

_SCORING_ERRORS = (400, 401, 404, 413, 415, 422, 429, 503, 504)


def scoring_responses(reply: Any, example: Any) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route that scores.

    Args:
        reply: Type of the reply.
        example: One such reply.
    """
    return {200: replying(reply, example), **error_responses(*_SCORING_ERRORS)}


def replying(reply: Any, example: Any, *, description: str = "Rewards") -> dict[str, Any]:
    """A reply of type `reply`, with an example that is checked to be one."""
    if isinstance(reply, type) and issubclass(reply, BaseModel):
        reply.model_validate(example)
    return {"model": reply, "description": description, "content": {"application/json": {"example": example}}}


def examples(**values: Any) -> dict[str, Any]:
    """`openapi_examples=` of a body: what each example is, and its value."""
    return {name: {"summary": name.replace("_", " "), "value": value} for name, value in values.items()}
