"""Normal-form coefficients of codimension-two points of equilibria and fixed points, in original coordinates.

Kuznetsov, SIAM J. Numer. Anal. 36 (1999) for flows; Kuznetsov and Meijer, SIAM J. Sci. Comput. 26 (2005) for maps. Unit
critical vectors, their largest component positive. Coefficients are those of monomials, as in the normal forms that the
functions name.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation._coefficients import third
from gan_bifurcation.continuation.codimension_two_amplitudes import FoldAmplitudes, PairAmplitudes
from gan_bifurcation.continuation.codimension_two_series import Series, series
from gan_bifurcation.continuation.codimension_two_spectra import PATTERNS, companions, critical_eigenvalues
from gan_bifurcation.continuation.forms import Forms
from gan_bifurcation.continuation.normal_forms import ROUNDING, _combine, signed
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
        return _double(point)
    eigenvalues = critical_eigenvalues(point)
    joint = np.concatenate([point.x, point.system.parameter_vector()])
    s = series(point.system, joint, pattern.kinds, eigenvalues, pattern.order, pattern.resonance, pattern.further)
    s = replace(s, caution=rounding / ROUNDING)
    if not s.regular:
        raise MisuseError(_SINGULAR)
    is_map = point.system.kind == "map"
    form = _FORMS[point.label](s, eigenvalues, is_map)
    if pattern.further and _difficult(form):
        further = s.continued(pattern.further)
        form = _FORMS[point.label](further, eigenvalues, is_map) if further.regular else form
    return form | {"vectors": {"q": s.q, "p": s.p}}


def _difficult(form: Form) -> bool:
    """Whether a torus bifurcates from the equilibrium of the amplitudes, so that quintic terms decide."""
    return bool(form["p11"] * form["p22"] < 0.0 and form["theta"] * form["delta"] > 1.0)


def _number(s: Series, *exponents: int) -> float:
    """A real coefficient; exactly zero where it is rounding."""
    return signed(s.coefficient(*exponents).real, s.rounding(*exponents))


def _complex(s: Series, *exponents: int) -> complex:
    value, size = s.coefficient(*exponents), s.rounding(*exponents)
    return complex(signed(value.real, size), signed(value.imag, size))


def _real_part(value: complex, size: float) -> float:
    return signed(value.real, size)


def _cusp(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w' = c w^3 (flows), w -> w + c w^3 (maps)."""
    return {"c": _number(s, 3)}


