"""Finding equilibria and fixed points: Newton from a guess, many starts, deflation; what was not explored is said."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.defect import Defect
from gan_bifurcation.continuation.manifolds import manifold_beside, nearest_on_manifold
from gan_bifurcation.continuation.problem import compute_spectrum
from gan_bifurcation.continuation.root_search import newton_step
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

# The relative residual below which a state solves the equations.
_SOLVED: Final = 1e-11


# Newton's method may run off to where numbers overflow: such a start finds nothing, and no one need be warned.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def damped_newton(
    system: System,
    x: FloatArray,
    known: list[FloatArray] | None = None,
    iterations: int = 60,
    defect: Defect | None = None,
) -> tuple[FloatArray, float, bool]:
    """Newton with step halving; with `known` solutions, on the deflated residual (Farrell, Birkisson, Funke 2015).

    The deflated step is the plain one times a number (Sherman and Morrison): with eta = sum of 1/|x - k|^2 + 1 per
    root, dx = -J^{-1} F / (1 + grad(log eta) . J^{-1} F). Singular directions are left where they are (minimum norm).
    All sizes are in the units of the defect, if one is given.

    Returns
    -------
    x, relative residual, converged
    """
    defect = defect or Defect(system)
    x = x / defect.units
    known = [k / defect.units for k in known or []]
    size = max(1.0, float(np.max(np.abs(x))))
    f = defect.value(x)
    for _ in range(iterations):
        if not np.isfinite(f).all():
            return x * defect.units, np.inf, False
        j = defect.derivative(x)
        if not np.isfinite(j).all():
            return x * defect.units, np.inf, False
        step = minimum_norm(j, -f)
        if known:
            slope = 0.0
            for k in known:
                distance = x - k
                square = float(distance @ distance) + 1e-300
                slope += float(-2.0 * distance @ -step) / (square * (1.0 + square))
            factor = 1.0 / (1.0 - slope) if abs(1.0 - slope) > 1e-8 else 1e8
            step = step * np.clip(factor, -1e3, 1e3)
        length = float(np.max(np.abs(step)))
        part = min(1.0, size / length) if length > 0.0 else 1.0
        step = step * part
        damping = 1.0
        for _ in range(12):
            trial = x + damping * step
            ft = defect.value(trial)
            if np.isfinite(ft).all() and (
                known or _length(ft) <= (1.0 - 0.1 * damping * part) * _length(f) or length < 1e-7
            ):
                break
            damping *= 0.5
        x, f = trial, ft
        size = max(1.0, float(np.max(np.abs(x))))
        if damping * length < 1e-13 * size:
            break
    residual = defect.relative_size(x)
    return x * defect.units, residual, residual < _SOLVED


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
    return Defect(system).relative_size(x)


def _length(v: FloatArray) -> float:
    return math.sqrt(float(v @ v))


def minimum_norm(j: FloatArray, right: FloatArray) -> FloatArray:
    """Solve, or the least-squares solution of minimum norm where singular values are zero within rounding."""
    try:
        x: FloatArray = np.asarray(np.linalg.solve(j, right), dtype=float)
        # A step this much larger than the residual comes from a singular matrix that rounding made regular.
        if _length(x) * np.abs(j).max() < 1e9 * _length(right):
            return x
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
    plain = Defect(system)
    start, defect = x, plain.near(x)
    # Beside a manifold a step of Newton's method divides by what is small and not zero: it may lead far away.
    found = manifold_beside(defect, start / defect.units)
    if found is not None:
        return _point(defect, found * defect.units)
    x, residual, converged = damped_newton(system, start, defect=defect)
    known = False
    while converged and not known:
        better = plain.near(x)
        if defect.usual and better.usual:
            break
        # What the guess said of units was a guess too: in those of a state far away all that is near is small.
        far = float(np.max(np.abs(x)))
        known = better.relative_size(x / better.units) < _SOLVED
        x, residual, converged = damped_newton(system, x, defect=better)
        defect = better
        known = known or float(np.max(np.abs(x))) > 0.5 * far
    if not converged:
        what = "fixed point" if system.kind == "map" else "equilibrium"
        raise MisuseError(
            f"Newton's method found no {what} of '{system.name}' from this guess (relative residual {residual:.1e}); "
            "give a closer guess, or search with gb.find_equilibria."
        )
    y = x / defect.units
    k = _nullity(defect, y)
    step = np.zeros(system.n) if k else newton_step(plain, x)
    if step is None or bool(np.any(np.abs(step) > 1e-3 * np.maximum(np.abs(x), 1e-3 * defect.units))):
        raise MisuseError(
            f"From this guess Newton's method ran out on a tail of '{system.name}', where the equations fall off and "
            "are not zero; give a closer guess, or search with gb.find_equilibria."
        )
    if k and (closer := nearest_on_manifold(defect, start / defect.units, y, k)) is not None:
        y = closer
    return _point(defect, y * defect.units)


def _point(defect: Defect, x: FloatArray) -> Point:
    """The record of an equilibrium; on a manifold of them, or at a bifurcation, its note says so."""
    y = x / defect.units
    k = _nullity(defect, y)
    note = (
        f"The Jacobian has a null space of dimension {k}: a bifurcation point, or a point of a "
        f"{k}-dimensional manifold of equilibria."
    )
    return Point(
        defect.system, x, compute_spectrum(defect.system, x), residual=defect.relative_size(y), note=note if k else ""
    )


def nullity(system: System, x: FloatArray) -> int:
    """Dimension of the null space of the equilibrium's Jacobian: singular values below 1e-9 of the largest.

    In units in which states that act on each other are alike. Where there is one, it is looked at again in units of the
    states and of the equations, since large and small ones look like it.
    """
    defect = Defect(system).near(x)
    return _nullity(defect, x / defect.units)


def _nullity(defect: Defect, y: FloatArray) -> int:
    j = defect.derivative(y)
    count = _null_space(j)
    if count:
        scaled = j * np.where(y != 0.0, np.abs(y), 1.0)
        rows = np.max(np.abs(scaled), axis=1)
        rows[rows <= 1e-13 * np.max(rows)] = 1.0
        count = min(count, _null_space(scaled / rows[:, None]))
    return count


def _null_space(j: FloatArray) -> int:
    s = np.linalg.svd(j, compute_uv=False)
    return int(np.sum(s <= 1e-9 * max(float(s[0]), 1e-300)))


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
    """Search for equilibria or fixed points: known ones, many starts, deflation of what was found, homotopies.

    Parameters
    ----------
    system : System
    box : mapping of state to (low, high), optional
        What is found outside is not kept. States left out start within 1 of the known equilibrium, or of zero; then,
        if none is known, within sizes that the equations suggest (Newton's first steps, curvature), and from 1e-4 to
        1e4 where nothing was found. What is found is kept wherever they are; linear states start at rest for the
        others.
    starts : int
        Number of starting points in the box (a Latin hypercube).
    seed : int
    deflation : bool
        Whether to search on with the solutions found divided out.

    Returns
    -------
    Equilibria

    Notes
    -----
    Newton's method is damped by the length of its next correction, so that it works in any units of states and
    equations. Where that ends at a singular Jacobian, some starts are followed along F(x) = (1 - t) F(x0), through the
    folds of that path.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> s = gb.System.from_equations("flow", {"x": "x - x**3"})
    >>> [round(p.state["x"], 6) for p in gb.find_equilibria(s, {"x": (-3, 3)}).points]
    [-1.0, 0.0, 1.0]
    """
    if isinstance(starts, bool) or not isinstance(starts, int | np.integer) or starts < 1:
        raise MisuseError(f"A search needs a number of starts, 1 or more, got {starts!r}.")
    from gan_bifurcation.continuation.equilibrium_search import Search

    search = Search(system, box or {}, seed)
    search.in_box(starts)
    if search.known is None and not search.bounded.all():
        # Nobody says where and how large states are.
        search.at_sizes_of_first_steps(max(4, starts // 4))
        search.at_sizes_of_curvature(max(4, starts // 8))
        if not search.found:
            search.at_other_sizes(starts)
        search.around_found(max(4, starts // 4))
    if deflation:
        search.deflated()
    if search.known is None or not search.found:
        search.along_homotopies(max(4, starts // 8 if 4 * len(search.stuck) > starts else 0))
    found, said = search.result()
    plain = Defect(system)
    return Equilibria(tuple(_point(plain.near(x), x) for x in found), said)
