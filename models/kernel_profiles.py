"""Kernels of the discriminator as numbers: value, gradient and Hessian of K(r) with r = x - y."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError

__all__ = ["Gaussians", "Kernel", "Waves", "fourier_kernel", "gaussians", "half_lattice", "positive_numbers"]

FloatArray = NDArray[np.float64]

# The fourth power of a width, and its inverse, must be a number.
_NARROWEST = 1e-60


class Kernel(Protocol):
    """A translation-invariant kernel of d-dimensional points; `r` has shape (..., d)."""

    def value(self, r: ArrayLike) -> FloatArray:
        """K(r), shape (...)."""
        ...

    def gradient(self, r: ArrayLike) -> FloatArray:
        """The gradient of K at r, shape (..., d): the spec's grad1 K(x, y) with r = x - y."""
        ...

    def hessian(self, r: ArrayLike) -> FloatArray:
        """The second derivatives of K at r, shape (..., d, d)."""
        ...


@dataclass(frozen=True)
class Gaussians:
    """K(r) = sum of w_a exp(-|r|^2/(2 sigma_a^2)): the Gaussian kernel, or a mixture of widths.

    Attributes
    ----------
    widths : tuple of float
        sigma_a > 0.
    weights : tuple of float
        w_a > 0; they need not sum to one (a factor of the kernel is a factor of the discriminator's gain).

    Examples
    --------
    >>> Gaussians((0.5,), (1.0,)).curvature
    4.0
    """

    widths: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def curvature(self) -> float:
        """K2 = sum of w_a/sigma_a^2, which takes the place of 1/sigma^2 in every local formula."""
        return sum(w / s**2 for s, w in zip(self.widths, self.weights, strict=True))

    @property
    def quartic(self) -> float:
        """K4 = sum of w_a/sigma_a^4, which takes the place of 1/sigma^4 in the second moment model."""
        return sum(w / s**4 for s, w in zip(self.widths, self.weights, strict=True))

    def _terms(self, r: ArrayLike) -> tuple[FloatArray, list[tuple[float, FloatArray]]]:
        x = np.asarray(r, dtype=float)
        half = np.sum(x * x, axis=-1) / 2
        return x, [(s**-2, w * np.exp(-half / s**2)) for s, w in zip(self.widths, self.weights, strict=True)]

    def value(self, r: ArrayLike) -> FloatArray:
        _, terms = self._terms(r)
        return np.asarray(sum(k for _, k in terms))

    def gradient(self, r: ArrayLike) -> FloatArray:
        x, terms = self._terms(r)
        return np.asarray(-x * np.asarray(sum(g * k for g, k in terms))[..., None])

    def hessian(self, r: ArrayLike) -> FloatArray:
        x, terms = self._terms(r)
        first = np.asarray(sum(g * k for g, k in terms))[..., None, None]
        second = np.asarray(sum(g * g * k for g, k in terms))[..., None, None]
        return second * x[..., :, None] * x[..., None, :] - first * np.eye(x.shape[-1])


@dataclass(frozen=True, eq=False)
class Waves:
    """K(r) = sum of c_m cos(Q_m . r): the kernel of finitely many Fourier features.

    Attributes
    ----------
    vectors : float array (M, d)
        Wave vectors Q_m.
    coefficients : float array (M,)
        c_m > 0.

    Examples
    --------
    >>> Waves(np.array([[0.0], [2.0]]), np.array([0.5, 0.5])).curvature
    2.0
    """

    vectors: FloatArray
    coefficients: FloatArray

    @property
    def curvature(self) -> float:
        """K2 = sum of c_m Q_m^2 along one coordinate (all agree where the wave vectors fill a grid)."""
        return float(self.coefficients @ self.vectors[:, 0] ** 2)

    def value(self, r: ArrayLike) -> FloatArray:
        return np.asarray(np.cos(np.asarray(r, dtype=float) @ self.vectors.T) @ self.coefficients)

    def gradient(self, r: ArrayLike) -> FloatArray:
        phase = np.asarray(r, dtype=float) @ self.vectors.T
        return np.asarray(-(np.sin(phase) * self.coefficients) @ self.vectors)

    def hessian(self, r: ArrayLike) -> FloatArray:
        weighted = np.cos(np.asarray(r, dtype=float) @ self.vectors.T) * self.coefficients
        return np.asarray(-np.einsum("...m,mi,mj->...ij", weighted, self.vectors, self.vectors))


