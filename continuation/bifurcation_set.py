"""The bifurcation set of a system over two parameters in one call: branches, curves and organising centres."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.system import System

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int, str], Any]


@dataclass(frozen=True, eq=False)
class Link:
    """That one object leads to another.

    Attributes
    ----------
    source, target : str
        Names of nodes of the graph: equilibria "E1", branches "B1", curves "LP1", points "BT1".
    how : str
        "begins", "crosses", "switches at", "meets", "passes through", "ends at" or "starts".
    label : str
        Of the special point where it happens; "" for an ordinary one.
    parameters : mapping of str to float
        Where it happens.
    """

    source: str
    target: str
    how: str
    label: str
    parameters: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class BifurcationSet:
    """What was found over a window of two parameters.

    Attributes
    ----------
    system : System
    window : Window
        Of the two parameters.
    depth : int
        How many switches (at branch points and flips) were followed one after the other.
    equilibria : tuple of Point
        Where it began.
    branches : tuple of Branch
        Cuts: branches over one of the parameters, in the order of the nodes "B1", "B2", ...
    curves : tuple of Branch
        Curves of special points over both parameters, each once.
    names : tuple of str
        Of the curves: label and number.
    points : tuple of Point
        Points of codimension two, each once, named by label and number.
    links : tuple of Link
        Which object leads to which.
    unexplored : tuple of str
        What was not looked at or could not be followed, in sentences.
    """

    system: System
    window: Window
    depth: int
    equilibria: tuple[Point, ...]
    branches: tuple[Branch, ...]
    curves: tuple[Branch, ...]
    names: tuple[str, ...]
    points: tuple[Point, ...]
    links: tuple[Link, ...]
    unexplored: tuple[str, ...]

    def __repr__(self) -> str:
        curves = ", ".join(self.names) or "none"
        points = ", ".join(p.name for p in self.points) or "none"
        where = ", ".join(self.window.names)
        return (
            f"<BifurcationSet over {where}: {len(self.branches)} branches; curves {curves}; codimension two {points}>"
        )

    def __getitem__(self, name: str) -> Branch | Point:
        """The curve or the point of codimension two of this name; a bare label gives the first of its kind."""
        for known, curve in zip(self.names, self.curves, strict=True):
            if name in (known, curve.curve):
                return curve
        for point in self.points:
            if name in (point.name, point.label):
                return point
        raise unknown_name("curve or point", name, [*self.names, *(p.name for p in self.points)])

    @cached_property
    def graph(self) -> Any:
        """A networkx MultiDiGraph with plain values: what leads to what.

        Nodes have `kind` ("equilibrium", "branch", "curve", "codimension two") and further values: a curve its label,
        of what it is a curve ("equilibria", "fixed points", "cycles", "circles"), period, number of points, whether it
        is closed, why it ends, and `same_place`, the name of an earlier curve that lies at the same parameters (an
        image under a symmetry); a point its label, parameters, state and
        criticality. Edges have how, label and parameters.
        """
        import networkx as nx

        graph = nx.MultiDiGraph(
            name=self.system.name, kind=self.system.kind, depth=self.depth, window=self.window.record()
        )
        for k, p in enumerate(self.equilibria):
            graph.add_node(f"E{k + 1}", kind="equilibrium", state=p.state, parameters=self._where(p), stable=p.stable)
        for k, b in enumerate(self.branches):
            graph.add_node(
                f"B{k + 1}", kind="branch", curve=b.curve, parameter=b.free[0], period=int(b.system.iterations),
                points=len(b), special=[p.name for p in b.special_points if p.label != "UZ"],
            )  # fmt: skip
        twins = self.twins
        for name, c in zip(self.names, self.curves, strict=True):
            graph.add_node(
                name, kind="curve", label=c.curve, of=_object(c), period=int(c.system.iterations), points=len(c),
                closed=bool(c.closed), ends=[o.code for o in c.outcome], same_place=twins.get(name, ""),
            )  # fmt: skip
        for p in self.points:
            graph.add_node(
                p.name, kind="codimension two", label=p.label, parameters=self._where(p), state=p.state,
                period=int(p.system.iterations), criticality=p.criticality,
            )  # fmt: skip
        for link in self.links:
            graph.add_edge(link.source, link.target, how=link.how, label=link.label, parameters=dict(link.parameters))
        return graph

    @cached_property
    def twins(self) -> dict[str, str]:
        """Curves at the same parameters as an earlier one, with other states: images under a symmetry, mostly."""
        from gan_bifurcation.continuation.set_curves import nearest_on_polyline

        found: dict[str, str] = {}
        lines = [self.window.to_unit(np.column_stack([c.column(n) for n in self.window.names])) for c in self.curves]
        for i, c in enumerate(self.curves):
            for j in range(i):
                d = self.curves[j]
                same = (c.curve, _object(c), c.system.iterations) == (d.curve, _object(d), d.system.iterations)
                if not same or self.names[j] in found:
                    continue
                # Chords lie off a curve by about this much; a curve beside it would not follow it all along.
                probes = lines[i][np.linspace(0, len(c) - 1, 9).astype(int)]
                if all(nearest_on_polyline(lines[j], q)[0] < 2e-3 for q in probes):
                    found[self.names[i]] = self.names[j]
                    break
        return found

    def starts_of(self, name: str) -> list[str]:
        """Names of the curves that pass through, end or start at a point of codimension two."""
        point = self[name]
        name = point.name if isinstance(point, Point) else name
        return list(
            dict.fromkeys(
                other
                for link in self.links
                for one, other in ((link.source, link.target), (link.target, link.source))
                if one == name and other in self.names
            )
        )

    def _where(self, p: Point) -> dict[str, float]:
        return {n: float(p.parameters[n]) for n in self.window.names}

    def to_dataframe(self) -> "pd.DataFrame":
        """One row per point of every curve, then the points of codimension two (needs pandas).

        Columns: name, label, period, the two parameters, the states, number of further unstable eigenvalues, and the
        coefficient that decides.
        """
        import pandas as pd

        parts = []
        for name, c in zip(self.names, self.curves, strict=True):
            part = pd.DataFrame({n: c.column(n) for n in (*self.window.names, *self.system.states)})
            part.insert(0, "name", name)
            part.insert(1, "label", c.curve)
            part.insert(2, "period", c.system.iterations)
            part["unstable"] = c.unstable
            part["coefficient"] = c.measures.get("coefficient", np.full(len(c), np.nan))
            parts.append(part)
        rows = [
            {"name": p.name, "label": p.label, "period": p.system.iterations, **self._where(p), **p.state,
             "unstable": -1, "coefficient": np.nan}
            for p in self.points
        ]  # fmt: skip
        if rows:
            parts.append(pd.DataFrame(rows))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write a folder: ``set.json``, and every branch and curve as `Branch.save` does; no pickle.

        Raises
        ------
        ResultsError
            If the folder cannot be written.
        """
        from gan_bifurcation.continuation.set_storage import save

        return save(self, Path(folder))

    @staticmethod
    def load(folder: str | os.PathLike[str]) -> "BifurcationSet":
        """Read what :meth:`save` wrote; nothing in the files is run.

        Raises
        ------
        ResultsError
            If a file is missing or damaged.
        """
        from gan_bifurcation.continuation.set_storage import load

        return load(Path(folder))


