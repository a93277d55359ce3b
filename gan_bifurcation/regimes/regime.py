"""Regimes, borders and the map that they make: plain data with questions as methods."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch
from gan_bifurcation.continuation.set_curves import Curve
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import Outcome
from gan_bifurcation.regimes.attractors import Attractor, Cell
from gan_bifurcation.regimes.sampling import Sampler
from gan_bifurcation.system import System

if TYPE_CHECKING:
    import pandas as pd

    from gan_bifurcation.regimes.crossing import Transition
    from gan_bifurcation.regimes.questions import Change, Circle, Fastest, Nearest
    from gan_bifurcation.regimes.route import Step

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Regime:
    """A face of the map (an interval, for one parameter) in which training does the same everywhere.

    Attributes
    ----------
    number : int
        The node of the graph: over two parameters the largest regime is 0, those of one size from left to right, over
        one parameter they are in order.
    verdict : str
        converges, oscillates, stalls or diverges.
    detail : str
    attractors : tuple of Attractor
        At the representative point; the first one gave the verdict.
    shape : shapely geometry
        In unit coordinates.
    area : float
        As a part of the window.
    point : mapping of parameter to float
        A representative point, in natural units.
    radius : float
        Worst rate at the representative point: largest modulus of the multipliers (maps) or real part (flows) of the
        first attractor; NaN if that is no equilibrium.
    note : str
        What does not agree inside.
    confirmed : int
        How many interior points said the same.
    """

    number: int
    verdict: str
    detail: str
    attractors: tuple[Attractor, ...]
    shape: Any
    area: float
    point: Mapping[str, float]
    radius: float = np.nan
    note: str = ""
    confirmed: int = 0

    def __repr__(self) -> str:
        where = ", ".join(f"{k}={v:.4g}" for k, v in self.point.items())
        size = f"{100 * self.area:.3g} % of the window"
        return f"<Regime {self.number}: {self.verdict} ({self.detail}), {size}, as at {where}>"


def regime_of(number: int, cell: Cell, shape: Any, area: float, window: Window, note: str, confirmed: int) -> Regime:
    """The regime that a cell represents."""
    stable = sorted(cell.stable, key=lambda a: (-a.radius, a.state))
    if cell.run is not None and (cell.simulated or not stable):
        attractors = (cell.run, *stable)
    else:
        attractors = tuple(stable)
    if not attractors:
        attractors = (Attractor("stalls", "nothing that attracts was found", "spectrum"),)
    first = attractors[0]
    return Regime(
        number,
        first.verdict,
        first.detail,
        attractors,
        shape,
        area,
        window.values(np.array(cell.unit)),
        first.radius,
        note,
        confirmed,
    )


@dataclass(frozen=True, eq=False)
class Border:
    """Where one regime ends and another begins.

    Attributes
    ----------
    label : str
        LP BP H PD NS, the name of an event such as "focus", or "global" where no local curve explains it.
    criticality : str
        In words, of the bifurcation in the middle of the border; "" where that has no meaning.
    unit : array (N, d)
        Points in unit coordinates.
    points : array (N, d)
        The same in natural units.
    faces : pair of int
        The regimes on its two sides.
    length : float
        In unit coordinates.
    special : tuple of mapping
        Codimension-two points on it: label, parameters and a note, such as that the criticality changes there.
    curve : Curve or None
        The curve that it is a part of; None if no curve explains it, or one that cannot be solved again.
    how : str
        How it is known: "curve" (exact, solved again where asked), "traced" (exact at points of a curve of cycles,
        circles or iterates), "spectra" or "runs" (bisected to the map's tolerance).
    """

    label: str
    criticality: str
    unit: FloatArray
    points: FloatArray
    faces: tuple[int, int]
    length: float
    special: tuple[Mapping[str, Any], ...] = ()
    curve: Curve | None = None
    how: str = "curve"

    @property
    def branch(self) -> Branch | None:
        """The traced curve."""
        return None if self.curve is None else self.curve.branch

    def __repr__(self) -> str:
        words = f", {self.criticality}" if self.criticality else ""
        a, b = self.faces
        return f"<Border {self.label}{words} between regimes {a} and {b}, length {self.length:.4g}>"


@dataclass(frozen=True, eq=False)
class RegimeMap:
    """The regimes of a window and the borders between them. Made by :func:`gan_bifurcation.regime_map`.

    Attributes
    ----------
    faces : tuple of Regime
    borders : tuple of Border
    branches : tuple of Branch
        Cuts through the window.
    curves : tuple of Curve
        All curves that were traced, borders or not.
    tolerance : float
    notes : tuple of str
    outcome : Outcome
    crossings : tuple of Transition or None
        What happens to each attractor where a border is crossed; None where that was not computed with the map.
    """

    sampler: Sampler = field(repr=False)
    faces: tuple[Regime, ...]
    borders: tuple[Border, ...]
    branches: tuple[Branch, ...]
    curves: tuple[Curve, ...]
    tolerance: float
    notes: tuple[str, ...] = ()
    outcome: Outcome = field(default_factory=lambda: Outcome("complete", "The map is complete.", True))
    crossings: "tuple[Transition, ...] | None" = None

    @property
    def system(self) -> System:
        return self.sampler.system

    @property
    def window(self) -> Window:
        return self.sampler.window

    def __repr__(self) -> str:
        return (
            f"<RegimeMap over {', '.join(self.window.names)}: {len(self.faces)} regimes, {len(self.borders)} borders>"
        )

    @cached_property
    def graph(self) -> Any:
        """A networkx MultiGraph: nodes are regimes, edges are borders; plain Python values."""
        from gan_bifurcation.regimes.graph import build_graph

        return build_graph(self)

    @cached_property
    def transitions(self) -> "tuple[Transition, ...]":
        """What becomes of each attractor where a border is crossed slowly, in either direction."""
        from gan_bifurcation.regimes.crossing import with_transitions

        return (with_transitions(self).crossings or ()) if self.crossings is None else self.crossings

    @cached_property
    def hysteresis(self) -> Any:
        """A networkx MultiDiGraph: nodes are attractors of regimes ("3:1"), edges what they become across borders."""
        from gan_bifurcation.regimes.crossing import hysteresis_graph

        return hysteresis_graph(self)

    # -- questions ----------------------------------------------------------------------------------------------------

    def at(self, **values: float) -> Regime:
        """The regime at a point of the window, with the attractors and the rate that it has there.

        Raises
        ------
        MisuseError
            If a parameter is missing or outside the window.
        """
        from gan_bifurcation.regimes.questions import at

        return at(self, values)

    def largest_safe_circle(self, verdict: str = "converges") -> "Circle":
        """The largest circle in unit coordinates inside all regimes of one verdict."""
        from gan_bifurcation.regimes.questions import largest_safe_circle

        return largest_safe_circle(self, verdict)

    def nearest_border(self, **values: float) -> "Nearest":
        """The border nearest to a point (in unit coordinates), solved for on its curve."""
        from gan_bifurcation.regimes.questions import nearest_border

        return nearest_border(self, values)

    def smallest_change(self, to: str, from_: Mapping[str, float]) -> "Change":
        """The smallest change of the parameters (in unit coordinates) that leads into a regime with this verdict."""
        from gan_bifurcation.regimes.questions import smallest_change

        return smallest_change(self, to, from_)

    def best_rate(self) -> "Fastest":
        """Where in the window training converges fastest."""
        from gan_bifurcation.regimes.fastest import best_rate

        return best_rate(self)

    def along(self, path: Sequence[Mapping[str, float]]) -> "tuple[Step, ...]":
        """The borders that a path through points of the window crosses, in order, and what happens there."""
        from gan_bifurcation.regimes.route import along

        return along(self, path)

    # -- hand-over ----------------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """The graph with polygons and border polylines, and the transitions in its attributes; lossless."""
        from gan_bifurcation.regimes.graph import to_json

        return to_json(self.graph)

    def to_graphml(self, path: str | os.PathLike[str]) -> Path:
        """Write the graph as GraphML, with lists as strings."""
        from gan_bifurcation.regimes.graph import to_graphml

        return to_graphml(self.graph, Path(path))

    def to_geojson(self) -> str:
        """Faces and borders as GeoJSON, its coordinates the parameters in natural units."""
        from gan_bifurcation.regimes.exports import to_geojson

        return to_geojson(self)

    def to_dataframe(self, of: str = "regimes") -> "pd.DataFrame":
        """A table of the "regimes", "borders", "attractors" or "transitions" (needs pandas)."""
        from gan_bifurcation.regimes.exports import to_dataframe

        return to_dataframe(self, of)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the map into a folder: graph.json, graph.graphml, map.json, and the branches and curves.

        Raises
        ------
        ResultsError
            If the folder cannot be written.
        """
        from gan_bifurcation.regimes.storage import save

        return save(self, Path(folder))

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> "RegimeMap":
        """Read what :meth:`save` wrote; nothing in the files is run.

        Raises
        ------
        ResultsError
            If a file is missing or damaged.
        """
        from gan_bifurcation.regimes.storage import load

        return load(Path(folder))
