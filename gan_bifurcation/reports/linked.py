"""Drawings that belong together on a page: a regime map, its graph, and the diagrams along lines through it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from gan_bifurcation.branch import Branch
from gan_bifurcation.errors import GanBifurcationError
from gan_bifurcation.figures.polylines import size_of
from gan_bifurcation.reports.drawings import Drawing, drawing, slim
from gan_bifurcation.reports.regime_cards import card, in_words
from gan_bifurcation.studies.results import Figure, Results

_logger = logging.getLogger(__name__)

# What a page can hold.
_MOST_MAPS: Final = 12
_MOST_CARDS: Final = 12
_MOST_CARDS_OF_ALL: Final = 40
_MOST_BYTES: Final = 1 << 20
_MOST_DIAGRAMS: Final = 2
_MOST_NODES: Final = 40
_MOST_POINTS: Final = 160
# Places along each side of the window at which the slowest multiplier is kept.
_ALONG: Final = {1: 97, 2: 13}
# Larger systems cost too much for so many spectra.
_MOST_STATES: Final = 64
_ROLES: Final[Mapping[str, str]] = {
    "regime_map": "map", "bifurcation_set": "map", "regime_graph": "graph", "bifurcation_diagram": "diagram",
    "spectral_radius": "diagram",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Linked:
    """A drawing of a group.

    Attributes
    ----------
    identifier : str
        On the page.
    role : "map", "graph" or "diagram"
    drawing : Drawing
    caption : str
    number : int
        Of the study's figure; 0 if it was drawn for the page.
    about : mapping
        For the page's script.
    """

    identifier: str
    role: str
    drawing: Drawing
    caption: str
    number: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Group:
    """What is shown of one map: its drawings, its cards, and what the page's script needs.

    Attributes
    ----------
    name : str
    drawings : tuple of Linked
    cards : tuple of (Card, bytes)
        With its sketch as SVG.
    left_out : int
        Regimes without a card.
    about : mapping
    """

    name: str
    drawings: tuple[Linked, ...]
    cards: tuple[tuple[Any, bytes], ...]
    left_out: int
    about: Mapping[str, Any]

    @property
    def first(self) -> int:
        """The regime that a page begins with: the largest that converges, or the largest of all."""
        return int(self.about["first"])

    def of(self, role: str) -> list[Linked]:
        return [d for d in self.drawings if d.role == role]


Drawings = Mapping[str, Sequence[Linked]]


def groups(results: Results, drawn: Callable[[], Drawings]) -> dict[str, Group]:
    """The groups of a study's maps, by the names of the maps.

    Parameters
    ----------
    results : Results
    drawn : callable
        Gives what :func:`drawings` gives, which is asked for last: another process may still be drawing.
    """
    made = {}
    cards_left = _MOST_CARDS_OF_ALL
    for name, rmap in _maps(results).items():
        shown = sorted(rmap.faces, key=lambda f: -f.area)[: min(_MOST_CARDS, cards_left)]
        cards_left -= len(shown)
        cards = tuple(_card(rmap, face) for face in sorted(shown, key=lambda f: f.number))
        made[name] = (cards, len(rmap.faces) - len(cards), _about(rmap))
    of_maps = drawn()
    return {name: Group(name, tuple(of_maps[name]), *rest) for name, rest in made.items()}


def drawings(results: Results) -> Drawings:
    """The drawings of a study's maps, by the names of the maps."""
    made: dict[str, Sequence[Linked]] = {}
    taken: set[str] = set()
    for number, (name, rmap) in enumerate(_maps(results).items()):
        made[name] = _drawings(results, name, rmap, f"m{number}", taken)
        taken |= {results_name for d in made[name] for results_name in d.about.get("figure", [])}
    return made


def _maps(results: Results) -> dict[str, Any]:
    return dict(list(results.maps.items())[:_MOST_MAPS])


def _card(rmap: Any, face: Any) -> tuple[Any, bytes]:
    from gan_bifurcation.figures.sketches import run_sketch
    from gan_bifurcation.figures.writing import as_svg

    found = card(rmap, face)
    return found, slim(as_svg(run_sketch(found.times, found.values, found.spectrum, rmap.system.kind)))


