"""Finding equilibria and fixed points: Newton from a guess, many starts, deflation; what was not explored is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.manifolds import manifold_beside, nearest_on_manifold
from gan_bifurcation.continuation.problem import compute_spectrum
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.evaluation import jacobian, make_evaluator, value
from gan_bifurcation.ranges import as_range
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]


class _Defect:
    """What vanishes at an equilibrium or fixed point, and its derivative in the states, at one set of parameters."""

    def __init__(self, system: System) -> None:
        self.system, self.is_map = system, system.kind == "map"
        self._evaluator = make_evaluator(system.tape.data, system.iterations, system.n, 1)
        self._joint = np.concatenate([np.zeros(system.n), system.parameter_vector()])

    def value(self, x: FloatArray) -> FloatArray:
        f = np.empty(self.system.n)
        self._joint[: len(f)] = x
        value(self._evaluator, self._joint, f)
        return f - x if self.is_map else f

    def derivative(self, x: FloatArray) -> FloatArray:
        n = self.system.n
        f, j = np.empty(n), np.empty((n, n + self.system.m))
        self._joint[:n] = x
        jacobian(self._evaluator, self._joint, f, j)
        a = np.ascontiguousarray(j[:, :n])
        return a - np.eye(n) if self.is_map else a


# Newton's method may run off to where numbers overflow: such a start finds nothing, and no one need be warned.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def damped_newton(
    system: System, x: FloatArray, known: list[FloatArray] | None = None, iterations: int = 60
) -> tuple[FloatArray, float, bool]:
    """Newton with step halving; with `known` solutions, on the deflated residual (Farrell, Birkisson, Funke 2015).

    The deflated step is the plain one times a number (Sherman and Morrison): with eta = sum of 1/|x - k|^2 + 1 per
    root, dx = -J^{-1} F / (1 + grad(log eta) . J^{-1} F). Singular directions are left where they are (minimum norm).

    Returns
    -------
    x, relative residual, converged
    """
    x = np.array(x, dtype=float)
    size = max(1.0, float(np.max(np.abs(x))))
    defect = _Defect(system)
    f = defect.value(x)
    for _ in range(iterations):
        if not np.isfinite(f).all():
            return x, np.inf, False
        j = defect.derivative(x)
        if not np.isfinite(j).all():
            return x, np.inf, False
        step = _minimum_norm(j, -f)
        if known:
            slope = 0.0
            for k in known:
                distance = x - k
                square = float(distance @ distance) + 1e-300
                slope += float(-2.0 * distance @ -step) / (square * (1.0 + square))
            factor = 1.0 / (1.0 - slope) if abs(1.0 - slope) > 1e-8 else 1e8
            step = step * np.clip(factor, -1e3, 1e3)
        length = float(np.max(np.abs(step)))
        if length > size:
            step = step * (size / length)
        damping = 1.0
        for _ in range(12):
            trial = x + damping * step
            ft = defect.value(trial)
            if np.isfinite(ft).all() and (
                known or np.linalg.norm(ft) <= (1.0 - 0.1 * damping) * np.linalg.norm(f) or length < 1e-7
            ):
                break
            damping *= 0.5
        x, f = trial, ft
        size = max(1.0, float(np.max(np.abs(x))))
        if damping * length < 1e-13 * size:
            break
    residual = relative_size(system, x)
    return x, residual, residual < 1e-11


def settle_linear_states(system: System, x: FloatArray) -> FloatArray:
    """The state with its linear states (w+ = c w + b) at rest for the others where they are: w = b / (1 - c).

    A search then runs in the few other states: no guess of many weights is near an equilibrium by chance.
    """
    linear = list(system.linear_states)
    if not linear:
        return x
    x = np.array(x, dtype=float)
    x[linear] = 0.0
    b = system.rhs(x)[linear]
    c = float(system.jacobian(x)[linear[0], linear[0]])
    gap = 1.0 - c if system.kind == "map" else -c
    if gap != 0.0 and np.isfinite(b).all():
        x[linear] = b / gap
    return x


def relative_size(system: System, x: FloatArray) -> float:
    """Largest residual relative to the size of the terms of its equation."""
    f = _Defect(system).value(x)
    if not np.isfinite(f).all():
        return np.inf
    terms = np.abs(system.jacobian(x)) @ np.abs(np.concatenate([x, system.parameter_vector()]))
    return float(np.max(np.abs(f) / np.maximum(np.maximum(terms, np.abs(x)), 1e-3)))


def _minimum_norm(j: FloatArray, right: FloatArray) -> FloatArray:
    """Solve, or the least-squares solution of minimum norm where singular values are zero within rounding."""
    try:
        x = np.linalg.solve(j, right)
        # A step this much larger than the residual comes from a singular matrix that rounding made regular.
        if np.linalg.norm(x) * np.abs(j).max() < 1e9 * np.linalg.norm(right):
            return np.asarray(x, dtype=float)
    except np.linalg.LinAlgError:
        pass
    try:
        return np.asarray(np.linalg.lstsq(j, right, rcond=1e-12)[0])
    except np.linalg.LinAlgError:
        return right * 0.1


def point(system: System, guess: Mapping[str, float] | Any = None) -> Point:
    """An equilibrium or fixed point, by Newton's method from a guess; on a manifold of them, the one nearest to it.

    Parameters
    ----------
    system : System
    guess : mapping or sequence, optional
        A state. Without one, the model's known equilibrium.

    Returns
    -------
    Point

    Raises
    ------
    MisuseError
        If there is no guess and none is known, or Newton's method does not converge.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> henon = gb.System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, parameters={"a": 0.1, "b": 0.3})
    >>> round(gb.point(henon, {"x": 0.1, "y": 0.1}).state["x"], 12)
    0.12169905660
    """
    if not isinstance(system, System):
        raise MisuseError(
            f"A point is found on a System, got {type(system).__name__}; make one with gb.system or "
            "System.from_equations."
        )
    if guess is None:
        x = system.equilibrium_guess()
        if x is None:
            raise MisuseError(
                f"'{system.name}' has no known equilibrium at these parameters; give a guess for "
                f"{', '.join(system.states[:6])}."
            )
    else:
        x = system.state_vector(guess)
    guessed = x
    # Beside a manifold a step of Newton's method divides by what is small and not zero: it may lead far away.
    found = manifold_beside(system, guessed)
    if found is not None:
        return Point(
            system, found, compute_spectrum(system, found), residual=relative_size(system, found),
            note=_manifold_note(system, found),
        )  # fmt: skip
    x, residual, converged = damped_newton(system, guessed)
    if not converged:
        what = "a fixed point" if system.kind == "map" else "an equilibrium"
        raise MisuseError(
            f"Newton's method found no {what.split(' ', 1)[1]} of '{system.name}' from this guess (relative "
            f"residual {residual:.1e}); "
            "give a closer guess, or search with gb.find_equilibria."
        )
    if (k := nullity(system, x)) and (closer := nearest_on_manifold(system, guessed, x, k)) is not None:
        x, residual = closer, relative_size(system, closer)
    return Point(system, x, compute_spectrum(system, x), residual=residual, note=_manifold_note(system, x))


def nullity(system: System, x: FloatArray) -> int:
    """Dimension of the null space of the equilibrium's Jacobian: singular values below 1e-9 of the largest."""
    s = np.linalg.svd(_Defect(system).derivative(x), compute_uv=False)
    return int(np.sum(s <= 1e-9 * max(float(s[0]), 1e-300)))


