"""Where something happens in the window: branches along several cuts, and the curves of all their special points."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.set_curves import Curve
from gan_bifurcation.continuation.set_cuts import Cuts
from gan_bifurcation.continuation.set_lines import Lines, distinct
from gan_bifurcation.continuation.set_search import starting_points
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.system import System

# Branch points are followed as far as they lead.
_ANY: Final = 1000
Report = Callable[[str], bool]


@dataclass(frozen=True, eq=False)
class Collected:
    """What was traced.

    Attributes
    ----------
    branches : tuple of Branch
        Cuts: branches of equilibria or fixed points over one of the parameters.
    curves : tuple of Curve
    points : tuple of Point
        Special points that no curve passes through (one parameter: all of them).
    notes : tuple of str
        What could not be followed.
    families : tuple of int
        For each branch: 0 if it leads to the first equilibrium to begin with, other numbers for other origins.
    """

    branches: tuple[Branch, ...]
    curves: tuple[Curve, ...] = ()
    points: tuple[Point, ...] = ()
    notes: tuple[str, ...] = ()
    families: tuple[int, ...] = ()


def collect(
    system: System,
    window: Window,
    *,
    start: Any = None,
    events: Sequence[Event] = (),
    box: Mapping[str, Any] | None = None,
    tolerance: float = 1e-4,
    seed: int = 0,
    needed: bool = True,
    depth: int = 0,
    report: Report | None = None,
) -> Collected:
    """Trace branches across the window and the curves of what they meet.

    It is what :func:`gan_bifurcation.bifurcation_set` does; what is born at flips only to a depth that is asked for.

    Parameters
    ----------
    system : System
    window : Window
    start : Point, state or sequence of them, optional
        Equilibria to begin with, besides the known one and those that a search finds.
    events : sequence of Event
        Followed as well (node-focus borders always are).
    box : mapping of state to (low, high), optional
        Where to search for equilibria.
    tolerance : float
        Largest distance of a curve's chords from it, in unit coordinates.
    seed : int
        Of the search.
    depth : int
        How many flips and branch points may follow one another; 0 follows branch points alone, as far as they lead.
    needed : bool
        Whether at least one equilibrium must be found.
    report : callable, optional
        Told what was done; False ends the work.
    """
    report = report or (lambda text: True)
    # Branches of twice the period bring curves of their own, which are borders where they attract.
    work = Cuts(window, (Event.focus(), *events), depth or _ANY, flips=depth > 0, base=system.iterations)
    begin, _ = starting_points(system, window, start, box, seed, needed)
    if not begin:
        work.notes.append("No equilibrium was found: there is no curve, and regimes are those of the runs.")
    work.begin(begin, report)
    if work.left_out:
        work.notes.append(f"{work.left_out} further cuts were left out.")
    work.notes += [f"No branch was followed from {p!r}: {why}" for p, why in work.unswitched]
    branches = tuple(c.branch for c in work.cuts)
    families = tuple(c.family for c in work.cuts)
    points = distinct([p for p, _ in work.points], window)
    if window.dimension == 1:
        return Collected(branches, (), tuple(points), tuple(work.notes), families)
    lines = Lines(window, coefficients=_deciding, base=system.iterations, tolerance=tolerance)
    for p in points:
        if lines.holds(p) is None:
            if not report(f"{len(lines.curves)} curves"):
                work.notes.append("Interrupted while curves were traced.")
                break
            lines.follow(p)
    return Collected(branches, tuple(lines.curves), tuple(p for p, _ in lines.lost), tuple(work.notes), families)


def _deciding(branch: Branch) -> bool:
    """Where something that attracts changes, how it does so is wanted, too."""
    return bool(np.any(branch.unstable == 0))