def _drawings(results: Results, name: str, rmap: Any, prefix: str, taken: set[str]) -> list[Linked]:
    """Of the study's own figures those that show the map or a line through it; what is missing is drawn."""
    specs = {s.name: s for s in results.file.study.figure}
    found: list[Linked] = []

    def add(role: str, svg: bytes | None, caption: str, about: Mapping[str, Any], number: int = 0) -> bool:
        identifier = f"{prefix}-{role}{sum(d.role == role for d in found) or ''}"
        made = None if svg is None or len(svg) > _MOST_BYTES else drawing(svg, f"{identifier}-")
        if made is None or (role != "diagram" and not any(p.startswith("regime-") for p in made.parts)):
            return False
        found.append(Linked(identifier, role, made, caption, number, about))
        return True

    for number, (key, figure) in enumerate(results.figures.items(), 1):
        spec = specs[key]
        role = _ROLES.get(spec.kind)
        if role is None or key in taken:
            continue
        about: dict[str, Any] = {"figure": [key]}
        if role == "diagram":
            branches = [b for b in (results[n] for n in spec.of) if isinstance(b, Branch)]
            lines = [line for b in branches if (line := _line(rmap, results, spec.of, b)) is not None]
            if not lines or sum(d.role == "diagram" for d in found) >= _MOST_DIAGRAMS:
                continue
            about |= _along(lines, spec.kind, spec.state)
        elif (spec.map if spec.kind == "bifurcation_set" else spec.of[0]) != name:
            continue
        elif any(d.role == role for d in found):
            continue
        add(role, _read(figure), figure.caption or figure.name, about, number)
    for role, draw in _MISSING.items():
        if not any(d.role == role for d in found):
            try:
                made = draw(rmap)
            except GanBifurcationError as error:
                # A page without this drawing is still a page.
                _logger.warning("No %s of the map '%s' was drawn: %s", role, name, error)
                continue
            if made is not None:
                add(role, *made)
    return found


def _read(figure: Figure) -> bytes | None:
    try:
        return figure.path.with_name(figure.path.name + ".svg").read_bytes()
    except OSError:
        # What is missing is said where the figures are shown.
        return None


# -- what is missing --------------------------------------------------------------------------------------------------


def _svg(draw: Callable[[Any], Any], aspect: float) -> bytes:
    from gan_bifurcation import figures
    from gan_bifurcation.figures.writing import as_svg

    made, ax = figures.figure("column", aspect)
    draw(ax)
    return as_svg(made)


def _missing_map(rmap: Any) -> tuple[bytes, str, dict[str, Any]]:
    from gan_bifurcation import figures

    aspect = 0.95 if rmap.window.dimension == 2 else 0.5
    return _svg(lambda ax: figures.regime_map(rmap, ax=ax), aspect), "The regimes, drawn for this page.", {}


def _missing_graph(rmap: Any) -> tuple[bytes, str, dict[str, Any]] | None:
    from gan_bifurcation import figures

    if not 1 < len(rmap.faces) <= _MOST_NODES:
        return None
    caption = "The graph of the regimes and the borders that they share, drawn for this page."
    return _svg(lambda ax: figures.regime_graph(rmap, ax=ax), 0.8), caption, {}


def _missing_diagram(rmap: Any) -> tuple[bytes, str, dict[str, Any]] | None:
    """The size of the spectrum along the line through the map that crosses most."""
    from gan_bifurcation import figures

    lines = [b for b in rmap.branches if len(b.free) == 1 and not b.profiles and len(b) > 1]
    if not lines:
        return None
    # Marks at given values say where curves begin, and nothing about training.
    known = {id(b): _apart(b, [p for p in b.special_points if p.label and p.label != "UZ"]) for b in lines}
    branch = max(lines, key=lambda b: len(known[id(b)]))
    shown = _with_points(branch, known[id(branch)])
    fixed = ", ".join(f"{n} = {branch.system.parameters[n]:.4g}" for n in rmap.window.names if n not in branch.free)
    what = "largest modulus of the multipliers" if rmap.system.kind == "map" else "largest real part of the eigenvalues"
    caption = f"The {what}{f' along the line {fixed}' if fixed else ''}, drawn for this page."
    about = _along([shown], "spectral_radius", None)
    return _svg(lambda ax: figures.spectral_radius(shown, ax=ax), 0.72), caption, about


def _apart(branch: Branch, points: Sequence[Any]) -> list[Any]:
    """Points without those at the place of another: a branch at one value of its parameter turns back ever so often."""
    (name,) = branch.free
    values = branch.column(name)
    width = float(np.ptp(values)) or 1.0
    kept: list[Any] = []
    for point in points:
        if all(abs(point.parameters[name] - other.parameters[name]) > _BESIDE * width for other in kept):
            kept.append(point)
    return kept


def _with_points(branch: Branch, points: Sequence[Any]) -> Branch:
    from dataclasses import replace

    return replace(branch, special_points=tuple(points))


# Of the width of a branch: labels that lie closer cannot be read.
_BESIDE: Final = 0.01
_MISSING: Final[Mapping[str, Callable[[Any], tuple[bytes, str, dict[str, Any]] | None]]] = {
    "map": _missing_map, "diagram": _missing_diagram, "graph": _missing_graph,
}  # fmt: skip


