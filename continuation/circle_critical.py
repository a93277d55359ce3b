"""Vectors along a circle that its linearisation multiplies with one number: A(t) w(t) = z w(t + rho), |z| = 1.

No frames are needed: w spans the null space of A - z S, S the shift by rho, by a factorisation after the linear states
are eliminated. A direction that comes back reversed after one turn is v(t) = e^{i pi t} w(t), with w of period 1 and
z = +-e^{i pi rho}: so z also says whether a direction is reversed by the map, closes after two turns, or turns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gan_bifurcation.continuation.circle_waves import SIZES, highest_mode
from gan_bifurcation.continuation.factors import factors_of

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Most unknowns of a factorisation: nodes times states that are not eliminated.
MOST: Final = 1700
_RESONANT: Final = 1e-8


def _circulant(factors: ComplexArray) -> ComplexArray:
    """The matrix on values at the nodes that multiplies each mode, in the order of `numpy.fft.fftfreq`, by a factor."""
    size = len(factors)
    k = np.arange(size)
    return np.asarray(np.fft.ifft(factors)[(k[:, None] - k[None, :]) % size])


def rotations(size: int, rho: float) -> ComplexArray:
    """What the shift by rho does to each mode, in the order of `numpy.fft.fftfreq`."""
    return np.asarray(np.exp(2j * np.pi * rho * np.fft.fftfreq(size, 1.0 / size)))


def turned(values: NDArray[Any], rho: float) -> ComplexArray:
    """Complex values (K, ...) of a trigonometric polynomial, at t + rho."""
    factors = rotations(len(values), rho).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(np.fft.ifft(np.fft.fft(values, axis=0) * factors, axis=0))


def slope(values: NDArray[Any]) -> ComplexArray:
    """Derivative of a complex trigonometric polynomial."""
    factors = 2j * np.pi * np.fft.fftfreq(len(values), 1.0 / len(values)).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(np.fft.ifft(np.fft.fft(values, axis=0) * factors, axis=0))


@dataclass(frozen=True, eq=False)
class Vectors:
    """Right and left null vectors of A - z S, and how singular it is.

    Attributes
    ----------
    right : complex array (K, n)
        Of unit mean square.
    left : complex array (K, n)
        For the bilinear product: sum(left * (A - z S) v) vanishes for every v.
    size : float
        |(A - z S) right| / |right|, near the distance of z from the spectrum.
    """

    right: ComplexArray
    left: ComplexArray
    size: float


class Shifted:
    """A(t) - z S_rho, with linear states eliminated, factorised.

    Parameters
    ----------
    a : array (K, n, n)
        Derivatives of the map along a circle.
    linear_states : sequence of int
    rho : float
    z : complex
    """

    def __init__(self, a: FloatArray, linear_states: Sequence[int], rho: float, z: complex) -> None:
        size, n, _ = a.shape
        self.shape, self.z, self.rho = (size, n), complex(z), rho
        turns = self.z * rotations(size, rho)
        out = np.array(linear_states, dtype=np.int64)
        if len(out):
            own = a[:, out][:, :, out]
            c = float(own[0, 0, 0])
            plain = np.max(np.abs(own - c * np.eye(len(out)))) <= 1e-12
            if not plain or np.min(np.abs(turns - c)) < _RESONANT:
                out = out[:0]
        self.out, self.kept = out, np.setdiff1d(np.arange(n), out)
        few = len(self.kept)
        if size * few > MOST:
            raise ValueError("too many unknowns for a factorisation")
        self.a = a
        block = np.zeros((size, few, size, few), dtype=complex)
        k = np.arange(size)
        if len(out):
            # (c - z S) w = -B x, so w = G x with G = (z S - c)^-1 B.
            self.passed = _circulant(1.0 / (turns - c))
            self.to_kept = np.ascontiguousarray(a[:, out][:, :, self.kept])
            self.from_out = np.ascontiguousarray(a[:, self.kept][:, :, out])
            product = self.from_out.reshape(size * few, len(out)) @ self.to_kept.transpose(1, 0, 2).reshape(
                len(out), size * few
            )
            block += product.reshape(size, few, size, few) * self.passed[:, None, :, None]
        block[k, :, k, :] += a[:, self.kept][:, :, self.kept]
        shift = _circulant(turns)
        for i in range(few):
            block[:, i, :, i] -= shift
        self.matrix = block.reshape(size * few, size * few)

    def vectors(self, right: ComplexArray | None = None, left: ComplexArray | None = None) -> Vectors:
        """Null vectors by inverse iteration, from guesses (K, n) where there are some."""
        scale = float(np.max(np.abs(self.matrix)))
        factors = factors_of(self.matrix)
        diagonal = np.abs(np.diag(factors[0]))
        if not np.isfinite(diagonal).all():
            raise np.linalg.LinAlgError("the linearisation is not finite")
        if diagonal.min() < 1e-15 * scale:
            shifted = self.matrix + 1e-14 * scale * np.eye(len(self.matrix))
            factors = factors_of(shifted)
        found = []
        for guess, transposed in ((right, 0), (left, 1)):
            x = self._smooth(np.random.default_rng(3)) if guess is None else guess[:, self.kept].ravel()
            for _ in range(4):
                x = scipy.linalg.lu_solve(factors, x, trans=transposed, check_finite=False)
                x = x / np.linalg.norm(x)
            found.append(x)
        v = self.whole(found[0], right=True)
        u = self.whole(found[1], right=False)
        v = v / np.sqrt(np.mean(np.sum(np.abs(v) ** 2, axis=1)))
        u = u / np.sqrt(np.mean(np.sum(np.abs(u) ** 2, axis=1)))
        rest = np.einsum("kij,kj->ki", self.a, v) - self.z * turned(v, self.rho)
        return Vectors(v, u, float(np.sqrt(np.mean(np.sum(np.abs(rest) ** 2, axis=1)))))

    def kept_part(self, values: ComplexArray) -> ComplexArray:
        """The states that are not eliminated, of (K, n), as one vector."""
        return np.asarray(values[:, self.kept].ravel(), dtype=complex)

    def _smooth(self, rng: np.random.Generator) -> ComplexArray:
        """A right-hand side of low modes: those beyond a third of the nodes alias."""
        size, few = self.shape[0], len(self.kept)
        t = np.arange(size) / size
        waves = sum(np.exp(2j * np.pi * k * t)[:, None] * rng.normal(size=few) / (1 + abs(k)) for k in range(-3, 4))
        return np.asarray(waves, dtype=complex).ravel()

    def whole(self, kept: ComplexArray, *, right: bool) -> ComplexArray:
        """(K, n) with the states that were eliminated."""
        size, n = self.shape
        kept = kept.reshape(size, len(self.kept))
        found = np.zeros((size, n), dtype=complex)
        found[:, self.kept] = kept
        if len(self.out) and right:
            found[:, self.out] = self.passed @ np.einsum("kij,kj->ki", self.to_kept, kept)
        elif len(self.out):
            found[:, self.out] = self.passed.T @ np.einsum("kji,kj->ki", self.from_out, kept)
        return found


def resampled_complex(values: NDArray[Any], size: int) -> ComplexArray:
    """A complex trigonometric polynomial at another odd number of nodes."""
    old = len(values)
    if size == old:
        return np.asarray(values, dtype=complex)
    modes = np.fft.fftshift(np.fft.fft(values, axis=0), axes=0)
    kept = np.zeros((size, *values.shape[1:]), dtype=complex)
    count = min(old, size)
    kept[(size - count) // 2 :][:count] = modes[(old - count) // 2 :][:count]
    return np.asarray(np.fft.ifft(np.fft.ifftshift(kept, axes=0), axis=0) * (size / old))


def over_two_turns(w: ComplexArray) -> FloatArray:
    """The real direction v(2s) = e^{2 pi i s} w(2s) along the curve passed twice, at a size of the table."""
    top = 2 * highest_mode(len(w)) + 1
    size = next((s for s in SIZES if highest_mode(s) >= top), SIZES[-1])
    # A mode k of w is the mode 2 k + 1 of the doubled curve.
    modes = np.fft.fft(w, axis=0) / len(w)
    made = np.zeros((size, w.shape[1]), dtype=complex)
    for k, row in zip(np.fft.fftfreq(len(w), 1.0 / len(w)).astype(int).tolist(), modes, strict=True):
        if abs(2 * k + 1) <= highest_mode(size):
            made[(2 * k + 1) % size] = row
    values = np.fft.ifft(made, axis=0) * size
    # The null vector is known up to a complex factor; it is real for one of modulus 1, up to its sign.
    return np.ascontiguousarray(real_part(values))


def real_part(values: ComplexArray) -> FloatArray:
    """The real vector field that a complex one is a multiple of."""
    phase = 0.5 * np.angle(np.sum(values**2))
    return np.asarray((values * np.exp(-1j * phase)).real)
