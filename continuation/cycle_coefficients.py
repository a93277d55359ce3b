"""The deciding coefficient of a cycle's fold, flip or pair from as few jets of its return map as it takes.

The formulas are those of `_coefficients`; what differs is how B and C are had. A jet along a complex direction a + i b
holds B(a, b) in its second coefficient, and two along a + i b and a + 2 i b hold every B and C of a and b. So beside
the derivative there are one to six jets, however many states there are.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.cycle_maps import Turn
from gan_bifurcation.continuation.normal_forms import Raw, _combine

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_FACTORS: Final = {"LP": 0.5, "PD": 1.0 / 6.0, "NS": 0.5}


class TurnForms:
    """First and second derivatives of the return map at the cycle, in coordinates and parameters (see `Forms`)."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.system = turn.system()
        self.base = np.concatenate([np.zeros(self.system.n), self.system.parameter_vector()])
        self.jacobian = turn.jacobian(self.base)[1]
        self.A = np.ascontiguousarray(self.jacobian[:, : self.system.n])

    def along(self, direction: Any, order: int) -> ComplexArray:
        """Taylor coefficients (n, order + 1) along a direction, real or complex."""
        inputs = np.zeros((len(self.base), order + 1), dtype=complex)
        inputs[:, 0] = self.base
        inputs[: len(direction), 1] = direction
        return self.turn.jet(inputs)

    def _real(self, u: FloatArray, v: FloatArray) -> FloatArray:
        """B(u, v) of real vectors."""
        sizes = float(np.linalg.norm(u)), float(np.linalg.norm(v))
        if 0.0 in sizes:
            return np.zeros(self.system.n)
        return np.asarray(sizes[0] * sizes[1] * self.along(u / sizes[0] + 1j * v / sizes[1], 2)[:, 2].imag)

    def B(self, u: Any, v: Any) -> ComplexArray:
        """Second derivative D2P(u, v)."""
        one, two = np.zeros((2, len(self.base)), dtype=complex)
        one[: len(u)], two[: len(v)] = u, v
        total = self._real(one.real, two.real) - self._real(one.imag, two.imag)
        return np.asarray(total + 1j * (self._real(one.real, two.imag) + self._real(one.imag, two.real)))


def _null_vectors(a: FloatArray, eigenvalue: complex) -> tuple[ComplexArray, ComplexArray]:
    """Unit null vectors of A - eigenvalue I, right and left; the largest component real and positive."""
    left, _, right = np.linalg.svd(a - eigenvalue * np.eye(len(a)))
    vectors = []
    for v in (right[-1].conj(), left[:, -1]):
        largest = v[np.argmax(np.abs(v))]
        vectors.append(np.asarray(v * np.conj(largest) / abs(largest), dtype=complex))
    return vectors[0], vectors[1]


def coefficient(forms: TurnForms, label: str, critical: complex) -> Raw:
    """The coefficient of a map's LP, PD or NS for a critical multiplier."""
    mu = {"LP": 1.0 + 0j, "PD": -1.0 + 0j}.get(label, complex(np.exp(1j * abs(np.angle(critical)))))
    q, w = _null_vectors(forms.A, mu)
    overlap = complex(np.vdot(w, q))
    one = np.eye(len(forms.A))
    try:
        terms = _terms(forms, label, mu, q, one)
    except np.linalg.LinAlgError:
        return Raw(complex(np.nan), 0.0, overlap, q, w, False)
    total, size = _combine(w, terms)
    factor = _FACTORS[label]
    regular = bool(np.isfinite(total))
    return Raw(complex(factor * total / (mu if label == "NS" else 1.0)), factor * size, overlap, q, w, regular)


def _terms(forms: TurnForms, label: str, mu: complex, q: ComplexArray, one: FloatArray) -> list[Any]:
    if label != "NS":
        jet = forms.along(q.real, 2 if label == "LP" else 3)
        bqq = 2.0 * jet[:, 2].real
        if label == "LP":
            return [bqq]
        return [6.0 * jet[:, 3].real, 3.0 * forms.B(q.real, np.linalg.solve(one - forms.A, bqq))]
    a, b = q.real, q.imag
    first, second = forms.along(a + 1j * b, 3), forms.along(a + 2j * b, 3)
    # D2 along a + i b is B(a,a) - B(b,b) + 2 i B(a,b); along a + 2 i b, B(a,a) - 4 B(b,b) + 4 i B(a,b).
    bb = (2.0 / 3.0) * (first[:, 2].real - second[:, 2].real)
    aa, ab = 2.0 * first[:, 2].real + bb, first[:, 2].imag
    # D3 is C(a,a,a) - 3 C(a,b,b) + i (3 C(a,a,b) - C(b,b,b)); C(a,a,a) - 12 C(a,b,b) + i (6 C(a,a,b) - 8 C(b,b,b)).
    d1, d2 = 6.0 * first[:, 3], 6.0 * second[:, 3]
    abb = (d1.real - d2.real) / 9.0
    bbb = (2.0 * d1.imag - d2.imag) / 6.0
    cubic = (d1.real + 4.0 * abb) + 1j * ((d1.imag + bbb) / 3.0 + bbb)
    h20 = np.linalg.solve(mu * mu * one - forms.A, aa - bb + 2j * ab)
    h11 = np.linalg.solve(one - forms.A, aa + bb)
    return [cubic, forms.B(q.conj(), h20), 2.0 * forms.B(q, h11)]
