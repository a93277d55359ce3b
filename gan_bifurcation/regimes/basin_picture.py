"""Basins in a plane of initial conditions."""

import math
import os
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError, ResultsError, unknown_name
from gan_bifurcation.ranges import Range
from gan_bifurcation.regimes.attractor_set import AttractorSet
from gan_bifurcation.regimes.basins import find
from gan_bifurcation.regimes.draws import BOUND, box_of, budget_of, drawn, placed_in
from gan_bifurcation.system import System

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BasinPicture:
    """Which attractor the initial conditions of a plane end on. Made by :func:`gan_bifurcation.basins`.

    Attributes
    ----------
    found : AttractorSet
        Its shares are parts of the picture; with `samples`, of initial conditions drawn from the plane.
    axes : mapping of str to Range
        The two states along x and y.
    member : int array (rows, columns)
        Position in ``found.attractors``; the first row has the smallest y.
    """

    found: AttractorSet
    axes: Mapping[str, Range]
    member: IntArray

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write path.json and path.npz; no pickle.

        Raises
        ------
        ResultsError
            If they cannot be written.
        """
        return self.found.save(path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "BasinPicture":
        """Read what :meth:`save` wrote; nothing in the files is run.

        Raises
        ------
        ResultsError
            If a file is missing or damaged.
        """
        found = AttractorSet.load(path)
        side = math.isqrt(len(_pixels(found)))
        if len(found.box) != 2 or side < 2 or side * side != len(_pixels(found)):
            raise ResultsError(f"'{path}' holds no picture of basins; compute it again.")
        return _picture(found)


def _pixels(found: AttractorSet) -> IntArray:
    # What was drawn counts in the shares; the picture then follows it.
    return found.followed if len(found.followed) else found.member


def _picture(found: AttractorSet) -> BasinPicture:
    side = math.isqrt(len(_pixels(found)))
    return BasinPicture(found, found.box, _pixels(found).reshape(side, side))


def basins(
    system: System,
    plane: Mapping[str, Any],
    *,
    at: Mapping[str, float] | None = None,
    resolution: int = 200,
    samples: int = 0,
    seed: int = 0,
    steps: int | None = None,
    duration: float | None = None,
    tolerance: float = 1e-4,
    bound: float = BOUND,
    executor: Executor | None = None,
    workers: int | None = None,
) -> BasinPicture:
    """Which attractor each initial condition of a plane of two states ends on.

    Parameters
    ----------
    system : System
    plane : mapping of two states to (low, high)
    at : mapping of state to float, optional
        Values of other states; without one, as :func:`gan_bifurcation.attractors` has them.
    resolution : int
        Initial conditions along each side.
    samples : int
        With more than none, shares are those of so many initial conditions drawn evenly from the plane, with their
        sampling error, and not parts of the picture.
    seed : int
        Of these.
    steps, duration, tolerance, bound, executor, workers
        See :func:`gan_bifurcation.attractors`.

    Returns
    -------
    BasinPicture

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> s = gb.System.from_equations("flow", {"x": "x - x**3", "y": "-y"})
    >>> picture = gb.basins(s, {"x": (-2, 2), "y": (-1, 1)}, resolution=20, duration=50)
    >>> [a.share for a in picture.found.attractors]
    [0.5, 0.5]
    """
    if not isinstance(plane, Mapping) or len(plane) != 2:
        raise MisuseError("A picture of basins is over two states, such as {'x': (-2, 2), 'y': (-2, 2)}.")
    if not 2 <= int(resolution) <= 1000:
        raise MisuseError(f"The resolution is a number of points along a side between 2 and 1000, got {resolution}.")
    budget = budget_of(system, steps, duration, tolerance, bound)
    ranges = box_of(system, plane)
    fractions = (np.arange(int(resolution)) + 0.5) / int(resolution)
    x, y = ([r.from_unit(f) for f in fractions.tolist()] for r in ranges.values())
    columns = np.column_stack([np.tile(x, len(y)), np.repeat(y, len(x))])
    names = (*ranges, *(at or {}))
    for name in at or {}:
        if name not in system.states:
            raise unknown_name("state", str(name), system.states)
    held = np.tile([float(v) for v in (at or {}).values()], (len(columns), 1))
    start = placed_in(system, names, np.hstack([columns, held]))
    if int(samples) == 0:
        return _picture(replace(find(system, start, budget, executor=executor, workers=workers), box=ranges))
    by_chance = drawn(system, ranges, samples, seed)
    by_chance[:, [system.states.index(name) for name in at or {}]] = list((at or {}).values())
    found = find(system, by_chance, budget, extra=start, executor=executor, workers=workers)
    return _picture(replace(found, box=ranges, seed=int(seed)))
