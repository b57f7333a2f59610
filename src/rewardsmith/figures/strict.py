"""Pictures for pages whose policy forbids inline styles: what `style` attributes say becomes attributes of SVG.

A card is one file and holds its styles. A page of a server says `style-src 'self'`, and a browser then ignores every
`style` attribute and element. SVG has an attribute of the same name for each property that matplotlib writes.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from rewardsmith.core.errors import RewardsmithError

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_PROPERTIES = frozenset(
    {
        "fill",
        "fill-opacity",
        "fill-rule",
        "font-family",
        "font-size",
        "font-style",
        "font-weight",
        "opacity",
        "stroke",
        "stroke-dasharray",
        "stroke-dashoffset",
        "stroke-linecap",
        "stroke-linejoin",
        "stroke-miterlimit",
        "stroke-opacity",
        "stroke-width",
        "text-anchor",
    }
)
_OF_THE_PAGE = frozenset({"max-width"})
"""What the page's style sheet says of `.plot`."""

_DEFAULTS = {"stroke-linejoin": "round", "stroke-linecap": "butt"}
"""What matplotlib's own `style` element says of everything."""

_REFERENCE = re.compile(r"(?:url\(#|^#)([^)]+)\)?")


def without_styles(svg: str) -> str:
    """The same picture without a `style`; ids that nothing refers to go too, so that a page can hold several.

    Args:
        svg: Inline SVG as `style.to_svg` writes it.

    Raises:
        RewardsmithError: A style has a property that no attribute has.
    """
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(svg)
    for parent in root.iter():
        for child in [each for each in parent if each.tag == f"{{{_SVG}}}style"]:
            parent.remove(child)
    for name, value in _DEFAULTS.items():
        root.set(name, value)
    for element in root.iter():
        for name, value in _declarations(element.attrib.pop("style", "")):
            element.set(name, value)
    used = {
        found for element in root.iter() for value in element.attrib.values() for found in _REFERENCE.findall(value)
    }
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
    return ElementTree.tostring(root, encoding="unicode")


def _declarations(style: str) -> list[tuple[str, str]]:
    found = []
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip(), value.strip()
        if not name or name in _OF_THE_PAGE:
            continue
        if name not in _PROPERTIES:
            raise RewardsmithError("a style that no attribute of SVG can say", wanted="a plain property", got=name)
        found.append((name, value))
    return found
