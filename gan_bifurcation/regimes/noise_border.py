"""Where training on minibatches stays within a radius of a fixed point, and how far that is from where it attracts."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.regimes.noise import as_point, chosen_states
from gan_bifurcation.regimes.noise_contours import square_faces, zero_between, zero_lines
from gan_bifurcation.regimes.noise_draws import Draws, whole_batch
from gan_bifurcation.regimes.noise_places import Place, Seen, spread_at
from gan_bifurcation.regimes.noise_runs import whole
from gan_bifurcation.regimes.noise_theory import NoiseModel, derivative_of
from gan_bifurcation.regimes.window_check import check_window
from gan_bifurcation.system import System
from gan_bifurcation.tables import Table

__all__ = ["NoisyBorder", "noisy_border"]

FloatArray = NDArray[np.float64]
# Where noise does not reach the states asked for, their spread is 0 and its inverse has no number.
_MOST: Final = 1e12
_FINEST: Final = 200


class _Place(NamedTuple):
    """A fixed point, its margin of stability, and its variance with minibatches of one row."""

    x: FloatArray
    margin: float
    variance: float


class _Field:
    """The branch of fixed points over a window: at each place its margin of stability and its spread."""

    def __init__(
        self, start: Point, window: Window, draws: Draws, step: float, chosen: FloatArray, cells: int, squared: float
    ) -> None:  # fmt: skip
        # The variance with minibatches of one row that is allowed.
        self.squared = squared
        self.system, self.window, self.chosen, self.cells = start.system, window, chosen, cells
        self.model = NoiseModel(self.system, draws)
        self.scale = step if self.system.kind == "flow" else 1.0
        self.columns = [self.system.parameter_index(name) for name in window.names]
        self.states = np.full((cells + 1, cells + 1, self.system.n), np.nan)
        self.margins = np.full((cells + 1, cells + 1), np.nan)
        self.variances = np.full((cells + 1, cells + 1), np.nan)
        self._known: dict[tuple[float, float, bool], _Place] = {}
        self._follow(start)

    def _follow(self, start: Point) -> None:
        """Fixed points on a grid, each found from a neighbour's."""
        unit = self.window.to_unit([start.parameters[name] for name in self.window.names])
        first = tuple(int(k) for k in np.clip(np.rint(unit * self.cells), 0, self.cells))
        x = start.x
        for t in np.linspace(0.0, 1.0, 9)[1:]:
            # A start from outside the window is taken into it in steps.
            found = self._settled(unit + t * (np.array(first) / self.cells - unit), x)
            if found is None:
                raise MisuseError(
                    f"The fixed point of '{self.system.name}' could not be followed into the window; start from a "
                    "point inside it."
                )
            x = found.x
        queue = deque([(first, x)])
        seen = {first}
        while queue:
            (i, j), guess = queue.popleft()
            found = self._settled(np.array([i, j]) / self.cells, guess)
            if found is None:
                seen.discard((i, j))
                continue
            self.states[i, j], self.margins[i, j], self.variances[i, j] = found
            for near in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
                if near not in seen and 0 <= near[0] <= self.cells and 0 <= near[1] <= self.cells:
                    seen.add(near)
                    queue.append((near, found.x))

    def _settled(self, unit: FloatArray, guess: FloatArray, spread: bool = True) -> _Place | None:
        p = self.system.parameter_vector()
        p[self.columns] = self.window.from_unit(unit)
        found = self.model.settled(guess, p)
        if found is None:
            return None
        x, stages = found
        a = derivative_of(stages)
        margin, variance = self.model.margin(a), math.inf
        if spread and margin > 0:
            covariance = self.model.covariance(a, self.model.noise(stages) * self.scale)
            variance = math.inf if covariance is None else float(self.chosen @ np.diag(covariance))
        return _Place(x, margin, variance)

    def _near(self, unit: FloatArray) -> FloatArray | None:
        """The fixed point at the nearest grid point that has one: at a border of existence, on this side of it."""
        near = np.clip(np.rint(unit * self.cells).astype(int), 0, self.cells)
        low, high = np.maximum(near - 1, 0), np.minimum(near + 2, self.cells + 1)
        block = [(i, j) for i in range(low[0], high[0]) for j in range(low[1], high[1])]
        block = [c for c in block if np.isfinite(self.margins[c])]
        if not block:
            return None
        return np.asarray(self.states[min(block, key=lambda c: math.dist(np.array(c) / self.cells, unit))])

    def at(self, unit: FloatArray, spread: bool = True) -> _Place:
        """What is at a place: without `spread`, its variance is not asked for."""
        key = (float(unit[0]), float(unit[1]), spread)
        if key not in self._known:
            guess = self._near(unit)
            found = None if guess is None else self._settled(unit, guess, spread)
            self._known[key] = found or _Place(np.full(self.system.n, np.nan), math.nan, math.nan)
        return self._known[key]

    def level(self, variance: float) -> float:
        """Radius squared over the variance, less one; it goes on continuously where nothing attracts."""
        if not variance > 0:
            return math.nan if math.isnan(variance) else _MOST
        return min(self.squared / variance, _MOST) - 1.0

    def noisy(self, unit: FloatArray) -> float:
        """Zero on the border under noise."""
        return self.level(self.at(unit).variance)

    def exact(self, unit: FloatArray) -> float:
        """Zero on the border without noise."""
        return self.at(unit, spread=False).margin


