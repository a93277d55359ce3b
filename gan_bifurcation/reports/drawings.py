"""Drawings inside a page: a file from the results is a stranger's, so only what draws is let through."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree as ET

from markupsafe import escape

_SVG: Final = "{http://www.w3.org/2000/svg}"
_LINK: Final = "{http://www.w3.org/1999/xlink}href"
# What matplotlib draws with; anything else, above all scripts, styles of the page and foreign objects, is left out.
_TAGS: Final = frozenset({"svg", "g", "path", "use", "defs", "clipPath", "rect", "pattern", "image"})
_PLAIN: Final = frozenset({"x", "y", "width", "height", "patternUnits", "viewBox", "transform", "d", "fill", "opacity"})
_HARMLESS: Final = re.compile(r"[\w\s#.,;:%()+-]*")
_IMAGE: Final = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=\s]*")
_ID: Final = re.compile(r"[\w.:-]{1,80}")
_REFERENCE: Final = re.compile(r"url\(#([\w.:-]{1,80})\)")
_LONG: Final = re.compile(rb"(\d\.\d\d)\d+")
_COORDINATES: Final = re.compile(rb'(<path[^>]*? d=")([^"]*)(")', re.DOTALL)
_PLACES: Final = re.compile(r'<desc id="places">([^<]{1,20000})</desc>')


@dataclass(frozen=True)
class Axis:
    """One axis of a drawing: the values at its two ends, and whether it is logarithmic."""

    low: float
    high: float
    log: bool


@dataclass(frozen=True)
class Drawing:
    """A drawing that a page can hold as a part of itself.

    Attributes
    ----------
    markup : str
        An ``<svg>`` element of harmless elements; identifiers begin with a prefix of their own.
    box : tuple of float
        Left, top, right, bottom of the axes.
    x, y : Axis
    parts : frozenset of str
        Named parts, such as "regime-3".
    """

    markup: str
    box: tuple[float, float, float, float]
    x: Axis
    y: Axis
    parts: frozenset[str]

    def record(self) -> dict[str, Any]:
        """Where the axes are, for the page's script."""
        return {"box": list(self.box), "x": vars(self.x), "y": vars(self.y)}


def slim(svg: bytes) -> bytes:
    """The same drawing with coordinates to a hundredth of a point, which is finer than any screen or printer.

    >>> slim(b'<path d="M 1.234567 2.5" style="x: 1.234567"/>')
    b'<path d="M 1.23 2.5" style="x: 1.234567"/>'
    """
    return _COORDINATES.sub(lambda m: m[1] + b" ".join(_LONG.sub(rb"\1", m[2]).split()) + m[3], svg)


def drawing(svg: bytes, prefix: str) -> Drawing | None:
    """A drawing from a file, or None if a page can only show it as an image.

    Parameters
    ----------
    svg : bytes
        Of :func:`gan_bifurcation.figures.save`.
    prefix : str
        Put before its identifiers, which are unique on a page.
    """
    try:
        text = svg.decode()
        places = _PLACES.search(text)
        # Entities are never needed, and the one way in which a small file becomes a large one.
        if places is None or "<!ENTITY" in text:
            return None
        box, x, y = _axes(json.loads(places[1])[0])
        root = ET.fromstring(slim(svg))
    except (ValueError, KeyError, TypeError, IndexError, ET.ParseError, RecursionError):
        return None
    parts: set[str] = set()
    pieces: list[str] = []
    _write(root, prefix, pieces, parts)
    return Drawing("".join(pieces), box, x, y, frozenset(parts))


def _axes(place: Mapping[str, Any]) -> tuple[tuple[float, float, float, float], Axis, Axis]:
    left, top, right, bottom = (_finite(v) for v in place["box"])
    axes = []
    for name in ("x", "y"):
        low, high, scale = place[name]
        log = {"linear": False, "log": True}[scale]
        low, high = _finite(low), _finite(high)
        if low == high or left == right or top == bottom or (log and min(low, high) <= 0):
            raise ValueError(name)
        axes.append(Axis(low, high, log))
    return (left, top, right, bottom), axes[0], axes[1]


def _finite(value: Any) -> float:
    if not math.isfinite(float(value)):
        raise ValueError(value)
    return float(value)


def _write(element: Any, prefix: str, pieces: list[str], parts: set[str]) -> None:
    tag = str(element.tag).removeprefix(_SVG)
    if tag not in _TAGS:
        return
    pieces.append(f"<{tag}")
    for name, value in element.attrib.items():
        shown = _attribute(tag, name, value, prefix)
        if shown is not None:
            pieces.append(f' {"href" if name == _LINK else name}="{escape(shown)}"')
            kind, dash, number = value.rpartition("-")
            if name == "id" and kind in ("regime", "border") and dash and number.isdecimal():
                parts.add(value)
                pieces.append(f' data-{kind}="{int(number)}"')
    pieces.append(">")
    for child in element:
        _write(child, prefix, pieces, parts)
    pieces.append(f"</{tag}>")


def _attribute(tag: str, name: str, value: str, prefix: str) -> str | None:
    """An attribute's value as it may stand in the page; None if it may not."""
    if name == "id":
        return prefix + value if _ID.fullmatch(value) else None
    if name in (_LINK, "href"):
        if tag == "image":
            return value if _IMAGE.fullmatch(value) else None
        return f"#{prefix}{value[1:]}" if value[:1] == "#" and _ID.fullmatch(value[1:]) else None
    if name in ("style", "clip-path"):
        pointed = _REFERENCE.sub(lambda m: f"url(#{prefix}{m[1]})", value)
        rest = _REFERENCE.sub("", value)
        return pointed if _HARMLESS.fullmatch(rest) and "url" not in rest else None
    # The size is the page's affair.
    if tag == "svg" and name != "viewBox":
        return None
    return value if name in _PLAIN and _HARMLESS.fullmatch(value) else None