# -- lines through a map ----------------------------------------------------------------------------------------------


def _line(rmap: Any, results: Results, names: Sequence[str], branch: Branch) -> Branch | None:
    """The branch if it is a line through the map: the same equations, and all other parameters as there."""
    window = rmap.window
    if len(branch.free) != 1 or branch.free[0] not in window.names:
        return None
    mine, its = rmap.system, branch.system
    if (mine.kind, mine.states, tuple(mine.parameters)) != (its.kind, its.states, tuple(its.parameters)):
        return None
    if not _same_equations(mine, its):
        return None
    for name, value in mine.parameters.items():
        if name in branch.free:
            continue
        there = its.parameters[name]
        if name in window.names:
            low, high = sorted((window.ranges[name].low, window.ranges[name].high))
            if not low <= there <= high:
                return None
        elif not np.isclose(value, there, rtol=1e-9, atol=1e-12):
            return None
    return branch


def _same_equations(a: Any, b: Any) -> bool:
    """Whether two systems give the same where both are asked: their tapes may be numbered differently."""
    if a.iterations != b.iterations:
        return False
    rng = np.random.default_rng(0)
    for _ in range(2):
        x = rng.uniform(0.1, 0.9, a.n)
        p = a.parameter_vector()
        if not np.allclose(a.rhs(x, p), b.rhs(x, p), rtol=1e-9, atol=1e-12, equal_nan=True):
            return False
    return True


def _along(lines: Sequence[Branch], kind: str, state: str | None) -> dict[str, Any]:
    """What a page says at each place along a line."""
    from gan_bifurcation.figures.branches import varying_state

    made = []
    for branch in lines:
        step = max(1, -(-len(branch) // _MOST_POINTS))
        chosen = range(0, len(branch), step)
        name = branch.free[0]
        fixed = {k: v for k, v in branch.system.parameters.items() if k != name}
        sizes = [size_of(branch.point(k)) for k in chosen] if branch.spectrum.size else [None for _ in chosen]
        drawn: Any = [None for _ in chosen]
        if not branch.profiles:
            on = state or varying_state(lines)
            known = kind == "bifurcation_diagram" and on in branch.system.states
            drawn = branch.column(on)[::step].tolist() if known else sizes
        made.append({
            "fixed": {k: float(v) for k, v in fixed.items()},
            "at": _digits(branch.column(name)[::step].tolist(), 9), "drawn": _digits(drawn, 6),
            "size": _digits(sizes, 6), "stable": [bool(s) for s in branch.stable[::step]],
            "leading": [in_words(branch.spectrum[k], branch.system.kind if not branch.profiles else "map")
                        for k in chosen] if branch.spectrum.size else [],
        })  # fmt: skip
    return {"parameter": lines[0].free[0], "lines": made}


def _digits(values: Sequence[Any], digits: int) -> list[float | None]:
    return [None if v is None or not np.isfinite(v) else float(f"{v:.{digits}g}") for v in values]


def _about(rmap: Any) -> dict[str, Any]:
    """A map for the page's script: its window, its regimes, and how fast training converges over it."""
    names = list(rmap.window.names)
    faces = {str(f.number): f"regime {f.number}: {f.verdict}{_kind(f)}" for f in rmap.faces}
    first = max(rmap.faces, key=lambda f: (f.verdict == "converges", f.area))
    return {
        "names": names,
        "first": first.number,
        "window": [{"low": r.low, "high": r.high, "log": r.log} for r in rmap.window.ranges.values()],
        "kind": rmap.system.kind,
        "faces": faces,
        "rates": _rates(rmap),
    }


def _kind(face: Any) -> str:
    """What is said of a regime as a whole; circles, cycles and chaos may lie side by side in one that oscillates."""
    varies = face.verdict == "oscillates" and face.detail != "centre"
    return f" ({face.detail})" if face.detail and not varies else ""


def _rates(rmap: Any) -> dict[str, Any] | None:
    """The slowest multiplier or eigenvalue of what attracts, over a grid of the window."""
    if rmap.system.n > _MOST_STATES or not rmap.sampler.sheets:
        return None
    along = _ALONG[rmap.window.dimension]
    ticks = np.linspace(0.0, 1.0, along)
    grid = np.stack(np.meshgrid(*[ticks] * rmap.window.dimension, indexing="ij"), axis=-1)
    cells = rmap.sampler.spectra(grid.reshape(-1, rmap.window.dimension))
    values = [max((a.radius for a in cell.stable), default=None) for cell in cells]
    return {"along": along, "values": _digits(values, 5)}
