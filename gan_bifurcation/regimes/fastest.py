"""Where training converges fastest: the minimum of the spectral radius, which has kinks where modes change places."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.set_curves import Curve
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.regimes.questions import Fastest
from gan_bifurcation.regimes.regime import RegimeMap

FloatArray = NDArray[np.float64]

_GRID: Final = 13
_GOLDEN: Final = 0.6180339887498949
_MOST_VERTICES: Final = 24
_STARTS: Final = 2


def best_rate(rmap: RegimeMap) -> Fastest:
    """Samples of the window and of the curves, polished inside, along the curves and along the frame.

    The minimum often lies on a node-focus border, where the radius is not smooth: a search in the plane alone stops
    anywhere on it.
    """
    radius = _Radius(rmap)
    sides = np.linspace(0.0, 1.0, _GRID if rmap.window.dimension == 2 else 8 * _GRID)
    grid = np.stack(np.meshgrid(*[sides] * rmap.window.dimension, indexing="ij"), axis=-1).reshape(
        -1, rmap.window.dimension
    )
    values = np.array([radius(q) for q in grid])
    if not np.isfinite(values).any():
        raise MisuseError("No equilibrium attracts anywhere in this window; choose another window.")
    found = [(float(values[k]), grid[k]) for k in np.argsort(values, kind="stable")[:_STARTS]]
    found += [_polished(radius, q) for _, q in list(found)]
    if rmap.window.dimension == 1:
        found += [(radius(b.unit[0]), b.unit[0]) for b in rmap.borders]
        found.append(_on_segment(radius, np.clip(found[0][1] - sides[1], 0, 1), np.clip(found[0][1] + sides[1], 0, 1)))
    else:
        for axis in (0, 1):
            for side in (0.0, 1.0):
                on = grid[:, axis] == side
                k = int(np.flatnonzero(on)[np.argmin(values[on])])
                if np.isfinite(values[k]):
                    step = np.zeros(2)
                    step[1 - axis] = sides[1]
                    found.append(_on_segment(radius, np.clip(grid[k] - step, 0, 1), np.clip(grid[k] + step, 0, 1)))
        for curve in rmap.curves:
            found.append(_along(radius, curve))
    # Once more from the best, since a kink may cross another one.
    best = min(found, key=lambda f: f[0])
    best = min(best, _polished(radius, best[1], 1e-3), key=lambda f: f[0])
    value, q = best
    rate = -np.log(max(value, 1e-300)) if rmap.system.kind == "map" else -value
    return Fastest(rmap.window.values(q), float(value), float(1.0 / rate) if rate > 0.0 else float("inf"))


class _Radius:
    """The spectral radius of the equilibrium that attracts most; infinite where none does."""

    def __init__(self, rmap: RegimeMap) -> None:
        self.sampler = rmap.sampler

    def __call__(self, q: FloatArray) -> float:
        if np.any(q < 0.0) or np.any(q > 1.0):
            return float("inf")
        (cell,) = self.sampler.spectra(np.asarray(q, dtype=float)[None])
        return min((a.radius for a in cell.stable), default=float("inf"))


def _polished(radius: _Radius, q: FloatArray, size: float = 0.03) -> tuple[float, FloatArray]:
    from scipy.optimize import minimize

    inward = np.where(q > 0.5, -size, size)
    simplex = np.vstack([q, *(q + inward * np.eye(len(q)))])
    # A finite number instead of infinity keeps the simplex arithmetic free of invalid values.
    found = minimize(
        lambda x: min(radius(x), 1e6),
        q,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 1e-10, "fatol": 1e-13, "maxfev": 120},
    )
    return float(found.fun), np.asarray(found.x)


def _on_segment(radius: _Radius, a: FloatArray, b: FloatArray) -> tuple[float, FloatArray]:
    t, value = _golden(lambda t: radius(a + t * (b - a)))
    return value, a + t * (b - a)


def _along(radius: _Radius, curve: Curve) -> tuple[float, FloatArray]:
    """The minimum along a curve, solved for on it: next to its best vertex."""
    unit, u = curve.unit, curve.unknowns
    chosen = np.unique(np.linspace(0, len(unit) - 1, min(len(unit), _MOST_VERTICES)).astype(int))
    # On a border of stability itself the spectrum is neutral; that is no candidate and costs nothing.
    values = [radius(unit[k]) for k in chosen]
    best = int(np.argmin(values))
    if not np.isfinite(values[best]):
        return values[best], unit[chosen[best]]
    first, last = int(chosen[max(best - 1, 0)]), int(chosen[min(best + 1, len(chosen) - 1)])

    def place(t: float) -> FloatArray:
        s = first + t * (last - first)
        k = min(int(s), last - 1)
        chord = u[k + 1] - u[k]
        solved = curve.solve(k, u[k] + (s - k) * chord, chord)
        exact = u[k] + (s - k) * chord if solved is None else solved
        return np.asarray(np.clip(exact[curve.problem.q_slice], 0.0, 1.0))

    t, value = _golden(lambda t: radius(place(t)))
    return value, place(t)


def _golden(function: Callable[[float], float], steps: int = 45) -> tuple[float, float]:
    """The minimum of a function on (0, 1), unimodal there, ends included."""
    a, b = 0.0, 1.0
    c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
    fc, fd = function(c), function(d)
    best = min((function(0.0), 0.0), (function(1.0), 1.0), (fc, c), (fd, d))
    for _ in range(steps):
        if fc <= fd:
            b, d, fd = d, c, fc
            c = b - _GOLDEN * (b - a)
            fc = function(c)
            best = min(best, (fc, c))
        else:
            a, c, fc = c, d, fd
            d = a + _GOLDEN * (b - a)
            fd = function(d)
            best = min(best, (fd, d))
    return best[1], best[0]
