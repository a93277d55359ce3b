"""Tongues between two circles of a branch, with both their edges."""

from fractions import Fraction

import numpy as np
import scipy
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.circle_newton import Circle, CircleProblem
from gan_bifurcation.continuation.circle_waves import derivative, resampled, shifted
from gan_bifurcation.derived import iterate
from gan_bifurcation.evaluation import jacobian, make_evaluator

FloatArray = NDArray[np.float64]

_SAMPLES = 12
# How well the extremes of what is interpolated between the samples are met, in widths of the tongue.
_CLOSE = 1e-6
# At how many phases the edge of a tongue ahead is looked for, and how far away in units of the window.
_MANY = 48
_AHEAD = 0.05
# For no periodic point, in units of the window; infinity would spoil the search.
_NONE = 1e3


def tongue_between(problem: CircleProblem, a: Circle, b: Circle, fraction: Fraction) -> Point | None:
    """The tongue of a rational rotation number between two circles, as a point with both edges; None if not found.

    The periodic points of a tongue lie near the circle. With the point held at phase t, F^q(x, p) = x determines x and
    the parameter p(t), a function of period 1/q whose extremes are the edges: there two periodic orbits meet.
    """
    order = fraction.denominator
    share = (float(fraction) - a.rho) / (b.rho - a.rho)
    size = max(len(a.u), len(b.u))
    one, two = resampled(a.u, size), resampled(b.u, size)
    u = one + share * (two - one)
    along = derivative(u)
    orbit = _PeriodicPoint(problem, order)
    value = float(a.q[0] + share * (b.q[0] - a.q[0]))
    reach = 2.0 * abs(float(b.q[0] - a.q[0])) + 1e-6

    def solved(t: float) -> tuple[FloatArray, float] | None:
        start, direction = shifted(u, t)[0], shifted(along, t)[0] / problem.scale**2
        return orbit.solve(start, value, direction, reach)

    places = (np.arange(_SAMPLES) + 0.5) / (_SAMPLES * order)
    found = [solved(float(t)) for t in places]
    if any(f is None for f in found):
        return None
    heights = np.array([f[1] for f in found if f is not None])
    modes = np.abs(np.fft.rfft(heights))[1:]
    # Of a width within rounding there is nothing to say.
    harmonic = int(np.argmax(modes)) + 1 if np.ptp(heights) > 1e-12 else 1
    edges: list[tuple[float, FloatArray]] = []
    width = float(np.ptp(heights))
    for sign in (1.0, -1.0):
        k = int(np.argmin(sign * heights))
        best = found[k]
        assert best is not None
        seen = _lowest(sign * heights)
        near = solved(float(places[0]) + seen[0] / order) if width > 1e-13 else None
        if near is not None and abs(sign * near[1] - seen[1]) < _CLOSE * width:
            # The extreme itself: heights are flat there.
            best = near
        elif width > 1e-13:

            def height(t: float, sign: float = sign) -> float:
                at = solved(t)
                return _NONE if at is None else sign * at[1]

            gap = places[1] - places[0]
            bounds = (float(places[k] - gap), float(places[k] + gap))
            refined = scipy.optimize.minimize_scalar(
                height, bounds=bounds, method="bounded", options={"xatol": 1e-5 * gap}
            )
            best = solved(float(refined.x)) or best
        edges.append((best[1], best[0]))
    ((_, window),) = problem.free.items()
    low, high = window.from_unit(edges[0][0]), window.from_unit(edges[1][0])
    name = f"{fraction.numerator}:{fraction.denominator}"
    words = f"locked at rotation number {fraction} from {low:.10g} to {high:.10g}"
    note = ""
    if harmonic > 1:
        note = f"The width of this tongue is of order {harmonic * order} in the amplitude, not {order}: a symmetry."
    at = problem.system.with_parameters(**{next(iter(problem.free)): 0.5 * (low + high)})
    form = {
        "rotation": str(fraction), "order": order, "low": low, "high": high, "width": high - low, "criticality": words,
        "harmonic": harmonic,
    }  # fmt: skip
    return Point(
        at,
        edges[0][1],
        np.zeros(0, complex),
        label=name,
        name=name,
        normal_form=form,
        free=tuple(problem.free),
        note=note,
    )


