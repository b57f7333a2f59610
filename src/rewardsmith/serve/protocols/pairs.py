"""Queries with documents: `/score` as vLLM has it, and `/rerank` as vLLM, Jina, Cohere and TEI have it.

A query is the user's turn and a document the answer, rendered with the model's chat template.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import AliasChoices, ConfigDict, Discriminator, Field, Tag
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import Response

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.serve.protocols.activation import Activated, activated, wants_sigmoid
from rewardsmith.serve.protocols.documented import examples, scoring_responses
from rewardsmith.serve.protocols.input_request import CuttingRequest, cut_of
from rewardsmith.serve.protocols.json_route import JsonRoute, json_reply
from rewardsmith.serve.protocols.scoring import listed, score, usage
from rewardsmith.serve.protocols.wire import Content, ForeignRequest, Reply, Usage, joined, one_of, pair
from rewardsmith.serve.work import Ask

router = APIRouter(route_class=JsonRoute)


class Document(ForeignRequest):
    """A text inside an object."""

    text: str | None = None
    """The text."""

    content: Content | None = None
    """Or pieces of it."""


def _kind(value: Any) -> str:
    return "several" if isinstance(value, list) else "object" if isinstance(value, dict | Document) else "text"


One = Annotated[Annotated[str, Tag("text")] | Annotated[Document, Tag("object")], Discriminator(_kind)]
Several = Annotated[list[One], Field(min_length=1, fail_fast=True)]
Side = Annotated[
    Annotated[str, Tag("text")] | Annotated[Document, Tag("object")] | Annotated[Several, Tag("several")],
    Discriminator(_kind),
]


class ScoreRequest(CuttingRequest, Activated):
    """What `/score` takes: one query for all documents, or one for each."""

    queries: Side = Field(validation_alias=AliasChoices("queries", "text_1", "data_1", "query"))
    """The user's turns; also `text_1`."""

    documents: Side = Field(validation_alias=AliasChoices("documents", "text_2", "data_2", "items"))
    """The answers; also `text_2` or `items`."""


class PairScore(Reply):
    """The reward of one pair."""

    index: int
    object: str
    score: float


class ScoreReply(Reply):
    """Rewards, in the order of the documents."""

    id: str
    object: str
    created: int
    model: str
    data: list[PairScore]
    usage: Usage


class RerankRequest(CuttingRequest, Activated):
    """What `/rerank` takes, of two kinds: with `documents`, or with `texts` as TEI has it."""

    model_config = ConfigDict(json_schema_extra=one_of("documents", "texts"))

    query: One
    """The user's turn."""

    documents: Several | SkipJsonSchema[None] = None
    """The answers; the reply is vLLM's, Jina's and Cohere's."""

    texts: Annotated[list[str], Field(min_length=1, fail_fast=True)] | SkipJsonSchema[None] = None
    """The answers; the reply is TEI's."""

    top_n: Annotated[int, Field(ge=0)] | None = None
    """Most results; all where absent or 0."""

    return_documents: bool | None = None
    """`false` leaves the documents out of the reply."""

    return_text: bool | None = None
    """`true` puts the texts into TEI's reply."""

    raw_scores: bool | None = None
    """With `texts`: the rewards themselves. TEI's default is their sigmoid."""

    truncate: bool | None = None
    """With `texts`: cut what is too long, in the place of an error."""


class RankedDocument(Reply):
    """The text of a document."""

    text: str


class Ranked(Reply):
    """A document and its reward."""

    index: int
    relevance_score: float
    document: RankedDocument | None = None


class RerankReply(Reply):
    """Documents, best first."""

    id: str
    model: str
    created: int
    results: list[Ranked]
    usage: Usage


class RankedText(Reply):
    """A text and its reward, as TEI has it."""

    index: int
    score: float
    text: str | None = None


_USAGE = {"prompt_tokens": 48, "total_tokens": 48, "completion_tokens": 0}
_ANSWERS = ["4", "22"]


async def _score(
    request: Request,
    body: Annotated[
        ScoreRequest,
        Body(
            openapi_examples=examples(
                one_query_for_all={"queries": "What is 2 + 2?", "documents": _ANSWERS},
                one_query_each={"text_1": ["What is 2 + 2?", "And 3 + 3?"], "text_2": ["4", "6"]},
            )
        ),
    ],
) -> Response:
    """The reward of each pair, in the order of the documents."""
    is_sigmoid = wants_sigmoid(body)
    queries, documents = _texts(body.queries, where="queries"), _texts(body.documents, where="documents")
    scored = await score(request, body.model, _ask(_paired(queries, documents), body))
    data = [
        {"index": index, "object": "score", "score": value}
        for index, value in enumerate(activated(scored.rewards, is_sigmoid=is_sigmoid))
    ]
    return json_reply(listed("score", scored, data))


