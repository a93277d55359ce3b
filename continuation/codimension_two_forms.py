"""Normal-form coefficients of codimension-two points of equilibria and fixed points, in original coordinates.

Kuznetsov, SIAM J. Numer. Anal. 36 (1999) for flows; Kuznetsov and Meijer, SIAM J. Sci. Comput. 26 (2005) for maps. Unit
critical vectors, their largest component positive. Coefficients are those of monomials, as in the normal forms that the
functions name.
"""

from cmath import phase
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation._coefficients import third
from gan_bifurcation.continuation.codimension_two_amplitudes import FoldAmplitudes, PairAmplitudes
from gan_bifurcation.continuation.codimension_two_series import Series, series
from gan_bifurcation.continuation.codimension_two_spectra import (
    PATTERNS,
    companions,
    critical_eigenvalues,
    resonant,
)
from gan_bifurcation.continuation.defect import balanced
from gan_bifurcation.continuation.estimates import Estimate
from gan_bifurcation.continuation.forms import Forms
from gan_bifurcation.continuation.normal_forms import ROUNDING, _combine
from gan_bifurcation.errors import MisuseError

FloatArray = NDArray[np.float64]
Form = dict[str, Any]

_SINGULAR: Final = (
    "A linear system of the normal form is singular: a further eigenvalue lies at a resonance with the critical ones."
)


def coefficients(point: Point, rounding: float = ROUNDING) -> Form:
    """The numbers of a point's normal form under the textbook's letters, and the vectors they refer to.

    Parameters
    ----------
    point : Point
    rounding : float
        The part of a coefficient's terms that is rounding: more where derivatives are integrated.

    Raises
    ------
    MisuseError
        If the point has no such label, has more critical eigenvalues than its label says, or a linear system of its
        normal form is singular.
    """
    pattern = PATTERNS[point.system.kind].get(point.label)
    if pattern is None:
        known = ", ".join(PATTERNS[point.system.kind])
        raise MisuseError(
            f"A {point.system.kind} has no codimension-two point '{point.label}'; expected one of {known}."
        )
    extra = companions(point)
    if extra or point.multiplicity > 1:
        raise MisuseError(
            f"{point.name or point.label} has {max(extra, point.multiplicity - 1)} more critical eigenvalue(s) than "
            "its label says, so its coefficients do not apply; restrict the system to a fixed-point subspace with "
            "gb.restrict."
        )
    if pattern.double:
        return _double(point, rounding)
    eigenvalues = critical_eigenvalues(point)
    is_map = point.system.kind == "map"
    if found := resonant(eigenvalues, pattern, pattern.order, is_map):
        raise MisuseError(
            f"The critical eigenvalues of {point.name or point.label} are in resonance ({found}), where the normal "
            "form has further terms, so its coefficients do not apply."
        )
    joint = np.concatenate([point.x, point.system.parameter_vector()])
    s = series(
        point.system, joint, pattern.kinds, eigenvalues, pattern.order, pattern.resonance, pattern.further, rounding
    )
    if not s.regular:
        raise MisuseError(_SINGULAR)
    if pattern.further and _difficult(PairAmplitudes.of_point(s.coefficient, eigenvalues, is_map, s.order)):
        # Where quintic terms decide, they are taken if they exist.
        further = s if resonant(eigenvalues, pattern, pattern.further, is_map) else s.continued(pattern.further)
        s = further if further.regular else s
    return settled(_FORMS[point.label](s, eigenvalues, is_map)) | {"vectors": {"q": s.q, "p": s.p}}


def settled(numbers: Form) -> Form:
    """Estimates as plain numbers, zero where they lie within their errors, and those under `errors`."""
    form: Form = {k: v.signed if isinstance(v, Estimate) else v for k, v in numbers.items()}
    return form | {"errors": {k: v.error for k, v in numbers.items() if isinstance(v, Estimate)}}