def _lowest(heights: FloatArray) -> tuple[float, float]:
    """Where the trigonometric polynomial through equidistant values is least, in periods from the first, and how low.

    >>> place, value = _lowest(np.cos(2 * np.pi * (np.arange(12) / 12 - 0.3)))
    >>> round(place, 6), round(value, 6)
    (0.8, -1.0)
    """
    modes = np.fft.rfft(heights) / len(heights)
    k = np.arange(1, len(heights) // 2)

    def wave(t: float, order: int = 0) -> float:
        turned = modes[k] * (2j * np.pi * k) ** order * np.exp(2j * np.pi * k * t)
        return float(2.0 * turned.real.sum()) + (float(modes[0].real) if order == 0 else 0.0)

    fine = np.linspace(0.0, 1.0, 20 * len(heights), endpoint=False)
    place = float(fine[int(np.argmin([wave(t) for t in fine.tolist()]))])
    for _ in range(4):
        bend = wave(place, 2)
        place -= wave(place, 1) / bend if bend > 0.0 else 0.0
    return place, wave(place)


def edge_ahead(problem: CircleProblem, circle: Circle, fraction: Fraction, side: float) -> float | None:
    """The parameter at which a tongue begins before which a branch of circles ends; None if it is not found.

    Parameters
    ----------
    problem : CircleProblem
    circle : Circle
        The last one.
    fraction : Fraction
    side : float
        Whether the parameter grows (1) or falls (-1) towards the tongue.
    """
    order = fraction.denominator
    along = derivative(circle.u)
    orbit = _PeriodicPoint(problem, order)
    here = float(circle.q[0])

    def height(t: float) -> float:
        start, direction = shifted(circle.u, t)[0], shifted(along, t)[0] / problem.scale**2
        found = orbit.solve(start, here, direction, _AHEAD)
        # Periodic points of a tongue that was passed already are none of this one.
        return _NONE if found is None or side * (found[1] - here) < 0.0 else side * found[1]

    places = np.arange(_MANY) / (_MANY * order)
    heights = np.array([height(float(t)) for t in places])
    k = int(np.argmin(heights))
    if heights[k] >= _NONE:
        return None
    gap = float(places[1])
    refined = scipy.optimize.minimize_scalar(
        height, bounds=(places[k] - gap, places[k] + gap), method="bounded", options={"xatol": 1e-5 * gap}
    )
    ((_, window),) = problem.free.items()
    return float(window.from_unit(side * min(float(refined.fun), float(heights[k]))))


class _PeriodicPoint:
    """Periodic points x of a given order, with one parameter, in a plane across a direction."""

    def __init__(self, problem: CircleProblem, order: int) -> None:
        self.problem = problem
        self.system = iterate(problem.system, order)
        self.evaluator = make_evaluator(self.system.tape.data, self.system.iterations, self.system.n, 1)
        self.position = self.system.parameter_index(next(iter(problem.free)))

    def solve(self, x: FloatArray, q: float, direction: FloatArray, reach: float) -> tuple[FloatArray, float] | None:
        """State and parameter (in units of the window), by Newton's method; None if it fails or leads away."""
        n, m = self.system.n, self.system.m
        ((_, window),) = self.problem.free.items()
        start, first = x, q
        z = np.concatenate([x, self.system.parameter_vector()])
        f, j = np.empty(n), np.empty((n, n + m))
        matrix = np.zeros((n + 1, n + 1))
        last = np.inf
        for _ in range(15):
            value = window.from_unit(q)
            slope = value * np.log(window.high / window.low) if window.log else window.high - window.low
            z[:n], z[n + self.position] = x, value
            jacobian(self.evaluator, z, f, j)
            matrix[:n, :n] = j[:, :n] - np.eye(n)
            matrix[:n, n] = j[:, n + self.position] * slope
            matrix[n, :n] = direction
            try:
                step = np.linalg.solve(matrix, np.append(x - f, -direction @ (x - start)))
            except np.linalg.LinAlgError:
                return None
            x, q = x + step[:n], q + float(step[n])
            size = float(np.max(np.abs(step)))
            if not size < 1e3 or abs(q - first) > reach:
                return None
            if size < 1e-13 or (size < 1e-9 and size >= last):
                return x, q
            last = size
        return (x, q) if last < 1e-9 else None
