"""WGANs that learn the mean or the covariance of a Gaussian: the smallest models with more than one dimension.

A linear discriminator against a shifted generator is the bilinear game; a quadratic one against a linear generator is
the linear-quadratic WGAN of Nagarajan and Kolter (2017) in more dimensions, where the equilibria form a manifold.
"""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import symbol
from gan_bifurcation.facts import Equilibrium, Symmetry
from gan_bifurcation.game import Game, Player

__all__ = ["covariance_frequencies", "covariance_invariant", "gaussian_wgan", "manifold_dimension"]

_MOST_DIMENSIONS: Final = 12
_STATISTICS: Final = ("mean", "covariance")


def gaussian_wgan(
    *, statistic: Literal["mean", "covariance"] = "covariance", dimension: int = 2, variances: Sequence[float] = ()
) -> Game:
    """A WGAN on Gaussian data, N(m, 1) or N(0, S) with diagonal S.

    Parameters
    ----------
    statistic : "mean" or "covariance"
        "mean": D(x) = <w, x> against z + theta, V = <w, m - theta>. "covariance": D(x) = x' W x with symmetric W
        against A z, V = tr W (S - A A').
    dimension : int
    variances : sequence of float, optional
        The diagonal of S, all 1 by default; only for "covariance".

    Returns
    -------
    Game
        "mean": states ``w1``, ... and ``theta1``, ..., parameters ``mean1``, ... (0). "covariance": states ``w11``,
        ``w12``, ``w22``, ... (the upper triangle, row by row) and ``a11``, ``a12``, ...

    Notes
    -----
    Off the diagonal W has the entries w12/sqrt(2), ...: lengths of the states are then those of W, and the gradient
    flow is W' = S - A A', A' = 2 W A.

    The equilibria of "covariance" are W = 0 with A A' = S: a manifold of dimension d(d-1)/2, of turned square roots of
    S, along which as many eigenvalues are 0. Across it the flow turns with the frequencies of
    `covariance_frequencies`; for S a multiple of 1 it conserves `covariance_invariant`.

    Examples
    --------
    >>> gaussian_wgan(statistic="mean", dimension=1).vector_field()
    {'w': mean - theta, 'theta': w}
    >>> gaussian_wgan(dimension=2).states
    ('w11', 'w12', 'w22', 'a11', 'a12', 'a21', 'a22')
    """
    if statistic not in _STATISTICS:
        raise unknown_name("statistic of gaussian_wgan", str(statistic), _STATISTICS)
    if isinstance(dimension, bool) or not isinstance(dimension, int) or not 1 <= dimension <= _MOST_DIMENSIONS:
        raise MisuseError(f"The dimension is a whole number from 1 to {_MOST_DIMENSIONS}, but got {dimension!r}.")
    if statistic == "mean":
        if len(variances):
            raise MisuseError("The variances belong to statistic = 'covariance'; leave them out for the mean.")
        return _mean(dimension)
    return _covariance(dimension, _diagonal(variances, dimension))


def _mean(dimension: int) -> Game:
    numbers = [""] if dimension == 1 else [str(i + 1) for i in range(dimension)]
    w, theta, mean = ([f"{name}{i}" for i in numbers] for name in ("w", "theta", "mean"))
    value = sympy.Add(*(symbol(a) * (symbol(m) - symbol(t)) for a, m, t in zip(w, mean, theta, strict=True)))
    at = dict.fromkeys(w, sympy.S.Zero) | {t: symbol(m) for t, m in zip(theta, mean, strict=True)}
    return Game(
        "gaussian_wgan",
        Player(tuple(w), -value, "eta_d"),
        Player(tuple(theta), value, "eta_g"),
        dict.fromkeys(mean, 0.0),
        equilibria=(Equilibrium("the data's mean", at),),
        paper="nagarajan2017",
        description="WGAN with a linear discriminator, learning the mean of a Gaussian.",
    )