def gaussians(sigma: float | Sequence[float], weights: Sequence[float] | None = None) -> Gaussians:
    """A Gaussian kernel, or a mixture of several widths, checked.

    Parameters
    ----------
    sigma : float or sequence of float
        Width or widths.
    weights : sequence of float, optional
        One for each width; all 1/len by default.

    Returns
    -------
    Gaussians

    Raises
    ------
    MisuseError
        If a width or weight is not a positive finite number, or their numbers differ.

    Examples
    --------
    >>> gaussians([0.5, 1.0]).weights
    (0.5, 0.5)
    """
    widths = positive_numbers("sigma", [sigma] if np.ndim(sigma) == 0 else sigma)
    shares = positive_numbers("weights", [1 / len(widths)] * len(widths) if weights is None else weights)
    if not all(_NARROWEST < width < 1 / _NARROWEST for width in widths):
        raise MisuseError(
            f"Widths 'sigma' must lie between {_NARROWEST:g} and {1 / _NARROWEST:g}, but got {list(widths)}."
        )
    if len(shares) != len(widths):
        raise MisuseError(f"Got {len(shares)} weights for {len(widths)} widths sigma; give one weight for each.")
    return Gaussians(widths, shares)


def fourier_kernel(
    sigma: float | Sequence[float] = 1.0,
    *,
    weights: Sequence[float] | None = None,
    length: float | None = None,
    modes: int = 12,
    dimension: int = 1,
) -> Waves:
    """The kernel that the Fourier features of a kernel GAN make: a Gaussian on a circle, cut off at a wave number.

    Parameters
    ----------
    sigma, weights : as of :func:`gaussians`
    length : float, optional
        Half the length of the circle; 6 sigma by default (4 sigma in two dimensions).
    modes : int
        Largest wave number.
    dimension : int

    Returns
    -------
    Waves

    Examples
    --------
    >>> kernel = fourier_kernel(0.5)
    >>> bool(abs(kernel.curvature - 4.0) < 1e-7)
    True
    """
    mixture = gaussians(sigma, weights)
    half = length if length is not None else (6.0 if dimension == 1 else 4.0) * max(mixture.widths)
    lattice = np.array(half_lattice(dimension, modes), dtype=float)
    vectors = math.pi * lattice / half
    squares = np.sum(vectors**2, axis=1)
    total = np.zeros(len(lattice))
    for width, weight in zip(mixture.widths, mixture.weights, strict=True):
        wrapped = np.where(squares > 0, 2.0, 1.0) * np.exp(-(width**2) * squares / 2)
        total += weight * wrapped * (math.sqrt(math.pi / 2) * width / half) ** dimension
    if length is None and len(mixture.widths) == 1:
        total /= total.sum()
    return Waves(vectors, total)


def half_lattice(dimension: int, modes: int) -> list[tuple[int, ...]]:
    """Whole vectors k with |k| <= modes, one of each pair k, -k, the zero vector first."""
    grid = itertools.product(range(-modes, modes + 1), repeat=dimension)
    half = [k for k in grid if sum(v * v for v in k) <= modes**2 and next((v for v in k if v), 1) > 0]
    return sorted(half, key=lambda k: (sum(v * v for v in k), tuple(-v for v in k)))


def positive_numbers(name: str, values: object, *, zero: bool = False) -> tuple[float, ...]:
    """Values from outside as positive (or with `zero`, nonnegative) finite floats, at least one."""
    try:
        numbers = tuple(float(v) for v in values)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise MisuseError(f"'{name}' must be one number or a sequence of numbers, but got {values!r}.") from error
    wanted = "nonnegative" if zero else "positive"
    if not numbers or not all(math.isfinite(v) and (v > 0 or (zero and v == 0)) for v in numbers):
        raise MisuseError(f"'{name}' must be {wanted} finite numbers, but got {list(numbers)}.")
    return numbers
