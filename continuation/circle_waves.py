"""Trigonometric polynomials by their values at equidistant phases: shifts, derivatives, and how fast modes fall.

Up to some hundred nodes all are products with one matrix: transforms of the columns of a frame are several times
slower.
"""

from functools import lru_cache
from typing import Any, Final

import numpy as np
import scipy
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Numbers of nodes: odd, so that no mode stands alone, with small prime factors.
SIZES: Final = (27, 45, 63, 81, 105, 135, 189, 243, 315, 405, 567, 729, 945, 1215, 1575, 2187)
_MATRICES: Final = 405


def highest_mode(size: int) -> int:
    """The highest mode kept on a number of nodes: products of two such alias with none of them."""
    return size // 3


@lru_cache(maxsize=64)
def _places(size: int) -> NDArray[np.int64]:
    k = np.arange(size)
    return (k[:, None] - k[None, :]) % size


def circulant(factors: NDArray[Any], size: int) -> FloatArray:
    """The matrix on values at the nodes that multiplies the modes 0, 1, ... by given factors, the others by zero."""
    return np.asarray(scipy.fft.irfft(factors, n=size)[_places(size)])


@lru_cache(maxsize=64)
def _fixed(size: int, which: str) -> FloatArray:
    modes = np.arange(size // 2 + 1)
    factors = 2j * np.pi * modes if which == "derivative" else (modes <= highest_mode(size)).astype(complex)
    made = circulant(factors, size)
    made.setflags(write=False)
    return made


def turns(size: int, amount: float) -> NDArray[np.complex128]:
    """What a shift does to the modes 0, 1, ..."""
    return np.asarray(np.exp(2j * np.pi * amount * np.arange(size // 2 + 1)))


def _multiplied(values: NDArray[Any], factors: NDArray[Any]) -> NDArray[Any]:
    modes = scipy.fft.rfft(values, axis=0)
    return np.asarray(scipy.fft.irfft(modes * factors.reshape(-1, *[1] * (values.ndim - 1)), n=len(values), axis=0))


def _product(matrix: FloatArray, values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(matrix @ values.reshape(len(values), -1)).reshape(values.shape)


def shifted(values: NDArray[Any], amount: float) -> NDArray[Any]:
    """The trigonometric polynomial through real values (K, ...) at t = k/K, at t + amount."""
    size = len(values)
    factors = turns(size, amount)
    # A vector or two are transformed as fast.
    if size <= _MATRICES and values.size > 64 * size:
        return _product(circulant(factors, size), values)
    return _multiplied(values, factors)


def derivative(values: FloatArray) -> FloatArray:
    """The derivative of the trigonometric polynomial through values (K, ...)."""
    size = len(values)
    if size <= _MATRICES:
        return _product(_fixed(size, "derivative"), values)
    return _multiplied(values, 2j * np.pi * np.arange(size // 2 + 1))


def smoothed(values: FloatArray) -> FloatArray:
    """Without the modes beyond a third of the nodes: those that products of two others would alias with."""
    size = len(values)
    if size <= _MATRICES:
        return _product(_fixed(size, "smoothed"), values)
    return _multiplied(values, (np.arange(size // 2 + 1) <= highest_mode(size)).astype(complex))


def resampled(values: FloatArray, size: int) -> FloatArray:
    """The same trigonometric polynomial at another number of nodes (an odd one)."""
    old = len(values)
    if size == old:
        return values
    modes = scipy.fft.rfft(values, axis=0)
    kept = np.zeros((size // 2 + 1, *values.shape[1:]), dtype=complex)
    count = min(len(kept), len(modes))
    kept[:count] = modes[:count]
    return np.asarray(scipy.fft.irfft(kept, n=size, axis=0) * (size / old))


def tail(values: FloatArray, scale: FloatArray) -> float:
    """The largest of the last tenth of the modes, relative to the largest but the mean."""
    modes = np.max(np.abs(scipy.fft.rfft(values, axis=0)) / scale, axis=1)[1 : highest_mode(len(values)) + 1]
    largest = float(np.max(modes, initial=0.0))
    last = max(len(modes) // 10, 2)
    return float(np.max(modes[-last:])) / largest if largest > 0.0 else 0.0
