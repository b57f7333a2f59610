"""Static files, and what an orchestrator asks."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from rewardsmith.annotate.pages.rendering import static_files, static_version
from rewardsmith.core.errors import MissingArtefactError

router = APIRouter()

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_GOOD = "public, max-age=31536000, immutable"


@router.get("/static/{version}/{name}")
async def show_file(version: str, name: str) -> Response:
    """A file, by its name in the package: nothing else can be named. A browser keeps it for good."""
    content = static_files().get(name)
    if content is None:
        raise MissingArtefactError("no such file", got=name)
    media_type = next(kind for ending, kind in _TYPES.items() if name.endswith(ending))
    # An older page asks for an older version, and gets this one, once.
    caching = _FOR_GOOD if version == static_version() else "no-store"
    return Response(content, media_type=media_type, headers={"Cache-Control": caching})


@router.get("/health/live")
@router.get("/health/ready")
async def show_health() -> Response:
    """That the server answers."""
    return JSONResponse({"status": "ok"})
