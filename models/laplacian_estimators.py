"""Spectra of the weighted Laplacian from samples: random Fourier features, polynomials, and the graph Laplacian.

With unlimited capacity a sample has no spectral gap at all, because a function may be flat around every point: how
much an estimator may bend (features, width, regularisation) is part of what it estimates. Compare estimates of one kind
only.

References
----------
Pillaud-Vivien, Bach, Lelievre, Rudi, Stoltz: Statistical Estimation of the Poincare Constant (AISTATS 2020).
Coifman, Lafon: Diffusion Maps, Applied and Computational Harmonic Analysis 21 (2006).
"""

import math
from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh
from scipy.spatial.distance import pdist, squareform

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.models.settings import whole_number
from gan_bifurcation.models.weighted_laplacian import Spectrum

__all__ = ["checked_sample", "graph_laplacian", "polynomial_features", "random_fourier"]

FloatArray = NDArray[np.float64]
# Values (n, M) of features, and their slopes (d, n, M).
FeatureMap = Callable[[FloatArray], tuple[FloatArray, FloatArray]]

_FOLDS: Final = 4
_FEWEST: Final = 50
_MOST_NUMBERS: Final = 50_000_000
_MOST_FEATURES: Final = 2000
_MOST_IN_GRAPH: Final = 6000


def checked_sample(sample: ArrayLike) -> FloatArray:
    """A sample as an array (n, d): finite, not constant, and with enough points.

    >>> checked_sample([1.0, 2.0])
    Traceback (most recent call last):
    ...
    gan_bifurcation.errors.MisuseError: 2 points are too few to estimate a spectrum, expected at least 50: draw more.
    """
    try:
        points = np.array(sample, dtype=float)
    except (TypeError, ValueError):
        raise MisuseError("A sample is an array of numbers (points, dimensions), but got something else.") from None
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim != 2 or points.shape[1] < 1:
        raise MisuseError(f"A sample has the shape (points, dimensions), but got {points.shape}: flatten each point.")
    if points.size > _MOST_NUMBERS:
        raise MisuseError(f"The sample has {points.size} numbers, expected at most {_MOST_NUMBERS}: draw fewer points.")
    if len(points) < _FEWEST:
        raise MisuseError(
            f"{len(points)} points are too few to estimate a spectrum, expected at least {_FEWEST}: draw more."
        )
    wrong = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if wrong.size:
        raise MisuseError(
            f"{wrong.size} of {len(points)} points of the sample hold NaN or infinity, the first in row {wrong[0]}: "
            f"remove those rows."
        )
    if not np.ptp(points, axis=0).any():
        raise MisuseError("All points of the sample are the same, so that it has no spectrum: check the data.")
    return points


def random_fourier(
    sample: ArrayLike,
    *,
    features: int = 200,
    width: float = 2.0,
    regularisation: float = 1e-5,
    count: int = 5,
    seed: int = 0,
) -> Spectrum:
    """The spectrum from a sample by random Fourier features.

    Parameters
    ----------
    sample : array (n,) or (n, d)
    features : int
        How many waves cos(w.x + b) are combined.
    width : float
        Wave vectors have the standard deviation 1/width in each direction: about the width of the data.
    regularisation : float
        What bending costs beside the gradient, in units of squared coefficients.
    count : int
    seed : int
        Where the waves are drawn from.

    Returns
    -------
    Spectrum
        Errors: the spread between four parts of the sample; the first few values only are reliable.

    Notes
    -----
    Maximises Var f/(E|grad f|**2 + regularisation |c|**2) over f = sum of c_k psi_k.

    Examples
    --------
    >>> sample = np.random.default_rng(0).normal(size=8000)
    >>> bool(abs(random_fourier(sample).gap - 1.0) < 0.1)
    True
    """
    points = checked_sample(sample)
    number = whole_number("features", features, 2, _MOST_FEATURES)
    (scale,) = _positive(width=width)
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(number, points.shape[1])) / scale
    b = rng.uniform(0, 2 * np.pi, number)
    size = math.sqrt(2 / number)
    products = w @ w.T

    def matrices(part: FloatArray) -> tuple[FloatArray, FloatArray]:
        phase = part @ w.T + b
        values = size * np.cos(phase)
        sines = size * np.sin(phase)
        return np.cov(values.T, bias=True), sines.T @ sines / len(part) * products

    return _features(points, matrices, regularisation, count, f"{number} random Fourier features, width {scale:g}")