def _manifold_note(system: System, x: FloatArray) -> str:
    k = nullity(system, x)
    if k == 0:
        return ""
    return (
        f"The Jacobian has a null space of dimension {k}: a bifurcation point, or a point of a "
        f"{k}-dimensional manifold of equilibria."
    )


@dataclass(frozen=True, eq=False)
class Equilibria:
    """What a search found, and what it did not look at.

    Attributes
    ----------
    points : tuple of Point
    unexplored : str
        A sentence: the search is no proof of completeness.
    """

    points: tuple[Point, ...]
    unexplored: str

    def __len__(self) -> int:
        return len(self.points)


def find_equilibria(
    system: System, box: Mapping[str, Any] | None = None, *, starts: int = 64, seed: int = 0, deflation: bool = True
) -> Equilibria:
    """Search for equilibria or fixed points in a box: known ones, many starts, then deflation of what was found.

    Parameters
    ----------
    system : System
    box : mapping of state to (low, high), optional
        What is found outside is not kept. States left out start within 1 of the known equilibrium (or of zero), and
        what is found is kept wherever they are; linear states start at rest for the others.
    starts : int
        Number of starting points (a Latin hypercube).
    seed : int
    deflation : bool
        Whether to search on with the solutions found divided out.

    Returns
    -------
    Equilibria

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> s = gb.System.from_equations("flow", {"x": "x - x**3"})
    >>> [round(p.state["x"], 6) for p in gb.find_equilibria(s, {"x": (-3, 3)}).points]
    [-1.0, 0.0, 1.0]
    """
    if starts < 1:
        raise MisuseError(f"A search needs at least one start, got {starts}.")
    known = system.equilibrium_guess()
    centre = np.zeros(system.n) if known is None else known
    low, high = centre - 1.0, centre + 1.0
    bounded = np.zeros(system.n, dtype=bool)
    for name, pair in (box or {}).items():
        if name not in system.states:
            raise unknown_name("state", name, system.states)
        window = as_range(pair)
        i = system.states.index(name)
        low[i], high[i] = window.low, window.high
        bounded[i] = True
    width = high - low
    # A Latin hypercube: each of `starts` layers of each state is met once. (scipy.stats takes a second to import.)
    rng = np.random.default_rng(seed)
    layers = rng.permuted(np.tile(np.arange(starts), (system.n, 1)), axis=1).T
    guesses = low + width * (layers + rng.random((starts, system.n))) / starts
    guesses = np.array([settle_linear_states(system, guess) for guess in guesses])
    found: list[FloatArray] = []
    manifolds = failures = outside = 0

    def keep(x: FloatArray) -> None:
        nonlocal manifolds, outside
        if np.any(bounded & ((x < low - 1e-9 * width) | (x > high + 1e-9 * width))):
            outside += 1
            return
        if all(np.max(np.abs(x - y)) > 1e-6 * (1.0 + np.max(np.abs(x))) for y in found):
            if nullity(system, x) and manifolds >= 3:
                manifolds += 1
                return
            manifolds += bool(nullity(system, x))
            found.append(x)

    for guess in ([centre] if known is not None else []) + list(guesses):
        x, _, converged = damped_newton(system, guess)
        if converged:
            keep(x)
        else:
            failures += 1
    if deflation and found and not manifolds:
        for guess in (centre, 0.5 * (low + high), *guesses[:4]):
            for _ in range(8):
                x, _, _ = damped_newton(system, guess, known=found, iterations=40)
                x, _, converged = damped_newton(system, x) if np.isfinite(x).all() else (x, np.inf, False)
                before = len(found)
                if converged:
                    keep(x)
                if len(found) == before:
                    break
    found.sort(key=lambda x: [round(float(v), 9) for v in x])
    points = tuple(
        Point(system, x, compute_spectrum(system, x), residual=relative_size(system, x), note=_manifold_note(system, x))
        for x in found
    )
    parts = [
        f"{len(guesses)} starts in the box; {failures} did not converge, {outside} led out of it; no proof of "
        "completeness"
    ]
    if manifolds:
        parts.append("equilibria come in a manifold: only representatives are listed")
    return Equilibria(points, "; ".join(parts) + ".")