async def _rerank(
    request: Request,
    body: Annotated[
        RerankRequest,
        Body(
            openapi_examples=examples(
                documents={"model": "helpful", "query": "What is 2 + 2?", "documents": _ANSWERS, "top_n": 1},
                texts_as_TEI_has_them={"query": "What is 2 + 2?", "texts": _ANSWERS, "raw_scores": True},
            )
        ),
    ],
) -> Response:
    """Documents by their reward, best first; equal ones in the order in which they came."""
    if (body.documents is None) == (body.texts is None):
        raise DataError("nothing to rank, or two things", wanted="either documents or texts", where="documents")
    if body.texts is not None:
        return await _rerank_texts(request, body, body.texts)
    assert body.documents is not None
    is_sigmoid = wants_sigmoid(body)
    documents = _texts(body.documents, where="documents")
    scored = await score(request, body.model, _ask(_paired(_texts(body.query, where="query"), documents), body))
    values = activated(scored.rewards, is_sigmoid=is_sigmoid)
    shows = body.return_documents is not False
    results = [
        {"index": index, "relevance_score": values[index]} | ({"document": {"text": documents[index]}} if shows else {})
        for index in best_first(scored.rewards)[: body.top_n or None]
    ]
    reply = {"id": f"rerank-{uuid.uuid4().hex}", "model": scored.model.name, "created": int(time.time())}
    return json_reply({**reply, "results": results, "usage": usage(scored)})


async def _rerank_texts(request: Request, body: RerankRequest, texts: Sequence[str]) -> Response:
    conversations = _paired(_texts(body.query, where="query"), texts)
    scored = await score(request, body.model, Ask(conversations=conversations, truncate=bool(body.truncate)))
    values = activated(scored.rewards, is_sigmoid=not body.raw_scores)
    return json_reply(
        [
            {"index": index, "score": values[index]} | ({"text": texts[index]} if body.return_text else {})
            for index in best_first(scored.rewards)[: body.top_n or None]
        ]
    )


def best_first(rewards: Sequence[float]) -> list[int]:
    """Indices by falling reward; ties in their order."""
    return sorted(range(len(rewards)), key=lambda index: -rewards[index])


def _ask(conversations: tuple[Conversation, ...], body: CuttingRequest) -> Ask:
    truncate, max_tokens = cut_of(body)
    return Ask(conversations=conversations, truncate=truncate, max_tokens=max_tokens)


def _paired(queries: Sequence[str], documents: Sequence[str]) -> tuple[Conversation, ...]:
    """One conversation a document.

    Raises:
        SettingsError: There are several queries, and not as many as documents.
    """
    if len(queries) not in (1, len(documents)):
        raise SettingsError(
            "queries and documents do not pair up",
            wanted="one query, or as many as documents",
            got=f"{len(queries)} queries, {len(documents)} documents",
            where="queries",
        )
    each = queries if len(queries) == len(documents) else [queries[0]] * len(documents)
    return tuple(map(pair, each, documents))


def _texts(side: str | Document | Sequence[str | Document], *, where: str) -> list[str]:
    if isinstance(side, str | Document):
        return [_text(side, where=where)]
    return [_text(one, where=f"{where}.{index}") for index, one in enumerate(side)]


def _text(one: str | Document, *, where: str) -> str:
    if isinstance(one, str):
        return one
    if one.text is not None:
        return one.text
    if one.content is None:
        raise DataError("a document without a text", wanted='a string, {"text": …} or {"content": …}', where=where)
    return joined(one.content)


for _path in ("/score", "/v1/score"):
    router.add_api_route(
        _path,
        _score,
        methods=["POST"],
        name=_path.strip("/").replace("/", "_"),
        tags=["vLLM"],
        responses=scoring_responses(
            ScoreReply,
            {
                "id": "score-0f",
                "object": "list",
                "created": 1767225600,
                "model": "helpful",
                "data": [
                    {"index": 0, "object": "score", "score": 1.625},
                    {"index": 1, "object": "score", "score": -2.5},
                ],
                "usage": _USAGE,
            },
        ),
    )
for _path in ("/rerank", "/v1/rerank", "/v2/rerank"):
    router.add_api_route(
        _path,
        _rerank,
        methods=["POST"],
        name=_path.strip("/").replace("/", "_"),
        tags=["rerank"],
        responses=scoring_responses(
            RerankReply | list[RankedText],
            {
                "id": "rerank-0f",
                "model": "helpful",
                "created": 1767225600,
                "results": [{"index": 0, "relevance_score": 1.625, "document": {"text": "4"}}],
                "usage": _USAGE,
            },
        ),
    )
