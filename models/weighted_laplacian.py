"""Spectra of the weighted Laplacian, the operator that decides how fast a GAN converges, from a density.

The operator of a density p is ``-Delta_mu f = -(p f')'/p``; its smallest non-zero eigenvalue xi_1 is the spectral gap.
Khrulkov et al. 2021 call xi_1 the Poincare constant; most of the literature calls 1/xi_1 so.

References
----------
Khrulkov, Babenko, Oseledets: Functional Space Analysis of Local GAN Convergence (ICML 2021), arXiv 2102.04448.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, eigh_tridiagonal
from scipy.special import roots_hermitenorm

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.models.densities import Density, checked_values
from gan_bifurcation.models.settings import whole_number

__all__ = [
    "Spectrum",
    "finite_volumes",
    "galerkin",
    "gaussian_spectrum",
    "hermite_functions",
    "uniform_spectrum",
]

FloatArray = NDArray[np.float64]

_EPS: Final = float(np.finfo(float).eps)
_MOST_CELLS: Final = 200_000
_MOST_DEGREE: Final = {"legendre": 120, "hermite": 80}


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The smallest non-zero eigenvalues of a weighted Laplacian.

    Attributes
    ----------
    values : array (k,)
        xi_1 <= xi_2 <= ...; the constant function with xi_0 = 0 is left out.
    errors : array (k,)
        How far each may be off, as far as the method can tell by itself; 0 for exact values.
    method : str
    accuracy : str
        One sentence: what the errors include and what they do not.
    """

    values: FloatArray
    errors: FloatArray
    method: str
    accuracy: str

    def __post_init__(self) -> None:
        for name in ("values", "errors"):
            array = np.array(getattr(self, name), dtype=float)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def gap(self) -> float:
        """xi_1, the smallest non-zero eigenvalue: large is good."""
        return float(self.values[0])


