"""Which augmentation to choose before any training: the one whose augmented data has the largest spectral gap.

The criterion holds at a fixed scale of the data: shrinking by s multiplies every gap by 1/s**2 and helps nobody.
Here are mixtures of normal distributions on the line under noise; images are in `image_augmentation`.

References
----------
Khrulkov, Babenko, Oseledets: Functional Space Analysis of Local GAN Convergence (ICML 2021), arXiv 2102.04448.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.models.densities import gaussian_mixture
from gan_bifurcation.models.weighted_laplacian import finite_volumes

__all__ = [
    "BestNoise",
    "best_noise",
    "noisy_gap",
    "visible_modes",
    "visible_spectrum",
]

FloatArray = NDArray[np.float64]


def visible_modes(count: int = 5, *, sigma: float = 1.0, tau: float = 0.0) -> FloatArray:
    """Modes k = 1, 2, ... of a normal distribution if real and generated points get noise before they are judged.

    Parameters
    ----------
    count : int
    sigma, tau : float
        Standard deviations of data and noise.

    Notes
    -----
    k rho**(2k)/sigma**2 with rho**2 = sigma**2/(sigma**2 + tau**2): the eigenvalues of P*(-Delta_mu)P, where P takes
    the mean over the noise. High modes become invisible, which naive noise, k/(sigma**2 + tau**2), does not show.

    Examples
    --------
    >>> visible_modes(3, tau=1.0).tolist()
    [0.5, 0.5, 0.375]
    """
    if not (math.isfinite(sigma) and sigma > 0 and math.isfinite(tau) and tau >= 0):
        raise MisuseError(f"Expected a deviation sigma > 0 and a noise tau >= 0, but got {sigma!r} and {tau!r}.")
    k = np.arange(1, count + 1)
    return np.asarray(k * (sigma**2 / (sigma**2 + tau**2)) ** k / sigma**2)


def visible_spectrum(
    *,
    means: Sequence[float] = (0.0,),
    variances: Sequence[float] = (1.0,),
    weights: Sequence[float] | None = None,
    tau: float = 0.0,
    degree: int = 12,
) -> FloatArray:
    """The same for a mixture of normal distributions, by polynomials: all `degree` eigenvalues, largest first.

    >>> visible_spectrum(tau=1.0, degree=5).round(9).tolist()
    [0.5, 0.5, 0.375, 0.25, 0.15625]
    """
    if isinstance(degree, bool) or not isinstance(degree, int) or not 1 <= degree <= 20:
        raise MisuseError(f"'degree' must be a whole number from 1 to 20, but got {degree!r}.")
    # High powers feel the tails.
    clean = gaussian_mixture(means=means, variances=variances, weights=weights, reach=12.0)
    z, w = np.polynomial.legendre.leggauss(300)
    half = (clean.high - clean.low) / 2
    x = clean.low + half * (z + 1)
    log = clean.log(x)
    p = w * np.exp(log - log.max())
    p /= p.sum()
    noise, weight = np.polynomial.hermite_e.hermegauss(40)
    weight /= weight.sum()
    # Polynomials orthonormal for the noisy data, made as they grow; slopes are carried along.
    y = (x[:, None] + tau * noise).ravel() / half
    root = np.sqrt(np.outer(p, weight).ravel())
    values, slopes = np.zeros((y.size, degree + 1)), np.zeros((y.size, degree + 1))
    values[:, 0] = root
    for k in range(1, degree + 1):
        new, slope = y * values[:, k - 1], values[:, k - 1] + y * slopes[:, k - 1]
        for _ in range(2):
            overlap = values[:, :k].T @ new
            new, slope = new - values[:, :k] @ overlap, slope - slopes[:, :k] @ overlap
        size = np.linalg.norm(new)
        values[:, k], slopes[:, k] = new / size, slope / size
    # The mean over the noise of each slope, at each point of the data.
    kept = root > 0
    slopes[kept] /= root[kept, None]
    seen = np.einsum("xek,e->xk", slopes.reshape(len(x), len(noise), -1), weight) / half
    return np.linalg.eigvalsh((seen.T * p) @ seen)[:0:-1]


def noisy_gap(
    tau: float,
    *,
    means: Sequence[float] = (-1.5, 1.5),
    variances: Sequence[float] = (0.25,),
    weights: Sequence[float] | None = None,
    cells: int = 2000,
) -> float:
    """xi_1 of a mixture of normal distributions with normal noise of standard deviation tau added.

    >>> round(noisy_gap(1.0, means=(0.0,), variances=(1.0,)), 6)
    0.5
    """
    noisy = gaussian_mixture(means=means, variances=variances, weights=weights, noise=tau)
    return finite_volumes(noisy, cells=cells, count=1).gap


@dataclass(frozen=True)
class BestNoise:
    """How much noise makes the spectral gap largest.

    Attributes
    ----------
    noise : float
        Its standard deviation; 0 if any noise lowers the gap.
    gap : float
        xi_1 there.
    gap_without : float
        xi_1 without noise.
    """

    noise: float
    gap: float
    gap_without: float


def best_noise(
    *,
    means: Sequence[float] = (-1.5, 1.5),
    variances: Sequence[float] = (0.25,),
    weights: Sequence[float] | None = None,
    most: float | None = None,
) -> BestNoise:
    """The noise that makes the spectral gap of a mixture largest: it builds bridges until it blurs everything.

    Parameters
    ----------
    means, variances, weights : sequences of float
        Of the mixture.
    most : float, optional
        Largest standard deviation that is looked at; twice the extent of the mixture by default.

    Returns
    -------
    BestNoise

    Examples
    --------
    >>> best_noise(means=(0.0,), variances=(1.0,)).noise
    0.0
    >>> best = best_noise()
    >>> best.gap > 4 * best.gap_without
    True
    """
    from scipy.optimize import minimize_scalar

    extent = 2 * (max(means) - min(means) + math.sqrt(max(variances))) if most is None else most
    if not (math.isfinite(extent) and extent > 0):
        raise MisuseError(f"'most' must be a positive standard deviation, but got {most!r}.")

    def loss(tau: float) -> float:
        return -noisy_gap(tau, means=means, variances=variances, weights=weights)

    grid = np.linspace(0.0, extent, 41)
    values = np.array([loss(tau) for tau in grid.tolist()])
    k = int(values.argmin())
    without = -float(values[0])
    if k == 0 and loss(1e-3 * extent) >= values[0]:
        return BestNoise(0.0, without, without)
    bounds = (grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)])
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    return BestNoise(float(found.x), -float(found.fun), without)