def polynomial_features(
    sample: ArrayLike, *, degree: int = 4, regularisation: float = 0.0, count: int | None = None
) -> Spectrum:
    """The spectrum from a sample by polynomials of all coordinates: low modes of data without clusters.

    Parameters
    ----------
    sample : array (n,) or (n, d)
        Standardised inside by its mean and deviations, so that powers stay of one size.
    degree : int
    regularisation : float
    count : int, optional
        At most as many as there are polynomials; `degree` by default.

    Examples
    --------
    >>> sample = np.random.default_rng(0).normal(size=20000)
    >>> bool(abs(polynomial_features(sample).gap - 1.0) < 0.05)
    True
    """
    points = checked_sample(sample)
    d = points.shape[1]
    degree = whole_number("degree", degree, 1, 20)
    if math.comb(d + degree, degree) > _MOST_FEATURES:
        raise MisuseError(
            f"There are {math.comb(d + degree, degree)} polynomials of degree {degree} in {d} dimensions, expected at "
            f"most {_MOST_FEATURES}: lower 'degree' or reduce the dimension."
        )
    mean, deviation = points.mean(axis=0), points.std(axis=0)
    if not (deviation > 0).all():
        raise MisuseError(f"Coordinate {int(np.argmin(deviation))} of the sample is constant: leave it out.")
    monomials = [
        np.bincount(np.array(chosen, dtype=int), minlength=d)
        for k in range(1, degree + 1)
        for chosen in combinations_with_replacement(range(d), k)
    ]

    def matrices(part: FloatArray) -> tuple[FloatArray, FloatArray]:
        z = (part - mean) / deviation
        powers = np.array([z**k for k in range(degree + 1)])
        values = np.column_stack([_monomial(powers, m) for m in monomials])
        total = np.zeros((len(monomials), len(monomials)))
        for axis in range(d):
            slopes = np.column_stack([_slope(powers, m, axis) for m in monomials]) / deviation[axis]
            total += slopes.T @ slopes / len(part)
        return np.cov(values.T, bias=True).reshape(total.shape), total

    wanted = min(degree, len(monomials)) if count is None else count
    return _features(points, matrices, regularisation, wanted, f"polynomials to degree {degree}")


def _monomial(powers: FloatArray, exponents: NDArray[np.int64]) -> FloatArray:
    value = np.ones(powers.shape[1])
    for axis, k in enumerate(exponents):
        if k:
            value = value * powers[k, :, axis]
    return value


def _slope(powers: FloatArray, exponents: NDArray[np.int64], axis: int) -> FloatArray:
    if not exponents[axis]:
        return np.zeros(powers.shape[1])
    lowered = exponents.copy()
    lowered[axis] -= 1
    return float(exponents[axis]) * _monomial(powers, lowered)


def _features(
    points: FloatArray,
    matrices: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    regularisation: float,
    count: int,
    method: str,
) -> Spectrum:
    if not (math.isfinite(regularisation) and regularisation >= 0):
        raise MisuseError(f"'regularisation' must be 0 or more, but got {regularisation!r}.")
    # Every n-th point, since the rows of a data set are often sorted.
    parts = [matrices(points[k::_FOLDS]) for k in range(_FOLDS)]
    number = parts[0][0].shape[0]
    count = whole_number("count", count, 1, min(number, 100))
    covariance, energy = matrices(points)
    values = _generalised(covariance, energy, regularisation, count)
    spread = np.array([_generalised(c, e, regularisation, count) for c, e in parts])
    with np.errstate(invalid="ignore"):
        errors = spread.std(axis=0, ddof=1) / math.sqrt(_FOLDS)
    return Spectrum(
        values,
        np.where(np.isfinite(errors), errors, np.inf),
        f"{method}, {len(points)} points",
        "Errors are the spread between four parts of the sample; what the features cannot follow is not in them.",
    )


