"""Manifolds of equilibria: how many dimensions, which directions, and the spectrum across."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.defect import Defect
from gan_bifurcation.errors import MisuseError

__all__ = ["TransverseSpectrum", "transverse_spectrum"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# The gap that separates zero singular values from the others, and what is rounding.
_GAP: Final = 1e4
_ROUNDING: Final = 1e-13
# Points of an equilibrium beside are sought this far away, relative to the state's size.
_NEARBY: Final = 1e-2
_CRITICAL: Final = 1e-10


@dataclass(frozen=True, eq=False)
class TransverseSpectrum:
    """The spectrum at an equilibrium (or fixed point) that may lie in a manifold of them.

    Attributes
    ----------
    dimension : int
        Singular values of the Jacobian (of a map: minus the identity) that are zero.
    gap : float
        The smallest singular value that is not, divided by the largest that is (or by its rounding).
    tangent : array (n, dimension)
        Orthonormal basis of the null space.
    is_manifold : bool
        Whether equilibria were found beside this one in every tangent direction. If not, the null space is that of a
        bifurcation point.
    eigenvalues : complex array (n - algebraic multiplicity of the neutral eigenvalue)
        Across the manifold, largest first: eigenvalues of a flow, multipliers of a map. The equilibrium's own are
        these and `dimension` (or, where `defective`, more) zeros (maps: ones).
    defective : bool
        Whether the neutral eigenvalue has a Jordan block, as at a fold of the manifold: nearby points drift along it.
    stability : str
        "attracts", "repels", "saddle" or "neutral": what the manifold does to points beside it.
    residual : float
        Largest component of the vector field (of a map: of the step) at the point.
    """

    dimension: int
    gap: float
    tangent: FloatArray
    is_manifold: bool
    eigenvalues: ComplexArray
    defective: bool
    stability: str
    residual: float

    def __str__(self) -> str:
        if not self.dimension:
            return f"An isolated equilibrium; {_WORDS[self.stability]}."
        where = (
            f"Equilibria come in a manifold of dimension {self.dimension} here"
            if self.is_manifold
            else f"The Jacobian has a null space of dimension {self.dimension}, and no manifold of equilibria was found"
        )
        return f"{where}; across it, the point {_WORDS[self.stability]}."


_WORDS: Final = {
    "attracts": "attracts",
    "repels": "repels",
    "saddle": "attracts in some directions and repels in others",
    "neutral": "is neutral to first order",
}


def transverse_spectrum(point: Point) -> TransverseSpectrum:
    """How an equilibrium attracts or repels across the manifold of equilibria that it lies in.

    Parameters
    ----------
    point : Point
        As found by :func:`gan_bifurcation.point`, which takes the shortest way to a manifold.

    Returns
    -------
    TransverseSpectrum

    Raises
    ------
    MisuseError
        If the point is no equilibrium or fixed point.

    Notes
    -----
    The rank comes from the widest gap among the singular values, not from a threshold on each. The spectrum across is
    that of the Jacobian on its invariant subspace across, the range of the power from which on the rank falls no
    further: no eigenvalue is compared with zero.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> circle = gb.System.from_equations("flow", {"x": "x*(1 - x**2 - y**2)", "y": "y*(1 - x**2 - y**2)"})
    >>> across = transverse_spectrum(gb.point(circle, {"x": 0.9, "y": 0.3}))
    >>> across.dimension, across.is_manifold, across.stability, across.eigenvalues.real.round(9).tolist()
    (1, True, 'attracts', [-2.0])
    """
    if not isinstance(point, Point):
        raise MisuseError(f"transverse_spectrum takes a Point, as gb.point finds, but got a {type(point).__name__}.")
    system, x = point.system, np.asarray(point.x, dtype=float)
    defect = Defect(system)
    f, jacobian = defect.value(x), defect.derivative(x)
    residual = float(np.max(np.abs(f)))
    if not residual <= 1e-8 * max(1.0, float(np.max(np.abs(x)))):
        raise MisuseError(
            f"The point is no {'fixed point' if system.kind == 'map' else 'equilibrium'} (residual {residual:.1e}): "
            "find it with gb.point first."
        )
    dimension, gap = _null_space(jacobian)
    tangent = np.linalg.svd(jacobian)[2][system.n - dimension :].T.copy()
    # Powers: once the rank falls no further, range and null space part the space into invariant halves.
    power, neutral = jacobian, dimension
    while dimension:
        power = power @ jacobian
        wider, _ = _null_space(power / max(float(np.abs(power).max()), 1e-300))
        if wider <= neutral or wider >= system.n:
            neutral = max(wider, neutral)
            break
        neutral = wider
    across = _quotient(jacobian, power if dimension else jacobian, neutral)
    eigenvalues = np.zeros(0, dtype=np.complex128)
    if len(across):
        eigenvalues = np.linalg.eigvals(across).astype(np.complex128) + (1.0 if system.kind == "map" else 0.0)
    sizes = np.abs(eigenvalues) - 1.0 if system.kind == "map" else eigenvalues.real
    order = np.argsort(-sizes, kind="stable")
    tangent.setflags(write=False)
    return TransverseSpectrum(
        dimension,
        gap,
        tangent,
        dimension > 0 and all(_continues(defect, x, direction, system.n - dimension) for direction in tangent.T),
        eigenvalues[order],
        neutral > dimension,
        _stability(sizes),
        residual,
    )


def _null_space(matrix: FloatArray) -> tuple[int, float]:
    """How many singular values are zero, judged by the widest gap whose small side is rounding."""
    s = np.linalg.svd(matrix, compute_uv=False)
    floor = max(float(s[0]), 1e-300) * _ROUNDING
    if s[0] == 0.0:
        return len(s), np.inf
    t = np.maximum(np.append(s, floor), floor)
    gaps = t[:-1] / t[1:]
    # From the smallest upwards: the gap must be wide, and what is below it small.
    wide = [i for i in range(len(s)) if gaps[i] >= _GAP and (i + 1 == len(s) or s[i + 1] <= 1e-8 * s[0])]
    if not wide:
        return 0, float(gaps[-1])
    best = max(wide, key=lambda i: gaps[i] if i + 1 < len(s) else 0.0)
    return len(s) - best - 1, float(gaps[best])


def _quotient(jacobian: FloatArray, power: FloatArray, neutral: int) -> FloatArray:
    """The Jacobian on its invariant subspace across: the range of a power of it."""
    if not neutral:
        return jacobian
    basis = np.linalg.svd(power)[0][:, : len(jacobian) - neutral]
    return np.asarray(basis.T @ jacobian @ basis)


def nearest_on_manifold(defect: Defect, guess: FloatArray, x: FloatArray, dimension: int) -> FloatArray | None:
    """The point nearest to a guess on the manifold of equilibria through another point, if there is one.

    Parameters
    ----------
    defect : Defect
    guess : array (n,)
    x : array (n,)
        An equilibrium whose Jacobian has a null space of this dimension.
    dimension : int

    Returns
    -------
    array or None
        None if equilibria are not found in all directions of the null space, or the way back leads astray.
    """
    rank = defect.n - dimension
    if rank < 1:
        return None
    tangent = np.linalg.svd(defect.derivative(x))[2][rank:]
    if not all(_continues(defect, x, direction, rank) for direction in tangent):
        return None
    here, converged = _nearest(defect, guess, rank)
    if not converged:
        here = x
    for _ in range(_MOST_FEET):
        # The foot of the perpendicular: what is left of the way to the guess has no part along the manifold.
        tangent = np.linalg.svd(defect.derivative(here))[2][rank:]
        slide = tangent.T @ (tangent @ (guess - here))
        if np.max(np.abs(slide)) <= 1e-12 * max(1.0, float(np.max(np.abs(here)))):
            break
        moved, converged = _nearest(defect, here + slide, rank)
        if not (converged and np.linalg.norm(moved - guess) < np.linalg.norm(here - guess)):
            break
        here = moved
    return here if np.linalg.norm(here - guess) <= np.linalg.norm(x - guess) else None


_MOST_FEET: Final = 20
# Beside a manifold the singular values that are zero on it are this small, relative to the largest.
_SMALL: Final = 1e-2


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def manifold_beside(defect: Defect, guess: FloatArray) -> FloatArray | None:
    """The nearest point of a manifold of equilibria that a guess lies beside; None if it lies beside none."""
    jacobian = defect.derivative(guess)
    if not np.isfinite(jacobian).all():
        return None
    s = np.linalg.svd(jacobian, compute_uv=False)
    for dimension in range(1, int(np.sum(s <= _SMALL * s[0])) + 1):
        rank = defect.n - dimension
        if rank < 1:
            return None
        x, converged = _nearest(defect, guess, rank)
        if converged and _null_space(defect.derivative(x))[0] == dimension:
            return nearest_on_manifold(defect, guess, x, dimension)
    return None


def _continues(defect: Defect, x: FloatArray, direction: FloatArray, rank: int) -> bool:
    """Whether equilibria lie on both sides in a direction of the null space."""
    distance = _NEARBY * max(1.0, float(np.max(np.abs(x))))
    for sign in (1.0, -1.0):
        found, converged = _nearest(defect, x + sign * distance * direction, rank)
        moved = sign * float((found - x) @ direction)
        if not converged or not 0.5 * distance < moved < 1.5 * distance:
            return False
    return True


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _nearest(defect: Defect, x: FloatArray, rank: int) -> tuple[FloatArray, bool]:
    """The equilibrium beside a point, by Newton's steps across the manifold only.

    Beside the manifold the Jacobian's zero singular values are small and not zero: to divide by them would lead along
    it, and far away. So the rank is that on the manifold.
    """
    for _ in range(20):
        f, jacobian = defect.value(x), defect.derivative(x)
        if not (np.isfinite(f).all() and np.isfinite(jacobian).all()):
            return x, False
        u, s, v = np.linalg.svd(jacobian)
        if s[rank - 1] <= _ROUNDING * s[0]:
            return x, False
        step = v[:rank].T @ ((u[:, :rank].T @ f) / s[:rank])
        x = x - step
        if np.max(np.abs(step)) <= 1e-12 * max(1.0, float(np.max(np.abs(x)))):
            break
    f, jacobian = defect.value(x), defect.derivative(x)
    size = max(1.0, float(np.max(np.abs(x)))) * float(np.abs(jacobian).max())
    # A point whose residual is of second order in its distance, and stays, lies beside a fold and not on a manifold.
    return x, bool(np.max(np.abs(f)) <= 1e-12 * size)


def _stability(sizes: FloatArray) -> str:
    if not len(sizes) or (np.any(np.abs(sizes) <= _CRITICAL) and not np.any(sizes > _CRITICAL)):
        return "neutral"
    if np.all(sizes < 0.0):
        return "attracts"
    return "repels" if np.all(sizes > _CRITICAL) else "saddle"
