"""What operators ask: whether the server lives, whether it is ready, what it serves; and what it shall serve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Request
from fastapi import Path as InPath
from fastapi.concurrency import run_in_threadpool
from pydantic import Field
from starlette.responses import Response

from rewardsmith.core.errors import ForbiddenError, ModelError, WorkerError
from rewardsmith.serve.drift import Drift
from rewardsmith.serve.metrics import CONTENT_TYPE
from rewardsmith.serve.models import ServedModel
from rewardsmith.serve.protocols.documented import examples, replying
from rewardsmith.serve.protocols.json_route import JsonRoute, json_reply
from rewardsmith.serve.protocols.scoring import served_models
from rewardsmith.serve.protocols.wire import OwnRequest, Reply
from rewardsmith.web.errors import error_responses
from rewardsmith.web.keys import require_admin

health_router = APIRouter(tags=["operation"])
models_router = APIRouter(route_class=JsonRoute, tags=["models"])

ModelName = Annotated[str, InPath(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["helpful"])]


class Health(Reply):
    """How the server is."""

    status: Literal["live", "ready"]


class Gate(Reply):
    """What the release gate said of these weights."""

    status: str
    """`passed`, `failed`, `not-enough-evidence`, or `ungated`: no verdict is about these weights."""

    policy: str | None = None
    """The policy that it was held against."""


class DriftReply(Reply):
    """How far the latest rewards lie from those that the model was judged by."""

    distance: float | None = None
    """Kolmogorov–Smirnov distance, 0 to 1; absent while there are too few."""

    limit: float
    """Above it the rewards have drifted."""

    has_drifted: bool
    """Whether somebody should look."""

    n: int
    """Latest rewards that were compared."""

    n_reference: int
    """Rewards that they were compared with."""

    reference: str
    """Where those are from: `evaluation`, `audit` or `first served`."""


class ModelReply(Reply):
    """A model that is served."""

    id: str
    """Its name: what requests say in `model`."""

    object: str
    created: int
    owned_by: str
    state: str
    """`loading`, `ready`, `failed` or `draining`."""

    family: str | None = None
    model_digest: str | None = None
    template_digest: str | None = None
    max_tokens: int | None = None
    """Longest text; absent where the family does not tell."""

    temperature: float | None = None
    """Of calibrated probabilities; absent where none was fitted."""

    precision: str
    """Of the network's arithmetic: `float32` or `bf16`."""

    error: str | None = None
    """Why there is no model, or why the one that was to replace it could not be loaded; for admins, since it may name
    folders."""

    can: list[str]
    """What it takes beside conversations (`texts`, `ids`), and gives beside rewards."""

    relative: bool
    """Whether its rewards compare the answers of one request, so that an answer by itself has none."""

    gate: Gate

    drift: DriftReply | None = None
    """Absent before the first answer."""


class ModelsReply(Reply):
    """The models, in the order in which they were named; the first is the default."""

    object: str
    data: list[ModelReply]


class LoadRequest(OwnRequest):
    """Which model to serve."""

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    """Folder of the model, below one of the server's model roots; relative to one, or absolute."""


class UnloadedReply(Reply):
    """A model that is no longer served."""

    id: str
    object: str
    deleted: bool


_METRICS = 'rewardsmith_requests_total{route="/classify",status="200"} 12.0'
_MODEL = {
    "id": "helpful",
    "object": "model",
    "created": 1767225600,
    "owned_by": "rewardsmith",
    "state": "ready",
    "family": "single",
    "model_digest": "2c26b46b68ff",
    "template_digest": "fcde2b2edba5",
    "max_tokens": 512,
    "temperature": 1.2,
    "precision": "float32",
    "error": None,
    "can": ["ids", "texts"],
    "relative": False,
    "gate": {"status": "passed", "policy": "research"},
}


@health_router.get("/health", responses={200: replying(Health, {"status": "live"}, description="It answers")})
@health_router.get("/health/live", responses={200: replying(Health, {"status": "live"}, description="It answers")})
async def live() -> Response:
    """Whether the server answers at all. A server that does not should be started again."""
    return json_reply({"status": "live"})


@health_router.get(
    "/health/ready",
    responses={200: replying(Health, {"status": "ready"}, description="A model is ready"), **error_responses(503)},
)
async def ready(request: Request) -> Response:
    """Whether requests can be sent here: not while models are loaded, nor while the server stops."""
    states = [model.state for model in served_models(request).listing()]
    if "ready" not in states:
        raise WorkerError("no model is ready", wanted="a model that is ready", got=", ".join(states) or "no model")
    return json_reply({"status": "ready"})


