"""How a page is made: one set of templates, and static files whose addresses change with their content."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from rewardsmith import __version__
from rewardsmith.annotate.markdown import render as markdown
from rewardsmith.annotate.sessions import store_of
from rewardsmith.annotate.store import Session

_PACKAGE = "rewardsmith.annotate.pages"


def page(
    request: Request,
    template: str,
    *,
    session: Session | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """A page of `template`. Nothing of it is kept by the browser: the next task is another one, and texts are private.

    Args:
        template: Below `templates/`; it extends `base.html.jinja`.
        session: Of who reads it; the template then has `session` and the settings of its `project`, else `None`.
        values: Further names of the template.
    """
    project = None if session is None else store_of(request).project(session.project)
    html = _environment().get_template(template).render(session=session, project=project, **values)
    return HTMLResponse(html, status, headers={"Cache-Control": "no-store", **(headers or {})})


def static_url(name: str) -> str:
    """The address of a static file, which a browser may keep for good.

    Raises:
        KeyError: There is no such file.
    """
    if name not in static_files():
        raise KeyError(name)
    return f"/static/{static_version()}/{name}"


@functools.cache
def static_files() -> dict[str, bytes]:
    """Name → content. `cards.css` is the look that cards and reports have."""
    own = files(_PACKAGE).joinpath("static").iterdir()
    cards = files("rewardsmith.figures").joinpath("templates", "page.css")
    return {each.name: each.read_bytes() for each in own if each.is_file()} | {"cards.css": cards.read_bytes()}


@functools.cache
def static_version() -> str:
    """Changes with the content of any static file: scripts import each other by relative addresses."""
    return hashlib.sha256(b"".join(content for _, content in sorted(static_files().items()))).hexdigest()[:12]


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Templates are part of the package: a running server never looks for newer ones.
        auto_reload=False,
    )
    environment.filters["markdown"] = markdown
    environment.globals.update(static=static_url, version=__version__)
    return environment