def _cusp(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w' = c w^3 (flows), w -> w + c w^3 (maps)."""
    return {"c": s.estimate(3).real}


def _generalised_flip(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w -> -w + c w^5."""
    return {"c": s.estimate(5).real}


def _bautin(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w' = i omega w + c1 w |w|^2 + c2 w |w|^4 with Re c1 = 0; l2 = Re c2 / omega."""
    omega = eigenvalues[0].imag
    c1, c2 = s.estimate(2, 1), s.estimate(3, 2)
    return {"l2": c2.real / omega, "omega": omega, "c1": c1, "c2": c2}


def _chenciner(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w -> mu w (1 + d1 |w|^2 + d2 |w|^4) with Re d1 = 0; c = Re d2 + (Im d1)^2 / 2 moves the modulus."""
    mu = eigenvalues[0]
    d1, d2 = s.estimate(2, 1) / mu, s.estimate(3, 2) / mu
    return {"c": d2.real + d1.imag * d1.imag * 0.5, "theta": phase(mu), "d1": d1, "d2": d2}


def _third(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w -> mu w + b w*^2 + c w |w|^2, mu^3 = 1; Re c1 = 3 Re(c / mu - |b|^2) of the third iterate."""
    mu = eigenvalues[0]
    b, c = s.estimate(0, 2), s.estimate(2, 1)
    # Where the map is odd, its even part is nothing but rounding, which is small next to the root of the cubic terms.
    if abs(b.value) <= ROUNDING * np.sqrt(c.error / ROUNDING):
        b = Estimate(0.0j, b.error)
    modulus = abs(b)
    c1 = (c / mu - modulus * modulus) * 3.0
    form: Form = {"b": b if modulus.sign else Estimate(0.0j, b.error), "c": c, "c1": c1, "theta": phase(mu)}
    return form | ({"a": c1.real / (modulus * modulus * 9.0)} if modulus.sign else {})


def _fourth(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w -> i w + c w |w|^2 + d w*^3; A0 = -i c / |d|, and its excess over one in size."""
    c, d = s.estimate(2, 1), s.estimate(0, 3)
    modulus = abs(d)
    if not modulus.sign:
        return {"c": c, "d": Estimate(0.0j, d.error), "theta": 0.5 * np.pi}
    a = c * -1j / modulus
    return {"c": c, "d": d, "theta": 0.5 * np.pi, "A0": a, "excess": abs(a) - 1.0}


def _with_fold(amplitudes: FoldAmplitudes) -> Form:
    """s, theta and E of an amplitude system, where its quadratic coefficients do not vanish within their errors."""
    s = amplitudes.b.sign * amplitudes.c.sign
    return {"s": s, "theta": amplitudes.theta, "E": amplitudes.E} if s else {"s": 0}


def _fold_pair(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """ZH: v' = G200 v^2 / 2 + G011 |z|^2 + ..., z' = i omega z + G110 v z + ...; LPNS alike."""
    mu = eigenvalues[1]
    angle = {"angle": phase(mu)} if is_map else {"omega": mu.imag}
    amplitudes = FoldAmplitudes.of_pair(s.estimate, mu, is_map)
    quadratic = {"G200": amplitudes.b * 2.0, "G011": amplitudes.c, "G110": s.estimate(1, 1, 0)}
    return _with_fold(amplitudes) | angle | quadratic


def _fold_flip(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """v -> v + a v^2 / 2 + b w^2 / 2 + ..., w -> -w + e v w + ..."""
    amplitudes = FoldAmplitudes.of_flip(s.estimate)
    a, b, e = amplitudes.b * 2.0, amplitudes.c * 2.0, -amplitudes.d
    form = _with_fold(amplitudes) | {"a": a, "b": b, "e": e, "be": b * e}
    return form | ({"a/e": a / e} if e.sign else {})


def _difficult(amplitudes: PairAmplitudes) -> bool:
    """Whether a torus bifurcates from the equilibrium of the amplitudes, so that quintic terms decide."""
    p11, p12, p21, p22 = amplitudes.matrix
    return bool(p11 * p22 < 0.0 and p12 * p21 < p11 * p22)


def _pairs(amplitudes: PairAmplitudes) -> Form:
    p11, p12, p21, p22 = amplitudes.matrix
    form: Form = {"p11": p11, "p12": p12, "p21": p21, "p22": p22}
    if not (p11.sign and p22.sign):
        return form
    form |= {"theta": p12 / p22, "delta": p21 / p11, "determinant": p11 * p22 - p12 * p21}
    if form["theta"].sign and form["delta"].sign and amplitudes.has_quintic:
        form |= dict(zip(("Theta", "Delta", "torus"), amplitudes.quintic, strict=True))
    return form


def _two_pairs(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """HH, NSNS: growth of |z1| by p11 |z1|^2 + p12 |z2|^2, of |z2| by p21 |z1|^2 + p22 |z2|^2."""
    mu, nu = eigenvalues[0], eigenvalues[2]
    form = _pairs(PairAmplitudes.of_point(s.estimate, eigenvalues, is_map, s.order))
    if not is_map:
        return form | {"omega1": mu.imag, "omega2": nu.imag}
    return form | {"theta1": phase(mu), "theta2": phase(nu)}


def _flip_pair(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """PDNS: growth of |w| (flip) by p11 w^2 + p12 |z|^2, of |z| by p21 w^2 + p22 |z|^2."""
    return _pairs(PairAmplitudes.of_point(s.estimate, eigenvalues, is_map, s.order)) | {"angle": phase(eigenvalues[1])}


_FORMS: Final[dict[str, Callable[[Series, tuple[complex, ...], bool], Form]]] = {
    "CP": _cusp,
    "GH": _bautin,
    "ZH": _fold_pair,
    "HH": _two_pairs,
    "GPD": _generalised_flip,
    "CH": _chenciner,
    "R3": _third,
    "R4": _fourth,
    "LPPD": _fold_flip,
    "LPNS": _fold_pair,
    "PDNS": _flip_pair,
    "NSNS": _two_pairs,
}


# -- double eigenvalues -----------------------------------------------------------------------------------------------


# Where singular values of a matrix differ by more than this, it may be the units of states that do.
_FAR_APART: Final = 1e-5


def chain(matrix: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """q0, q1, p0, p1 of a matrix M with a double zero eigenvalue: M q1 = q0, M^T p0 = p1, <p_i, q_k> = delta_ik.

    Raises
    ------
    MisuseError
        If the eigenvalue zero has two eigenvectors, or is no double one.
    """
    n, units = len(matrix), np.ones(len(matrix))
    left, values, right = np.linalg.svd(matrix)
    if values[-2] <= _FAR_APART * values[0]:
        # In units of the states in which the matrix is balanced; what is nothing beside all else gives no unit.
        matrix, units = balanced(np.where(np.abs(matrix) > 1e-30 * values[0], matrix, 0.0))
        left, values, right = np.linalg.svd(matrix)
    if values[-2] <= 1e-9 * values[0]:
        raise MisuseError(
            "The double eigenvalue has two eigenvectors here, so the normal form of a chain does not apply."
        )
    q0, p1 = right[-1], left[:, -1]
    bordered = np.zeros((n + 1, n + 1))
    bordered[:n, :n], bordered[:n, n], bordered[n, :n] = matrix, p1, q0
    q1 = np.linalg.solve(bordered, np.append(q0, 0.0))[:n]
    overlap = float(p1 @ q1)
    if abs(overlap) <= 1e-9 * float(np.linalg.norm(q1)):
        raise MisuseError("The eigenvalue is more than double here, so the normal form of a double one does not apply.")
    p1 = p1 / overlap
    p0 = np.linalg.solve(bordered.T, np.append(p1, 0.0))[:n]
    q0, q1, p0, p1 = q0 * units, q1 * units, p0 / units, p1 / units
    length = float(np.linalg.norm(q0) * np.sign(q0[np.argmax(np.abs(q0))]))
    q0, q1, p0, p1 = q0 / length, q1 / length, p0 * length, p1 * length
    q1 = q1 - (q0 @ q1) * q0
    return q0, q1, p0 - (p0 @ q1) * p1, p1


def _sum(p: FloatArray, vectors: Sequence[Any], rounding: float) -> Estimate:
    value, size = _combine(p, vectors)
    return Estimate(float(value.real), rounding * size)


def _double(point: Point, rounding: float) -> Form:
    """BT, R1 and R2."""
    forms = Forms(point.system, point.x)
    shift = {"BT": 0.0, "R1": 1.0, "R2": -1.0}[point.label]
    shifted = forms.A - shift * np.eye(len(forms.A))
    q0, q1, p0, p1 = chain(shifted)
    vectors = {"vectors": {"q": np.array([q0, q1], dtype=complex), "p": np.array([p0, p1], dtype=complex)}}
    if point.label == "R2":
        return settled(_second(forms, q0, q1, p0, p1, rounding)) | vectors
    b00, b01 = forms.B(q0, q0), forms.B(q0, q1)
    a = _sum(p1, [0.5 * b00], rounding)
    b = _sum(p1, [b01], rounding) + _sum(p0, [b00], rounding)
    # The field whose time-one map R1 is has b - 2 a in place of b.
    slope = b if point.label == "BT" else b - a * 2.0
    return settled({"a": a, "b": b, "s": a.sign * slope.sign}) | vectors


def _second(
    forms: Forms, q0: FloatArray, q1: FloatArray, p0: FloatArray, p1: FloatArray, rounding: float
) -> Form:  # fmt: skip
    """w0 -> -w0 + w1, w1 -> -w1 + c w0^3 + d w0^2 w1."""
    inverse = np.linalg.inv(forms.A - np.eye(len(forms.A)))
    r20, r11 = 0.5 * forms.B(q0, q0), forms.B(q0, q1)
    h20 = -inverse @ r20
    h11 = inverse @ (-r11 - 2.0 * h20)
    length = float(np.linalg.norm(q1))
    unit = q1 / length
    cubes = np.empty((4, len(q0)))
    third(forms._evaluator, forms.base, np.array([q0, unit, q0 + unit, q0 - unit]), cubes)
    # C(a + b)^3 - C(a - b)^3 = 6 C(a, a, b) + 2 C(b, b, b)
    mixed = (0.5 * (cubes[2] - cubes[3]) - cubes[1]) * (length / 3.0)
    terms30 = [cubes[0] / 6.0, forms.B(q0, h20)]
    terms21 = [0.5 * mixed, forms.B(q0, h11), forms.B(q1, h20)]
    c = _sum(p1, terms30, rounding)
    d = _sum(p1, terms21, rounding) + _sum(p0, [3.0 * t for t in terms30], rounding)
    # The second iterate is the time-one map of w0' = w1, w1' = 4 c w0^3 + D1 w0^2 w1.
    return {"c": c, "d": d, "D1": d * -2.0 - c * 6.0, "s": c.sign}