def _generalised(covariance: FloatArray, energy: FloatArray, regularisation: float, count: int) -> FloatArray:
    """1/eigenvalues of the covariance in units of the energy, largest eigenvalue first."""
    number = len(energy)
    # Without regularisation rounding must not make the energy indefinite.
    floor = regularisation + 1e-12 * float(np.trace(energy)) / number
    found = eigh(
        covariance,
        energy + floor * np.eye(number),
        eigvals_only=True,
        subset_by_index=(number - count, number - 1),
    )[::-1]
    with np.errstate(divide="ignore"):
        return np.where(found > 0, 1 / np.where(found > 0, found, 1.0), np.inf)


def graph_laplacian(
    sample: ArrayLike,
    *,
    epsilon: float = 0.02,
    alpha: float = 0.5,
    trim: float = 0.0,
    count: int = 3,
) -> Spectrum:
    """The spectrum from the graph Laplacian of a sample, whose normalisation decides which operator it is.

    Parameters
    ----------
    sample : array (n,) or (n, d)
        At most 6000 points.
    epsilon : float
        Neighbours are points at distances of about sqrt(4 epsilon).
    alpha : float
        What the density is divided by: 1/2 gives the weighted Laplacian of the density. The plain random walk,
        alpha = 0, gives that of the *squared* density, and alpha = 1 the Laplacian without any weight.
    trim : float
        The part of the points, those with the fewest neighbours, that is left out.
    count : int

    Returns
    -------
    Spectrum
        Errors: the spread between four parts of the sample. An isolated point in a tail makes a small eigenvalue of its
        own, the first one at worst: trim such points (which raises the others a little), or enlarge epsilon.

    Notes
    -----
    W = exp(-|x - y|**2/(4 epsilon)) is divided by (q q^T)**alpha with q its row sums, and its rows are normalised to P:
    (I - P)/epsilon tends to -(Laplacian + 2 (1 - alpha) grad log p . grad).

    Examples
    --------
    >>> sample = np.random.default_rng(0).normal(size=1000)
    >>> right, walk = (graph_laplacian(sample, epsilon=0.05, alpha=a, trim=0.01, count=1).gap for a in (0.5, 0.0))
    >>> bool(abs(right - 1) < 0.25 and abs(walk - 2) < 0.5)
    True
    """
    points = checked_sample(sample)
    (scale,) = _positive(epsilon=epsilon)
    count = whole_number("count", count, 1, 20)
    if len(points) > _MOST_IN_GRAPH:
        raise MisuseError(f"A graph takes at most {_MOST_IN_GRAPH} points, but got {len(points)}: draw fewer.")
    if not (math.isfinite(alpha) and 0 <= alpha <= 1):
        raise MisuseError(f"'alpha' must be from 0 to 1 (1/2 for the weighted Laplacian), but got {alpha!r}.")
    if not 0 <= trim < 0.5:
        raise MisuseError(f"'trim' is a part of the points, expected 0 up to 0.5, but got {trim!r}.")
    values = _walk(points, scale, alpha, trim, count)
    spread = np.array([_walk(points[k::_FOLDS], scale, alpha, trim, count) for k in range(_FOLDS)])
    return Spectrum(
        values,
        spread.std(axis=0, ddof=1) / math.sqrt(_FOLDS),
        f"graph Laplacian, alpha = {alpha:g}, epsilon = {scale:g}, {len(points)} points",
        "Errors are the spread between four parts of the sample; the bias of epsilon is not in them.",
    )


def _walk(points: FloatArray, epsilon: float, alpha: float, trim: float, count: int) -> FloatArray:
    w = np.exp(-squareform(pdist(points, "sqeuclidean")) / (4 * epsilon))
    if trim:
        degrees = w.sum(axis=1)
        kept = degrees >= np.quantile(degrees, trim)
        w = w[np.ix_(kept, kept)]
    q = w.sum(axis=1) ** alpha
    w /= q[:, None] * q
    root = np.sqrt(w.sum(axis=1))
    # The symmetric matrix with the eigenvalues of the random walk.
    w /= root[:, None] * root
    # Known start: ARPACK would otherwise draw one, and the last digits would change from run to run.
    start = np.random.default_rng(0).normal(size=len(w))
    found = eigsh(w, k=count + 1, which="LA", v0=start, return_eigenvectors=False, ncv=max(40, 2 * count + 2))
    return (1 - np.sort(found)[::-1][1:]) / epsilon


def _positive(**values: float) -> list[float]:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise MisuseError(f"'{name}' must be a positive number, but got {value!r}.")
    return [float(value) for value in values.values()]
