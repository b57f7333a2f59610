"""Sections to one self-contained HTML file: inline CSS and SVG, no script, nothing fetched, readable on a phone and on
paper, light or dark. Texts come from data sets and may hold HTML, so everything but the pictures is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rewardsmith.figures import wording
from rewardsmith.figures.pieces import Section


def render_page(
    title: str, sections: Sequence[Section], *, subtitle: str = "", facts: Mapping[str, str] | None = None
) -> str:
    """The whole HTML file.

    Args:
        subtitle: One sentence under the title.
        facts: Short provenance, such as model, seed and version, as name and value.
    """
    anchors = _anchors([section.title for section in sections])
    return _ENVIRONMENT.get_template("page.html.jinja").render(
        title=title, subtitle=subtitle, facts=dict(facts or {}), sections=list(zip(anchors, sections, strict=True))
    )


def render_sections(sections: Sequence[Section]) -> Markup:
    """The `<section>` elements alone, for a page of a server that has a head and style sheets of its own."""
    anchors = _anchors([section.title for section in sections])
    html = _ENVIRONMENT.get_template("sections.html.jinja").render(sections=list(zip(anchors, sections, strict=True)))
    return Markup(html)


def _anchors(titles: Sequence[str]) -> list[str]:
    """A fragment name for each title; numbered, so that equal titles have different ones."""
    slugs = [re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section" for title in titles]
    return [f"s{place}-{slug}" for place, slug in enumerate(slugs, start=1)]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("rewardsmith.figures"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell_text"] = wording.cell_text
    environment.filters["cell_note"] = wording.cell_note
    environment.filters["drawn"] = Markup
    environment.tests["numeric"] = wording.is_number
    return environment


_ENVIRONMENT = _environment()