@dataclass(frozen=True, eq=False)
class NoisyBorder:
    """Where training on minibatches stays within a radius of a fixed point, over two parameters.

    Attributes
    ----------
    system : System
    names : pair of str
        The two parameters.
    batch : int
    radius : float
        Of the mean squared distance.
    states : tuple of str
        The states whose distances count.
    lines : tuple of array (N, 2)
        Where the stationary spread is the radius: parameter values, exact at every vertex.
    exact : tuple of array (N, 2)
        Where the fixed point loses stability without noise.
    spreads : array (k, k)
        The spread on a grid over the window: infinite where the point does not attract, NaN where there is none.
    fixed_points : tuple of array (N, n)
        The fixed points on `lines`.
    faces : tuple of (str, polygon)
        The parts of the window in unit coordinates: "within", "beyond" or "unstable", as of `shares`.
    """

    system: System
    window: Window
    batch: int
    radius: float
    states: tuple[str, ...]
    lines: tuple[FloatArray, ...]
    exact: tuple[FloatArray, ...]
    spreads: FloatArray
    fixed_points: tuple[FloatArray, ...]
    faces: tuple[tuple[str, Any], ...] = field(repr=False)
    draws: Draws = "terms"
    _known: _Field | None = field(default=None, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        return self.window.names

    @cached_property
    def shares(self) -> dict[str, float]:
        """Parts of the window's area (in unit coordinates): where training stays "within" the radius, where the fixed
        point attracts but noise drives training "beyond" it, and where it is "unstable".
        """
        found = {"within": 0.0, "beyond": 0.0, "unstable": 0.0}
        for kind, polygon in self.faces:
            found[kind] += float(polygon.area)
        return found

    @cached_property
    def distances(self) -> FloatArray:
        """From each vertex of `lines` to the exact border, in unit coordinates; empty if there is no border."""
        if not self.exact or not self.lines:
            return np.zeros(0)
        border = shapely.MultiLineString([self.window.to_unit(line) for line in self.exact])
        places = self.window.to_unit(np.vstack(self.lines))
        return np.asarray(shapely.distance(shapely.points(places), border))

    def fixed_point(self, values: Mapping[str, float]) -> FloatArray:
        """The fixed point at a place of the window, shape (n,); not a number where there is none."""
        return self._branch.at(self.window.point(values), spread=False).x

    def predicted(self, values: Mapping[str, float], batch: int) -> float:
        """The spread at a place by linear theory: infinite where the point does not attract."""
        return math.sqrt(self._branch.at(self.window.point(values)).variance / whole_batch(batch))

    @property
    def _branch(self) -> _Field:
        if self._known is None:
            raise MisuseError("A border that was read from a file has no branch to ask; make it by gb.noisy_border.")
        return self._known

    def crossings(self, **held: float) -> dict[str, list[float]]:
        """Values of one parameter at which the borders lie while the other one is held.

        Parameters
        ----------
        **held : float
            One parameter of the window.

        Returns
        -------
        dict
            ``noisy`` and ``exact``: sorted values of the other parameter, exact to rounding.
        """
        if len(held) != 1:
            raise MisuseError(f"Hold one of the parameters {' and '.join(self.names)}, but got {len(held)}.")
        ((name, value),) = held.items()
        if name not in self.names:
            raise unknown_name("parameter of the border", name, self.names)
        index = self.names.index(name)
        own, across = self.window.ranges[name], self.window.ranges[self.names[1 - index]]
        place = own.to_unit(float(value))
        found = {}
        for key, lines in (("noisy", self.lines), ("exact", self.exact)):
            hits: list[float] = []
            for line in lines:
                unit = self.window.to_unit(line)
                a, b = unit[:-1], unit[1:]
                cut = (a[:, index] > place) != (b[:, index] > place)
                t = (place - a[cut, index]) / (b[cut, index] - a[cut, index])
                hits += (a[cut, 1 - index] + t * (b[cut, 1 - index] - a[cut, 1 - index])).tolist()
            found[key] = sorted(across.from_unit(self._polished(key, index, place, hit)) for hit in hits)
        return found

    def _polished(self, key: str, index: int, place: float, hit: float) -> float:
        """A crossing of a chord, moved along the held parameter's line to where the curve crosses."""
        if self._known is None:
            return hit
        value = self._known.noisy if key == "noisy" else self._known.exact
        for reach in (1e-4, 1e-3, 1e-2):
            ends = np.full((2, 2), place)
            ends[:, 1 - index] = np.clip([hit - reach, hit + reach], 0.0, 1.0)
            zero = zero_between(value, ends[0], ends[1])
            if zero is not None:
                return float(zero[1 - index])
        return hit

    def check(
        self, points: int = 3, *, runs: int = 16, steps: int | None = None, seed: int = 0, beyond: float = 3.0,
        workers: int | None = None,
    ) -> Table:  # fmt: skip
        """Simulation at a few points of the border, where the mean squared distance should be the radius.

        Parameters
        ----------
        points : int
            Spread evenly over the vertices.
        runs, seed : int
        steps : int, optional
            As of :func:`measured_spread`.
        beyond : float
            Runs are also watched for their first exit from this many radii.

        Returns
        -------
        Table
            The two parameters, ``ratio`` of the measured radius to `radius` and its ``sampling_error``, ``exits`` (the
            share of runs that went beyond) and ``exit_step`` (median first step there; NaN if fewer than half did).
        """
        if not self.lines:
            raise MisuseError("There is no border in the window to check; choose another radius, batch or window.")
        if self.system.kind != "map":
            raise MisuseError(f"'{self.system.name}' is a flow; check the border of a map, such as gb.Simultaneous().")
        whole(points, "points", 1)
        whole(runs, "runs", 2, 100_000)
        places = self.places(points, runs=runs, steps=steps, seed=seed, beyond=beyond)
        return self.checked(places, [spread_at(place, workers) for place in places])

    def places(self, points: int, *, runs: int, steps: int | None, seed: int, beyond: float) -> list[Place]:
        """Where `check` makes its runs."""
        vertices = [
            (p, x)
            for line, fixed in zip(self.lines, self.fixed_points, strict=True)
            for p, x in zip(line, fixed, strict=True)
        ]
        chosen = chosen_states(self.system, self.states)
        count = min(points, len(vertices))
        return [
            Place(
                self.system.with_parameters(**dict(zip(self.names, vertices[k][0].tolist(), strict=True))),
                vertices[k][1], self.batch, chosen, beyond * self.radius, self.draws, runs, steps, seed, number,
            )
            for number, k in enumerate(np.linspace(0, len(vertices) - 1, count + 2)[1:-1].astype(int).tolist())
        ]  # fmt: skip

    def checked(self, places: Sequence[Place], seen: Sequence[Seen]) -> Table:
        """The table of `check`, of what was found at its places."""
        columns = {name: np.array([place.system.parameters[name] for place in places]) for name in self.names}
        columns["ratio"] = np.array([s.measured / s.predicted for s in seen])
        columns["sampling_error"] = np.array([s.error / s.predicted for s in seen])
        columns["exits"] = np.array([s.exits for s in seen])
        columns["exit_step"] = np.array([s.exit_step for s in seen])
        return Table(columns, {"worst": float(np.abs(columns["ratio"] - 1.0).max())})

    def to_table(self) -> Table:
        """All vertices, for a study: the two parameters, ``line`` and ``distance``; numbers: the parts of the area."""
        numbers = {f"share_{name}": value for name, value in self.shares.items()}
        if not self.lines:
            return Table({}, numbers)
        places = np.vstack(self.lines)
        columns = {name: places[:, k] for k, name in enumerate(self.names)}
        columns["line"] = np.repeat(np.arange(float(len(self.lines))), [len(line) for line in self.lines])
        if len(self.distances):
            columns["distance"] = self.distances
            numbers |= {"smallest_distance": self.distances.min(), "largest_distance": self.distances.max()}
        return Table(columns, numbers)


def noisy_border(
    system: System | Point,
    window: Mapping[str, Any],
    *,
    batch: int,
    radius: float,
    states: Sequence[str] = (),
    draws: Draws = "terms",
    step: float = 1.0,
    cells: int = 24,
    tolerance: float = 1e-4,
) -> NoisyBorder:
    """Where training on minibatches converges to within a radius: the contour on which its stationary spread is that.

    Parameters
    ----------
    system : System or Point
        A fixed point that is followed over the window; of a system, its known equilibrium.
    window : mapping of two parameters to ranges
    batch : int
        Rows of each minibatch.
    radius : float
        The root of the mean squared distance from the fixed point that is allowed.
    states : sequence of str, optional
        The states whose distances count; all by default.
    draws : "terms", "losses" or "steps"
        As of :func:`simulate_noisy`.
    step : float
        For a flow: the time for which a minibatch is used.
    cells : int
        Of the grid on which fixed points are followed and the topology of the lines is found.
    tolerance : float
        Chords of the lines are closer than this to the curves, in units of the window; vertices are exact.

    Returns
    -------
    NoisyBorder

    Raises
    ------
    MisuseError
        If a number does not fit, or the fixed point attracts nowhere in the window.

    Notes
    -----
    The line is the zero of radius**2 / spread**2 - 1, which goes on continuously through the exact border, where it is
    -1. Close to that border the spread grows like 1 / sqrt(distance), so the stochastic border is at a distance that is
    proportional to 1 / (batch radius**2).

    Examples
    --------
    >>> from gan_bifurcation.models import dirac_gan
    >>> from gan_bifurcation.ranges import log_range
    >>> from gan_bifurcation.rules import Simultaneous, system
    >>> from gan_bifurcation.derived import tie
    >>> steps = tie(system(dirac_gan(gamma=1.0, sigma=0.5), Simultaneous()), eta_g="eta_d")
    >>> border = noisy_border(steps, {"gamma": (0.5, 2), "eta_d": log_range(0.01, 4)}, batch=16, radius=0.03, cells=6)
    >>> {name: round(values[0], 2) for name, values in border.crossings(gamma=1.0).items()}
    {'noisy': 0.12, 'exact': 2.44}
    """
    size = whole_batch(batch)
    if isinstance(radius, bool) or not (
        isinstance(radius, int | float | np.floating) and math.isfinite(radius) and radius > 0
    ):
        raise MisuseError(f"The radius within which training should stay is a number above 0, but got {radius!r}.")
    if not 1e-9 <= tolerance <= 0.1:
        raise MisuseError(f"The tolerance of a border is a number from 1e-9 to 0.1, but got {tolerance!r}.")
    if not (math.isfinite(step) and step > 0):
        raise MisuseError(f"The time between two minibatches is a number above 0, but got step={step!r}.")
    whole(cells, "cells", 2, _FINEST)
    start = as_point(system)
    free = Window.of(start.system, window)
    if free.dimension != 2:
        raise MisuseError(f"A border under noise lies in a window of two parameters, but got {free.dimension}.")
    check_window(start.system, free)
    chosen = chosen_states(start.system, states)
    known = _Field(start, free, draws, step, chosen, cells, radius**2 * size)
    if not np.any(known.margins > 0):
        raise MisuseError(
            "The fixed point attracts nowhere in the window, so nothing stays near it; choose another window or point."
        )

    lines = zero_lines(known.noisy, np.vectorize(known.level)(known.variances), tolerance)
    exact = zero_lines(known.exact, known.margins, tolerance)
    faces = []
    for polygon in square_faces([*lines, *exact]):
        place = known.at(shapely.get_coordinates(polygon.representative_point())[0])
        if math.isfinite(place.margin):
            kind = "unstable" if place.margin <= 0 else "within" if known.level(place.variance) >= 0 else "beyond"
            faces.append((kind, polygon))
    return NoisyBorder(
        start.system, free, size, float(radius), tuple(states),
        tuple(free.from_unit(line) for line in lines),
        tuple(free.from_unit(line) for line in exact),
        np.sqrt(known.variances / size),
        tuple(np.array([known.at(unit).x for unit in line]) for line in lines),
        tuple(faces), draws, known,
    )  # fmt: skip