def _object(curve: Branch) -> str:
    """Of what a curve is a curve."""
    if curve.profiles:
        if curve.system.kind == "map":
            return "circles"
        return "homoclinic orbits" if curve.curve == "Hom" else "cycles"
    return "equilibria" if curve.system.kind == "flow" else "fixed points"


def bifurcation_set(
    system: System,
    parameters: Mapping[str, Any],
    *,
    depth: int = 2,
    box: Mapping[str, Any] | None = None,
    start: Any = None,
    events: Sequence[Event] = (),
    coefficients: bool = True,
    most_branches: int = 160,
    most_circles: int = 12,
    most_modes: int = 35,
    seed: int = 0,
    progress: Progress | None = None,
) -> BifurcationSet:
    """Find the branches, curves and points of codimension two of a system over two parameters.

    Equilibria (given, known, and found by a search at three places of the window) are followed along both parameters
    on a net of cuts, with switches at branch points and flips; the curves of all special points are traced over both
    parameters, each once; at points of codimension two, the other curves that pass through or start there.

    Parameters
    ----------
    system : System
    parameters : mapping of two parameters to (low, high) or ``gb.log_range(low, high)``
    depth : int
        How many switches may follow one another: 0 stays on the branches of the equilibria that were found, each flip
        doubles the period; from 1 on, curves of cycles and circles that begin at points of codimension two are
        followed too.
    box : mapping of state to (low, high), optional
        Where to search for equilibria.
    start : Point, state or sequence of them, optional
        Equilibria to begin with, besides the known one and those that the search finds.
    events : sequence of Event
        Conditions whose curves are wanted as well.
    coefficients : bool
        Whether normal forms are computed along curves; points where their sign changes are found with them.
    most_branches : int
        Number of cuts at which to stop.
    most_circles : int
        Number of points, to each side, at which to stop a curve of invariant circles: a few of them cost as much as all
        else together. That it was cut is said.
    most_modes : int
        Number of modes of a circle at which to stop such a curve, as it costs by their third power.
    seed : int
        Of the search.
    progress : callable, optional
        Called with (done, total, text); if it returns False, what is left to do is left out, and said to be.

    Returns
    -------
    BifurcationSet

    Raises
    ------
    MisuseError
        If a name or number does not fit, or no equilibrium is found.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> henon = gb.System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, parameters={"a": 0.1, "b": 0.3})
    >>> found = gb.bifurcation_set(henon, {"a": (-1.0, 1.0), "b": (-0.9, 0.9)}, depth=1)
    >>> sorted({c.curve for c in found.curves})
    ['LP', 'PD']
    """
    from gan_bifurcation.continuation.set_builder import Builder

    if not isinstance(system, System):
        raise MisuseError(f"A bifurcation set is of a System, got {type(system).__name__}; make one with gb.system.")
    window = Window.of(system, parameters)
    if window.dimension != 2:
        raise MisuseError(
            f"A bifurcation set is over two parameters, got {', '.join(window.names)}; trace a branch with gb.trace."
        )
    if not 0 <= int(depth) <= 8:
        raise MisuseError(f"The depth is a number of switches between 0 and 8, got {depth}.")
    if most_branches < 1:
        raise MisuseError(f"At least one branch must be allowed, got most_branches={most_branches}.")
    if most_circles < 2:
        raise MisuseError(f"A curve of circles has at least two points, got most_circles={most_circles}.")
    if most_modes < 9:
        raise MisuseError(f"A curve of circles has at least nine modes, got most_modes={most_modes}.")
    builder = Builder(
        system,
        window,
        int(depth),
        tuple(events),
        coefficients,
        int(most_branches),
        int(most_circles),
        int(most_modes),
        progress,
    )
    builder.explore(start, box, seed)
    builder.trace_curves()
    builder.organise()
    equilibria, links, points = builder.equilibria, builder.links, builder.named_points()
    return BifurcationSet(
        system, window, int(depth), tuple(equilibria), tuple(c.branch for c in builder.cuts.cuts),
        tuple(c.branch for c in builder.lines.curves), tuple(builder.names), points, tuple(links),
        builder.unexplored(),
    )  # fmt: skip