def gaussian_spectrum(variances: Sequence[float] | float = 1.0, *, count: int = 5) -> Spectrum:
    """The exact spectrum of a normal distribution: sums of k_i/variance_i.

    Parameters
    ----------
    variances : float or sequence of float
        Eigenvalues of the covariance matrix.
    count : int

    Examples
    --------
    >>> gaussian_spectrum((1.0, 4.0)).values.tolist()
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    steps = np.atleast_1d(np.array(variances, dtype=float))
    if not (np.isfinite(steps).all() and (steps > 0).all()):
        raise MisuseError(f"A normal distribution needs positive variances, but got {variances!r}.")
    values = _smallest_sums([1.0 / v for v in steps.tolist()], whole_number("count", count, 1, 200))
    return Spectrum(np.array(values), np.zeros(count), "exact", "Exact: Hermite polynomials.")


def uniform_spectrum(length: float = 1.0, *, count: int = 5) -> Spectrum:
    """The exact spectrum of the uniform distribution on an interval with walls: (k pi/length)**2.

    >>> uniform_spectrum(2.0, count=2).values.tolist()
    [2.46740110, 9.86960440]
    """
    if not (math.isfinite(length) and length > 0):
        raise MisuseError(f"An interval needs a positive length, but got {length!r}.")
    values = (np.arange(1, whole_number("count", count, 1, 200) + 1) * np.pi / length) ** 2
    return Spectrum(np.asarray(values, dtype=np.float64), np.zeros(count), "exact", "Exact: cosines.")


def finite_volumes(density: Density, *, cells: int = 4000, count: int = 5) -> Spectrum:
    """The spectrum by finite volumes, recommended in one dimension: it needs no more than log p and never fails.

    Parameters
    ----------
    density : Density
    cells : int
    count : int
        How many eigenvalues.

    Returns
    -------
    Spectrum
        Errors: that of the cells by Richardson's rule from half as many, that of cutting the tails off by what a
        tenth less of the interval changes, and rounding.

    Examples
    --------
    >>> from gan_bifurcation.models.densities import gaussian_mixture
    >>> finite_volumes(gaussian_mixture(), count=2).values.round(6).tolist()
    [1.0, 2.0]
    """
    count = whole_number("count", count, 1, 200)
    if isinstance(cells, bool) or not isinstance(cells, int) or not 4 * count + 16 <= cells <= _MOST_CELLS:
        raise MisuseError(
            f"'cells' must be a whole number from {4 * count + 16} to {_MOST_CELLS} for {count} eigenvalues, "
            f"but got {cells!r}."
        )
    values, size = _volumes(density, density.low, density.high, cells, count)
    coarse, _ = _volumes(density, density.low, density.high, cells // 2, count)
    errors = np.abs(values - coarse) / 3 + 4 * _EPS * size
    if any(density.open_ends):
        cut = (density.high - density.low) / 20
        lower, upper = density.open_ends
        part = 1 - (lower + upper) / 20
        shorter, _ = _volumes(
            density, density.low + lower * cut, density.high - upper * cut, round(cells * part), count
        )
        # A bottom of continuous spectrum is approached like 1/L**2: what is missing is some times what was gained.
        errors += np.abs(shorter - values) / (part**-2 - 1)
    return Spectrum(
        values,
        errors,
        f"finite volumes, {cells} cells",
        "Errors from half the cells and from a shorter interval: they include discretisation, cut tails and rounding.",
    )


def _volumes(density: Density, low: float, high: float, cells: int, count: int) -> tuple[FloatArray, float]:
    """Eigenvalues, and the size of the matrix."""
    h = (high - low) / cells
    places = low + h * np.arange(1, 2 * cells) / 2
    log = checked_values(density.log, places, density.name)
    centres, edges = log[0::2], log[1::2]
    with np.errstate(over="ignore"):
        right, left = np.exp(edges - centres[:-1]) / h**2, np.exp(edges - centres[1:]) / h**2
        off = -np.exp(edges - (centres[:-1] + centres[1:]) / 2) / h**2
    diagonal = np.concatenate([right, [0.0]]) + np.concatenate([[0.0], left])
    if not (np.isfinite(diagonal).all() and np.isfinite(off).all()):
        raise MisuseError(
            f"'{density.name}' changes too fast for {cells} cells: give more cells or a shorter interval."
        )
    values = eigh_tridiagonal(diagonal, off, eigvals_only=True, select="i", select_range=(1, count))
    return np.asarray(values), float(diagonal.max())


def galerkin(
    density: Density,
    *,
    basis: Literal["legendre", "hermite"] = "legendre",
    degree: int = 30,
    count: int = 5,
    centre: float | None = None,
    scale: float | None = None,
) -> Spectrum:
    """The spectrum by Ritz's method in polynomials: from above, and spectrally accurate where the density is smooth.

    Parameters
    ----------
    density : Density
    basis : "legendre" or "hermite"
        Whose Gauss rule takes the integrals: Legendre's on the interval, or Hermite's about `centre` in units of
        `scale`. The polynomials that are tried are the same.
    degree : int
        Largest degree.
    count : int
    centre, scale : float, optional
        Of Hermite's weight; the density's mean and deviation by default. Converges only if the density is nowhere
        far above that normal density.

    Returns
    -------
    Spectrum
        Errors: what the last two degrees changed, and, for Legendre's rule, what a shorter interval changes. Values are
        upper bounds as far as the rule is exact.

    Examples
    --------
    >>> from gan_bifurcation.models.densities import gaussian_mixture
    >>> galerkin(gaussian_mixture(), basis="hermite", degree=10, count=3).values.tolist()
    [1.0, 2.0, 3.0]
    """
    count = whole_number("count", count, 1, 200)
    if basis not in _MOST_DEGREE:
        raise unknown_name("basis", str(basis), _MOST_DEGREE)
    if isinstance(degree, bool) or not isinstance(degree, int) or not count + 2 <= degree <= _MOST_DEGREE[basis]:
        raise MisuseError(
            f"'degree' must be a whole number from {count + 2} to {_MOST_DEGREE[basis]} for {count} eigenvalues in "
            f"{basis} polynomials, but got {degree!r}."
        )
    low, high = density.low, density.high
    if basis == "legendre":
        values, fewer = _polynomials(density, *_legendre(low, high, degree), degree, count)
        errors = np.abs(fewer - values)
        lower, upper = density.open_ends
        part = 1 - (lower + upper) / 20
        if part < 1:
            cut = (high - low) / 20
            rule = _legendre(low + lower * cut, high - upper * cut, degree)
            errors += np.abs(_polynomials(density, *rule, degree, count)[0] - values) / (part**-2 - 1)
    else:
        if density.support != "line":
            raise MisuseError("Hermite polynomials are for densities on the whole line; use basis='legendre'.")
        middle = density.mean if centre is None else centre
        width = density.deviation if scale is None else scale
        values, fewer = _polynomials(density, *_hermite(degree, middle, width), degree, count)
        errors = np.abs(fewer - values)
    return Spectrum(
        values,
        errors + 1e-13 * values[-1],
        f"Galerkin, polynomials to degree {degree}, {basis} nodes",
        "Upper bounds but for quadrature; errors are what the last two degrees and a shorter interval changed.",
    )


def _legendre(low: float, high: float, degree: int) -> tuple[FloatArray, FloatArray]:
    z, w = np.polynomial.legendre.leggauss(max(4 * degree, 200))
    return low + (high - low) / 2 * (z + 1), np.log(w)


def _hermite(degree: int, centre: float, scale: float) -> tuple[FloatArray, FloatArray]:
    if not (math.isfinite(centre) and math.isfinite(scale) and scale > 0):
        raise MisuseError(f"Hermite polynomials need a centre and a positive scale, but got {centre!r} and {scale!r}.")
    # A density narrower than the rule's weight is seen by few of its nodes, so there are many.
    z, w = roots_hermitenorm(4 * degree + 60)
    z, w = z[w > 0], w[w > 0]
    # The rule's own weight is taken out again, so that what is left is the density.
    return centre + scale * z, np.log(w) + z**2 / 2


def _polynomials(
    density: Density, places: FloatArray, log_weights: FloatArray, degree: int, count: int
) -> tuple[FloatArray, FloatArray]:
    """Smallest non-zero Ritz values in the polynomials of this degree, and of the last but two.

    The basis is made orthonormal for the density itself as it grows (Brubeck, Nakatsukasa and Trefethen 2021), because
    that of another weight has a hopeless condition: small Ritz values would be made of rounding.
    """
    log = log_weights + checked_values(density.log, places, density.name)
    root = np.exp((log - log.max()) / 2)
    seen = int((root > 1e-8).sum())
    if seen < 1.2 * (degree + 1):
        raise MisuseError(
            f"Only {seen} of {len(root)} nodes lie where '{density.name}' has mass, too few for degree {degree}: lower "
            f"'degree' or 'scale', or use finite volumes."
        )
    # On [-1, 1] powers stay of moderate size.
    half = (places[-1] - places[0]) / 2
    z = (places - places[0]) / half - 1
    functions, slopes = np.zeros((len(z), degree + 1)), np.zeros((len(z), degree + 1))
    functions[:, 0] = root / np.linalg.norm(root)
    for k in range(1, degree + 1):
        new, slope = z * functions[:, k - 1], functions[:, k - 1] + z * slopes[:, k - 1]
        for _ in range(2):
            overlap = functions[:, :k].T @ new
            new, slope = new - functions[:, :k] @ overlap, slope - slopes[:, :k] @ overlap
        size = np.linalg.norm(new)
        functions[:, k], slopes[:, k] = new / size, slope / size
    gram = slopes.T @ slopes / half**2
    full = eigh(gram, eigvals_only=True)[1 : count + 1]
    fewer = eigh(gram[: degree - 1, : degree - 1], eigvals_only=True)[1 : count + 1]
    return np.asarray(full), np.asarray(fewer)


def hermite_functions(z: FloatArray, degree: int) -> FloatArray:
    """Hermite polynomials He_k/sqrt(k!), orthonormal for the normal distribution, shape (..., degree + 1).

    >>> hermite_functions(np.array([2.0]), 2).tolist()
    [[1.0, 2.0, 2.12132034]]
    """
    z = np.asarray(z, dtype=float)
    functions = np.ones((*z.shape, degree + 1))
    if degree:
        functions[..., 1] = z
    for k in range(2, degree + 1):
        functions[..., k] = (z * functions[..., k - 1] - math.sqrt(k - 1) * functions[..., k - 2]) / math.sqrt(k)
    return functions


def _smallest_sums(steps: list[float], count: int) -> list[float]:
    """The smallest `count` non-zero sums of whole multiples of some steps, with multiplicity."""
    heap: list[tuple[float, int, tuple[int, ...]]] = []
    for i, step in enumerate(steps):
        heapq.heappush(heap, (step, i, tuple(int(i == j) for j in range(len(steps)))))
    found: list[float] = []
    while len(found) < count:
        total, last, multiples = heapq.heappop(heap)
        found.append(total)
        # Each combination is reached once: multiples grow only at or after the last place that grew.
        for j in range(last, len(steps)):
            grown = tuple(m + (i == j) for i, m in enumerate(multiples))
            heapq.heappush(heap, (sum(m * s for m, s in zip(grown, steps, strict=True)), j, grown))
    return found