def _covariance(dimension: int, variances: NDArray[np.float64]) -> Game:
    pairs = [(i, j) for i in range(dimension) for j in range(i, dimension)]
    w = {pair: symbol(_name("w", *pair)) for pair in pairs}
    a = sympy.Matrix(dimension, dimension, lambda i, j: symbol(_name("a", i, j)))
    weights = sympy.Matrix(
        dimension, dimension, lambda i, j: w[i, i] if i == j else w[min(i, j), max(i, j)] / sympy.sqrt(2)
    )
    s = sympy.diag(*(sympy.Rational(repr(value)) for value in variances.tolist()))
    value = (weights * (s - a * a.T)).trace()
    places = [(i, j) for i in range(dimension) for j in range(dimension)]
    at = {state.name: sympy.S.Zero for state in (*w.values(), *a)}
    at |= {a[i, i].name: sympy.sqrt(s[i, i]) for i in range(dimension)}
    return Game(
        "gaussian_wgan",
        Player(tuple(state.name for state in w.values()), -value, "eta_d"),
        Player(tuple(a[place].name for place in places), value, "eta_g"),
        symmetries=(Symmetry("mirror", {a[place].name: (-1, a[place].name) for place in places}),),
        equilibria=(Equilibrium("a square root of the covariance", at),),
        paper="nagarajan2017",
        description="WGAN with a quadratic discriminator, learning the covariance of a Gaussian.",
    )


def _name(letter: str, i: int, j: int) -> str:
    # Past nine dimensions two digits would run together.
    return f"{letter}{i + 1}{j + 1}" if max(i, j) < 9 else f"{letter}{i + 1}_{j + 1}"


def _diagonal(variances: Sequence[float], dimension: int) -> NDArray[np.float64]:
    found = np.array(variances if len(variances) else [1.0] * dimension, dtype=float)
    if found.shape != (dimension,) or not np.all(np.isfinite(found)) or not np.all(found > 0.0):
        raise MisuseError(f"The variances are {dimension} positive numbers, but got {list(variances)}.")
    return found


def manifold_dimension(*, dimension: int) -> int:
    """The dimension of the manifold of equilibria of the covariance WGAN: that of the rotations.

    >>> manifold_dimension(dimension=3)
    3
    """
    return dimension * (dimension - 1) // 2


def covariance_frequencies(*, variances: Sequence[float]) -> list[float]:
    """Frequencies of the covariance WGAN's flow across its equilibria: sqrt(2 (s_i + s_j)) for i <= j, sorted.

    They come from dW'' = -2 (dW S + S dW).

    >>> covariance_frequencies(variances=[1.0, 2.0])
    [2.0, 2.4494897, 2.8284271]
    """
    s = _diagonal(variances, len(variances))
    return sorted(float(np.sqrt(2.0 * (s[i] + s[j]))) for i in range(len(s)) for j in range(i, len(s)))


def covariance_invariant(*, weights: ArrayLike, generator: ArrayLike, variance: float = 1.0) -> float:
    """What the flow of the covariance WGAN conserves for S = variance * 1, at equal rates.

    tr W**2 + tr(M)/2 - (variance/2) log det M with M = A A'.

    Parameters
    ----------
    weights, generator : array (d, d)
        W and A themselves.
    variance : float

    Examples
    --------
    >>> covariance_invariant(weights=[[0.0]], generator=[[1.0]])
    0.5
    """
    w, a = np.array(weights, dtype=float), np.array(generator, dtype=float)
    if w.ndim != 2 or w.shape != a.shape or w.shape[0] != w.shape[1]:
        raise MisuseError(f"W and A are square matrices of one size, but got the shapes {w.shape} and {a.shape}.")
    m = a @ a.T
    return float(np.trace(w @ w) + np.trace(m) / 2.0 - variance / 2.0 * np.linalg.slogdet(m)[1])