@health_router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "Prometheus' text", "content": {"text/plain": {"example": _METRICS}}},
        **error_responses(401, 429),
    },
)
async def show_metrics(request: Request) -> Response:
    """What Prometheus reads."""
    return Response(request.app.state.watch.render(), headers={"Content-Type": CONTENT_TYPE})


@models_router.get(
    "/v1/models",
    responses={
        200: replying(ModelsReply, {"object": "list", "data": [_MODEL]}, description="The models"),
        **error_responses(401, 429),
    },
)
async def list_models(request: Request) -> Response:
    """What is served, and how far it can be trusted."""
    models = served_models(request).listing()
    return json_reply({"object": "list", "data": [_told(request, model) for model in models]})


@models_router.get(
    "/v1/models/{name}",
    responses={200: replying(ModelReply, _MODEL, description="The model"), **error_responses(401, 404, 422, 429)},
)
async def show_model(request: Request, name: ModelName) -> Response:
    """One model."""
    return json_reply(_told(request, served_models(request).find(name)))


@models_router.put(
    "/v1/models/{name}",
    dependencies=[Depends(require_admin)],
    responses={
        200: replying(ModelReply, _MODEL, description="It is served"),
        **error_responses(400, 401, 403, 409, 413, 415, 422, 429, 503, 504),
    },
)
async def load_model(
    request: Request,
    name: ModelName,
    body: Annotated[LoadRequest, Body(openapi_examples=examples(a_folder={"path": "runs/helpful/model"}))],
) -> Response:
    """Serve a model, in the place of the one of that name where there is one.

    The old one goes on until the new one is loaded, and finishes what it took. Where the new one cannot be loaded the
    old one stays.
    """
    models = served_models(request)
    path = await run_in_threadpool(find_model, body.path, models.settings.model_roots)
    is_new = name not in {model.name for model in models.listing()}
    model = await (models.load(name, str(path)) if is_new else models.swap(name, str(path)))
    return json_reply(_told(request, model))


@models_router.delete(
    "/v1/models/{name}",
    dependencies=[Depends(require_admin)],
    responses={
        200: replying(UnloadedReply, {"id": "helpful", "object": "model", "deleted": True}, description="It is gone"),
        **error_responses(401, 403, 404, 422, 429),
    },
)
async def unload_model(request: Request, name: ModelName) -> Response:
    """Serve a model no longer. It finishes what it took."""
    await served_models(request).unload(name)
    return json_reply({"id": name, "object": "model", "deleted": True})


def find_model(path: str, roots: Sequence[Path]) -> Path:
    """The folder that `path` names, symbolic links resolved.

    Raises:
        ForbiddenError: It is not below one of `roots`. Whether something is there is not told.
        ModelError: There is no such folder.
    """
    resolved = [root.resolve() for root in roots]
    found = [place for root in resolved if (place := _below(root, path)) is not None]
    if not found:
        raise ForbiddenError(
            "models are loaded from the model roots only",
            wanted="a folder below one of the server's model roots",
            got=path,
            where="path",
            fix="start the server with --models-from FOLDER",
        )
    folder = next((place for place in found if place.is_dir()), None)
    if folder is None:
        raise ModelError("no model there", wanted="a folder", got=path, where="path")
    return folder


def _below(root: Path, path: str) -> Path | None:
    """`path` where it is `root` or below it, after all links; relative ones start at the root."""
    try:
        place = (root / path).resolve()
        return place if place.is_relative_to(root) else None
    except (OSError, ValueError, RuntimeError):  # too long, holds a null, links that go in a circle
        return None


def _told(request: Request, model: ServedModel) -> dict[str, Any]:
    """As `ModelReply`. Paths of the server's machine are not told."""
    provenance = model.provenance
    return {
        "id": model.name,
        "object": "model",
        "created": request.app.state.started_at,
        "owned_by": "rewardsmith",
        "state": model.state,
        "family": model.family or None,
        "model_digest": None if provenance is None else provenance.model_digest,
        "template_digest": None if provenance is None else provenance.template_digest,
        "max_tokens": model.max_tokens,
        "temperature": model.temperature,
        "precision": model.precision,
        "error": model.error if _is_admin(request) else None,
        "can": sorted(model.can),
        "relative": model.is_relative,
        "gate": {"status": model.verdict.state, "policy": model.verdict.policy},
        "drift": _drift(request.app.state.watch.drift(model.name)),
    }


def _is_admin(request: Request) -> bool:
    try:
        require_admin(request)
    except ForbiddenError:
        return False
    return True


def _drift(drift: Drift | None) -> dict[str, Any] | None:
    """As `DriftReply`."""
    if drift is None:
        return None
    return {
        "distance": drift.distance,
        "limit": drift.limit,
        "has_drifted": drift.has_drifted,
        "n": drift.n,
        "n_reference": drift.n_reference,
        "reference": drift.source,
    }
