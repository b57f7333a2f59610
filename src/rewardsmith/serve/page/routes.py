"""The page's routes: `/`, what it is drawn with, and the report card of a model."""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import JSONResponse, Response

from rewardsmith import __version__
from rewardsmith.core.errors import MissingArtefactError
from rewardsmith.serve.page.report_card import ReportCard, load_report_card
from rewardsmith.serve.protocols.operate import ModelName
from rewardsmith.serve.protocols.scoring import served_models
from rewardsmith.web.errors import error_responses

_SAFE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    f"require-trusted-types-for 'script'; trusted-types 'none'; {_SAFE}"
)
"""Nothing from elsewhere, nothing inline, and no text that becomes HTML."""

CARD_POLICY = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; {_SAFE}"
"""A card holds its own styles and pictures, and no script."""

_TYPES = {".css": "text/css", ".js": "text/javascript"}


def page_paths() -> frozenset[str]:
    """Paths that need no key: what a browser asks for before its user can give one."""
    return frozenset({"/", *(f"/static/{name}" for name in _static_files())})


def page_router(*, needs_key: bool) -> APIRouter:
    """The page at `/`, its files at `/static/…`, and `GET /v1/models/{name}/card`.

    Args:
        needs_key: The server asks for a key, and so the page does.
    """
    router = APIRouter(tags=["page"])
    page = _page(needs_key=needs_key)
    static = _static_files()

    @router.get("/", include_in_schema=False)
    async def show_page() -> Response:
        headers = _HEADERS | {"Content-Security-Policy": PAGE_POLICY}
        return Response(page, media_type="text/html", headers=headers)

    @router.get("/static/{name}", include_in_schema=False)
    async def show_file(name: str) -> Response:
        if name not in static:
            raise MissingArtefactError("no such file", wanted=f"one of {', '.join(static)}", got=name)
        media_type = next(kind for ending, kind in _TYPES.items() if name.endswith(ending))
        return Response(static[name], media_type=media_type, headers=_HEADERS)

    router.add_api_route(
        "/v1/models/{name}/card",
        show_card,
        methods=["GET"],
        summary="The release report card of a model",
        response_class=Response,
        responses={
            200: {"content": {"text/html": {}, "application/json": {}}},
            **error_responses(401, 404, 409, 422, 429),
        },
    )
    return router


async def show_card(request: Request, name: ModelName, format: Literal["html", "json"] = "html") -> Response:
    """The card as `rewardsmith report` wrote it beside the model: the page, or with `format=json` the verdict in it."""
    model = served_models(request).find(name)
    digest = None if model.provenance is None else model.provenance.model_digest
    card = await run_in_threadpool(_card, model.name, model.path, digest)
    if format == "json":
        return JSONResponse(card.verdict, headers=_HEADERS)
    return Response(card.html, media_type="text/html", headers=_HEADERS | {"Content-Security-Policy": CARD_POLICY})


def _card(name: str, path: str, digest: str | None) -> ReportCard:
    """The card of a model; one that is still being loaded has none, as its weights are not known."""
    card = None if digest is None else load_report_card(path, digest)
    if card is None:
        raise MissingArtefactError(
            "the model has no report card",
            wanted="a report card of these weights beside the model",
            got=name,
            fix="run `rewardsmith report AUDIT… --policy NAME --out FOLDER`, with FOLDER beside the model",
        )
    return card


def _page(*, needs_key: bool) -> str:
    environment = Environment(
        loader=PackageLoader("rewardsmith.serve.page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("page.html.jinja").render(version=__version__, needs_key=needs_key)


def _static_files() -> dict[str, bytes]:
    """Name → content. `cards.css` is the look that cards and reports have."""
    own = files("rewardsmith.serve.page").joinpath("static").iterdir()
    cards = files("rewardsmith.figures").joinpath("templates", "page.css")
    return {each.name: each.read_bytes() for each in own} | {"cards.css": cards.read_bytes()}