def _generalised_flip(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w -> -w + c w^5."""
    return {"c": _number(s, 5)}


def _bautin(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w' = i omega w + c1 w |w|^2 + c2 w |w|^4 with Re c1 = 0; l2 = Re c2 / omega."""
    omega = eigenvalues[0].imag
    c1, c2 = s.coefficient(2, 1), s.coefficient(3, 2)
    return {"l2": _real_part(c2, s.rounding(3, 2)) / omega, "omega": omega, "c1": c1, "c2": c2}


def _chenciner(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w -> mu w (1 + d1 |w|^2 + d2 |w|^4) with Re d1 = 0; c = Re d2 + (Im d1)^2 / 2 moves the modulus."""
    mu = eigenvalues[0]
    d1, d2 = s.coefficient(2, 1) / mu, s.coefficient(3, 2) / mu
    size = s.rounding(3, 2) + d1.imag**2
    theta = float(np.angle(mu))
    return {"c": signed(d2.real + 0.5 * d1.imag**2, size), "theta": theta, "d1": d1, "d2": d2}


def _third(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w -> mu w + b w*^2 + c w |w|^2, mu^3 = 1; Re c1 = 3 Re(c / mu - |b|^2) of the third iterate."""
    mu = eigenvalues[0]
    b, c = s.coefficient(0, 2), s.coefficient(2, 1) / mu
    # Where the map is odd, its even part is nothing but rounding, which is small next to the root of the cubic terms.
    size = max(s.rounding(0, 2), np.sqrt(s.rounding(2, 1)))
    if abs(b) <= 1e-9 * size:
        b = 0.0j
    c1 = signed(3.0 * (c.real - abs(b) ** 2), 3.0 * (s.rounding(2, 1) + abs(b) ** 2))
    form: Form = {"b": b, "c": s.coefficient(2, 1), "c1": complex(c1, 3.0 * c.imag), "theta": float(np.angle(mu))}
    return form | ({"a": c1 / (9.0 * abs(b) ** 2)} if b != 0.0 else {})


def _fourth(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """w -> i w + c w |w|^2 + d w*^3; A0 = -i c / |d|."""
    c, d = s.coefficient(2, 1), s.coefficient(0, 3)
    if abs(d) <= 1e-9 * s.rounding(0, 3):
        d = 0.0j
    form: Form = {"c": c, "d": d, "theta": 0.5 * np.pi}
    if d == 0.0:
        return form
    size = s.rounding(2, 1) / abs(d)
    a = -1j * c / abs(d)
    return form | {"A0": complex(signed(a.real, size), signed(a.imag, size))}


def _with_fold(amplitudes: FoldAmplitudes, sizes: tuple[float, float, float], cubic: Sequence[float]) -> Form:
    """s, theta and E of an amplitude system, where its quadratic coefficients do not vanish within rounding.

    Rounding is seen against `sizes`, of b, c and d, and `cubic`, of g3, g1, h2 and h1.
    """
    b, c, d = (signed(v, size) for v, size in zip((amplitudes.b, amplitudes.c, amplitudes.d), sizes, strict=True))
    if b == 0.0 or c == 0.0:
        return {"s": 0}
    form: Form = {"s": int(np.sign(b * c)), "theta": d / b}
    return form | {"E": signed(amplitudes.E, amplitudes.size_of_E(*cubic))}


def _fold_pair(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """ZH: v' = G200 v^2 / 2 + G011 |z|^2 + ..., z' = i omega z + G110 v z + ...; LPNS alike."""
    b, c, d = s.coefficient(2, 0, 0).real, s.coefficient(0, 1, 1).real, s.coefficient(1, 1, 0)
    g3, g1 = s.coefficient(3, 0, 0).real, s.coefficient(1, 1, 1).real
    h2, h1 = s.coefficient(2, 1, 0), s.coefficient(0, 2, 1)
    sizes = (s.rounding(2, 0, 0), s.rounding(0, 1, 1), s.rounding(1, 1, 0))
    if is_map:
        mu = eigenvalues[1]
        amplitudes = FoldAmplitudes.of_map(b, c, d / mu, g3, g1, h2 / mu, h1 / mu)
        angle: Form = {"angle": float(np.angle(mu))}
    else:
        amplitudes = FoldAmplitudes(b, c, d.real, g3, g1, h2.real, h1.real)
        angle = {"omega": eigenvalues[1].imag}
    cubic = [s.rounding(*e) for e in ((3, 0, 0), (1, 1, 1), (2, 1, 0), (0, 2, 1))]
    return _with_fold(amplitudes, sizes, cubic) | angle | {"G200": 2.0 * b, "G011": c, "G110": d}


def _fold_flip(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """v -> v + a v^2 / 2 + b w^2 / 2 + ..., w -> -w + e v w + ..."""
    b, c, e = s.coefficient(2, 0).real, s.coefficient(0, 2).real, s.coefficient(1, 1).real
    amplitudes = FoldAmplitudes.of_map(
        b, c, complex(-e), s.coefficient(3, 0).real, s.coefficient(1, 2).real, complex(-s.coefficient(2, 1).real),
        complex(-s.coefficient(0, 3).real),
    )  # fmt: skip
    cubic = [s.rounding(*e) for e in ((3, 0), (1, 2), (2, 1), (0, 3))]
    form = _with_fold(amplitudes, (s.rounding(2, 0), s.rounding(0, 2), s.rounding(1, 1)), cubic)
    form |= {"a": 2.0 * _number(s, 2, 0), "b": 2.0 * _number(s, 0, 2), "e": _number(s, 1, 1)}
    return form | {"be": form["b"] * form["e"]} | ({"a/e": form["a"] / form["e"]} if form["e"] else {})


def _pairs(amplitudes: PairAmplitudes, sizes: tuple[float, ...]) -> Form:
    p11, p12, p21, p22 = (signed(v, size) for v, size in zip(amplitudes.matrix, sizes, strict=True))
    form: Form = {"p11": p11, "p12": p12, "p21": p21, "p22": p22}
    if p11 and p22:
        form |= {"theta": p12 / p22, "delta": p21 / p11}
    if p11 and p12 and p21 and p22 and amplitudes.has_quintic:
        theta, delta = amplitudes.quintic
        form |= {"Theta": theta, "Delta": delta, "torus": amplitudes.torus}
    return form


def _if_known(s: Series, exponents: tuple[int, ...]) -> complex:
    """A coefficient, NaN where the series does not go that far."""
    return s.coefficient(*exponents) if s.reaches(*exponents) else complex(np.nan)


def _two_pairs(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """HH, NSNS: growth of |z1| by p11 |z1|^2 + p12 |z2|^2, of |z2| by p21 |z1|^2 + p22 |z2|^2."""
    one = [(2, 1, 0, 0), (1, 0, 1, 1), (3, 2, 0, 0), (2, 1, 1, 1), (1, 0, 2, 2)]
    two = [(1, 1, 1, 0), (0, 0, 2, 1), (2, 2, 1, 0), (1, 1, 2, 1), (0, 0, 3, 2)]
    values = [tuple(_if_known(s, e) for e in group) for group in (one, two)]
    sizes = tuple(s.rounding(*e) for e in (one[0], one[1], two[0], two[1]))
    mu, nu = eigenvalues[0], eigenvalues[2]
    if is_map:
        a, b = tuple(v / mu for v in values[0]), tuple(v / nu for v in values[1])
        return _pairs(PairAmplitudes.of_map(a, b), sizes) | {
            "theta1": float(np.angle(mu)), "theta2": float(np.angle(nu))
        }  # fmt: skip
    return _pairs(PairAmplitudes.of_flow(values[0], values[1]), sizes) | {"omega1": mu.imag, "omega2": nu.imag}


def _flip_pair(s: Series, eigenvalues: tuple[complex, ...], is_map: bool) -> Form:
    """PDNS: growth of |w| (flip) by p11 w^2 + p12 |z|^2, of |z| by p21 w^2 + p22 |z|^2."""
    one = [(3, 0, 0), (1, 1, 1), (5, 0, 0), (3, 1, 1), (1, 2, 2)]
    two = [(2, 1, 0), (0, 2, 1), (4, 1, 0), (2, 2, 1), (0, 3, 2)]
    mu = eigenvalues[1]
    a, b = tuple(-_if_known(s, e) for e in one), tuple(_if_known(s, e) / mu for e in two)
    sizes = tuple(s.rounding(*e) for e in (one[0], one[1], two[0], two[1]))
    return _pairs(PairAmplitudes.of_map(a, b), sizes) | {"angle": float(np.angle(mu))}


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


def chain(matrix: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """q0, q1, p0, p1 of a matrix M with a double zero eigenvalue: M q1 = q0, M^T p0 = p1, <p_i, q_k> = delta_ik.

    Raises
    ------
    MisuseError
        If the eigenvalue zero has two eigenvectors, or is no double one.
    """
    n = len(matrix)
    left, values, right = np.linalg.svd(matrix)
    if values[-2] <= 1e-9 * values[0]:
        raise MisuseError(
            "The double eigenvalue has two eigenvectors here, so the normal form of a chain does not apply."
        )
    q0, p1 = right[-1], left[:, -1]
    q0 = q0 * np.sign(q0[np.argmax(np.abs(q0))])
    bordered = np.zeros((n + 1, n + 1))
    bordered[:n, :n], bordered[:n, n], bordered[n, :n] = matrix, p1, q0
    q1 = np.linalg.solve(bordered, np.append(q0, 0.0))[:n]
    overlap = float(p1 @ q1)
    if abs(overlap) <= 1e-9 * float(np.linalg.norm(q1)):
        raise MisuseError("The eigenvalue is more than double here, so the normal form of a double one does not apply.")
    p1 = p1 / overlap
    p0 = np.linalg.solve(bordered.T, np.append(p1, 0.0))[:n]
    return q0, q1, p0 - (p0 @ q1) * p1, p1


def _double(point: Point) -> Form:
    """BT, R1 and R2."""
    forms = Forms(point.system, point.x)
    shift = {"BT": 0.0, "R1": 1.0, "R2": -1.0}[point.label]
    shifted = forms.A - shift * np.eye(len(forms.A))
    q0, q1, p0, p1 = chain(shifted)
    vectors = {"vectors": {"q": np.array([q0, q1], dtype=complex), "p": np.array([p0, p1], dtype=complex)}}
    if point.label == "R2":
        return _second(forms, q0, q1, p0, p1) | vectors
    b00, b01 = forms.B(q0, q0), forms.B(q0, q1)
    a, a_size = _combine(p1, [0.5 * b00])
    b, b_size = _combine(p1, [b01])
    b2, b2_size = _combine(p0, [b00])
    a_real, b_real = signed(a.real, a_size), signed((b + b2).real, b_size + b2_size)
    # The field whose time-one map R1 is has b - 2 a in place of b.
    slope = b_real if point.label == "BT" else signed(b_real - 2.0 * a_real, b_size + b2_size + 2.0 * a_size)
    return {"a": a_real, "b": b_real, "s": int(np.sign(a_real * slope))} | vectors


def _second(forms: Forms, q0: FloatArray, q1: FloatArray, p0: FloatArray, p1: FloatArray) -> Form:
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
    c, c_size = _combine(p1, terms30)
    d, d_size = _combine(p1, terms21)
    d2, d2_size = _combine(p0, [3.0 * t for t in terms30])
    cubic = signed(c.real, c_size)
    # The second iterate is the time-one map of w0' = w1, w1' = 4 c w0^3 + D1 w0^2 w1.
    slope = signed(-2.0 * (d + d2).real - 6.0 * cubic, 2.0 * (d_size + d2_size) + 6.0 * c_size)
    return {"c": cubic, "d": float((d + d2).real), "D1": slope, "s": int(np.sign(cubic))}
