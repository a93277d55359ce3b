"""A regime map against brute force: a run from beside the equilibrium at every point of a dense grid."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.lanes import INSIDE
from gan_bifurcation.regimes.limits import find_limits
from gan_bifurcation.regimes.march import Cells
from gan_bifurcation.regimes.regime import RegimeMap
from gan_bifurcation.regimes.sampling import Sampler

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_CHUNK: Final = 1024
_TICKS: Final = 4096
# A run that swings less at its end than in its middle, by this factor, is drawn to its equilibrium.
_NEARER: Final = 0.995
# A run that swings more by this factor was still on its way.
_GROWS: Final = 1.1
# What a run did, as numbers of a grid.
COMES: Final = 0
STAYS: Final = 1
LEAVES: Final = 2
UNKNOWN: Final = -1
_EXPECTED: Final = {"converges": COMES, "oscillates": STAYS, "stalls": STAYS, "diverges": LEAVES}


@dataclass(frozen=True, eq=False)
class Comparison:
    """A map beside a grid of runs. Made by :func:`gan_bifurcation.compare`.

    Attributes
    ----------
    found : int array (cells, cells)
        What each run did: 0 it came to its equilibrium, 1 it stayed away but inside, 2 it left; -1 it was
        still on its way out, or no run was made.
    expected : int array (cells, cells)
        What the map says, in the same numbers.
    distance : array (cells, cells)
        From the nearest border, in steps of the grid.
    steps : float
        Length of a run.
    """

    found: IntArray
    expected: IntArray
    distance: FloatArray
    steps: float

    @property
    def runs(self) -> int:
        return int(np.sum(self.found != UNKNOWN))

    @property
    def disagreeing(self) -> int:
        """How many cells disagree at all; next to a border, a cell of the grid may."""
        return int(np.sum(self._differs))

    @property
    def wrong(self) -> int:
        """How many cells disagree that are farther than one step of the grid from every border."""
        return int(np.sum(self._differs & (self.distance > 1.0)))

    @property
    def _differs(self) -> NDArray[np.bool_]:
        return np.asarray((self.found != self.expected) & (self.found != UNKNOWN))

    def __str__(self) -> str:
        return (
            f"{self.runs} runs of {self.steps:g}: {self.disagreeing} disagree with the map, {self.wrong} of them "
            "farther than one step of the grid from a border"
        )


def brute_force(sampler: Sampler, units: FloatArray, steps: float, workers: int | None = None) -> IntArray:
    """What a run from beside the equilibrium does at each point (k, 2), by compiled code alone.

    The equilibrium is solved for from the nearest one on the map's branches; where there is none, the run starts there.
    """
    system = sampler.system
    base = system.parameter_vector()
    columns = [system.parameter_index(n) for n in sampler.window.names]
    if sampler.sheets:
        from scipy.spatial import cKDTree

        first = min(family for family, _, _ in sampler.sheets)
        places = np.vstack([p for family, p, _ in sampler.sheets if family == first])
        states = np.vstack([s for family, _, s in sampler.sheets if family == first])
        guesses = states[cKDTree(places).query(units)[1]]
    elif sampler.initial is not None:
        guesses = np.tile(sampler.initial, (len(units), 1))
    else:
        return np.full(len(units), UNKNOWN, dtype=np.int64)
    p = np.tile(base, (len(units), 1))
    p[:, columns] = sampler.window.from_unit(units)
    direction = np.random.default_rng(sampler.seed).standard_normal(system.n)
    direction /= np.linalg.norm(direction)
    is_map = system.kind == "map"
    ticks = int(steps) if is_map else _TICKS

    def run(part: slice) -> IntArray:
        mine, parameters = guesses[part], p[part]
        limits, _, known = find_limits(system, mine, parameters, 1.0 + np.abs(mine))
        centre = np.where(known[:, None], limits, mine)
        away = 1e-2 * (1.0 + np.abs(centre).max(axis=1, keepdims=True)) * direction
        start = centre + away if sampler.initial is None else np.tile(sampler.initial, (len(mine), 1))
        orbits = Cells(system, start, parameters, 1.0 if is_map else steps / _TICKS, 1e6, 1e-7)
        here = np.arange(len(mine))
        found = np.full(len(mine), STAYS, dtype=np.int64)
        first = np.abs(start - centre).max(axis=1)
        done = 0
        middle = np.zeros(len(mine))
        for k in range(1, 9):
            # Who is there, or has left, needs no more steps.
            seen = orbits.advance(here, ticks * k // 8 - done)
            done = ticks * k // 8
            out = orbits.codes[here] != INSIDE
            found[here[out]] = LEAVES
            swing = np.maximum(np.abs(seen.low - centre[here]), np.abs(seen.high - centre[here])).max(axis=1)
            if k == 4:
                middle[here] = swing
            there = known[here] & ~out & (swing < 1e-6 * first[here])
            if k == 8:
                # Next to a border of stability a run comes nearer, or goes away, by little.
                there |= known[here] & ~out & (swing < _NEARER * middle[here]) & (swing < 2.0 * first[here])
                # Beside an equilibrium that repels slowly the run is over before it has gone anywhere.
                grows = ~out & ~there & (swing > _GROWS * middle[here])
                found[here[grows]] = UNKNOWN
            found[here[there]] = COMES
            here = here[~there & ~out]
            if not len(here):
                break
        return found

    parts = [slice(a, min(a + _CHUNK, len(units))) for a in range(0, len(units), _CHUNK)]
    with ThreadPoolExecutor(workers or cpu_count() or 1) as pool:
        return np.concatenate(list(pool.map(run, parts)))


def compare(rmap: RegimeMap, *, cells: int = 200, steps: float | None = None, workers: int | None = None) -> Comparison:
    """Hold a regime map over two parameters against runs at the points of a grid.

    Parameters
    ----------
    rmap : RegimeMap
    cells : int
        Points along each side of the window.
    steps : float, optional
        Length of a run; that of the map by default.
    workers : int, optional
        Threads, one for each processor by default.

    Returns
    -------
    Comparison

    Raises
    ------
    MisuseError
        If the map is over one parameter or a number does not fit.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> steps = gb.tie(gb.system(gb.models.dirac_gan(gamma=0.5), gb.Simultaneous()), eta_g="eta_d")
    >>> rmap = gb.regime_map(steps, {"eta_d": (0.05, 6.0), "gamma": (0.05, 2.0)})
    >>> compare(rmap, cells=40, steps=2000).wrong
    0
    """
    if rmap.window.dimension != 2:
        raise MisuseError("A comparison is of a map over two parameters; simulate at points of one parameter instead.")
    if not 2 <= int(cells) <= 2000:
        raise MisuseError(f"The number of cells along a side is between 2 and 2000, got {cells}.")
    length = float(rmap.sampler.steps if steps is None else steps)
    if not length >= 8:
        raise MisuseError(f"A run takes at least 8 steps, got {length:g}.")
    side = (np.arange(int(cells)) + 0.5) / int(cells)
    units = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    found = brute_force(rmap.sampler, units, length, workers)
    expected, distance = _by_map(rmap, units)
    shape = (int(cells), int(cells))
    return Comparison(found.reshape(shape), expected.reshape(shape), (distance * int(cells)).reshape(shape), length)


def _by_map(rmap: RegimeMap, units: FloatArray) -> tuple[IntArray, FloatArray]:
    """What the map says at points, and how far their nearest border between different words is."""
    points = shapely.points(units)
    tree = shapely.STRtree([f.shape for f in rmap.faces])
    numbers = np.asarray(tree.nearest(points), dtype=np.int64)
    words = np.array([_EXPECTED[f.verdict] for f in rmap.faces])
    kept: list[Any] = [
        shapely.LineString(b.unit) for b in rmap.borders if len(b.unit) > 1 and words[b.faces[0]] != words[b.faces[1]]
    ]
    distance = shapely.distance(points, shapely.union_all(kept)) if kept else np.full(len(units), np.inf)
    return words[numbers], np.asarray(distance, dtype=float)
