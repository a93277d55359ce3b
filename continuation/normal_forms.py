"""Normal-form coefficients of codimension-one points, from jets, in original coordinates.

All with <q,q> = <p,q> = 1, where <a,b> = sum conj(a) b. Kuznetsov, Elements of Applied Bifurcation Theory (3rd ed.,
2004): fold (5.20) and (5.50), Hopf l1 (5.62), flip b (5.51, there c(0)), Neimark-Sacker d (5.66).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.forms import Forms
from gan_bifurcation.errors import MisuseError

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Below this size, relative to the terms that were added up, a coefficient is rounding and has no sign.
ROUNDING: Final = 1e-9


def critical_vectors(a: FloatArray, eigenvalue: complex) -> tuple[ComplexArray, ComplexArray]:
    """Right and left eigenvectors q, p of the eigenvalue nearest to the one given, <q,q> = <p,q> = 1.

    q's largest component is positive (real eigenvalue), or real and positive (complex); p satisfies A^T p =
    conj(eigenvalue) p.
    """
    n = len(a)
    shifted = a - eigenvalue * np.eye(n)
    if abs(complex(eigenvalue).imag) == 0.0:
        shifted = shifted.real
    left, _, right = np.linalg.svd(shifted)
    q, p = right[-1].conj().astype(complex), left[:, -1].astype(complex)
    q /= np.linalg.norm(q)
    q *= np.exp(-1j * np.angle(q[np.argmax(np.abs(q))]))
    overlap = np.vdot(p, q)
    if abs(overlap) < 1e-12:
        raise MisuseError(
            "The critical eigenvalue is not simple (its left and right eigenvectors are orthogonal); a "
            "codimension-two point is near."
        )
    return q, p / np.conj(overlap)


def check_simple(matrix: FloatArray) -> None:
    """Refuse a singular matrix whose null space is larger than a line.

    Raises
    ------
    MisuseError
        With the dimension of the null space.
    """
    s = np.linalg.svd(matrix, compute_uv=False)
    nullity = int(np.sum(s <= 1e-9 * s[0]))
    if nullity > 1:
        raise MisuseError(
            f"The Jacobian has a null space of dimension {nullity}, so the normal form of a simple point does not "
            "apply; restrict the system to a fixed-point subspace with gb.restrict, or hold what is not isolated."
        )


def _real(v: ComplexArray) -> FloatArray:
    return np.ascontiguousarray(v.real)


def _solve(matrix: Any, right: Any) -> Any:
    return np.linalg.solve(matrix, right)


def bordered_solve(a: FloatArray, q: FloatArray, p: FloatArray, right: FloatArray) -> FloatArray:
    """Solve A h = right - <p,right> q with <p,h> = 0, for singular A with null vectors q, p."""
    n = len(a)
    m = np.zeros((n + 1, n + 1))
    m[:n, :n], m[:n, n], m[n, :n] = a, q, p
    return np.asarray(_solve(m, np.append(right, 0.0))[:n])


def _signed(value: float, size: float) -> float:
    """The value, or exactly zero where it is rounding of terms of this size."""
    return 0.0 if abs(value) <= ROUNDING * max(size, 1e-300) else value


def _fold(forms: Forms, point: Point, is_map: bool) -> dict[str, Any]:
    q, p = (_real(v) for v in critical_vectors(forms.A, 1.0 if is_map else 0.0))
    check_simple(forms.A - np.eye(len(q)) if is_map else forms.A)
    total, size = _combine(p, [0.5 * forms.B(q, q)])
    a = _signed(total.real, size)
    words = "nondegenerate" if a != 0.0 else "degenerate: a vanishes within rounding (a cusp, or zero by symmetry)"
    return {"a": a, "criticality": words, "q": q, "p": p}


def _hopf(forms: Forms, point: Point, is_map: bool) -> dict[str, Any]:
    omega = abs(point.critical.imag)
    if omega == 0.0:
        raise MisuseError("The critical pair is real at this point, so there is no Hopf coefficient.")
    a = forms.A
    q, p = critical_vectors(a, 1j * omega)
    eye = np.eye(len(a))
    h20 = _solve(2j * omega * eye - a, forms.B(q, q))
    h11 = -_solve(a, forms.B(q, q.conj()))
    total, size = _combine(p, [forms.C(q, q, q.conj()), forms.B(q.conj(), h20), 2 * forms.B(q, h11)])
    c1 = 0.5 * total
    l1 = _signed(c1.real / omega, size / omega)
    return {"l1": l1, "omega": omega, "c1": complex(c1), "criticality": _words(l1), "q": q, "p": p}


def _flip(forms: Forms, point: Point, is_map: bool) -> dict[str, Any]:
    a = forms.A
    q, p = (_real(v) for v in critical_vectors(a, -1.0))
    h2 = _solve(np.eye(len(a)) - a, forms.B(q, q))
    total, size = _combine(p, [forms.C(q, q, q), 3.0 * forms.B(q, h2)])
    b = _signed(total.real / 6.0, size / 6.0)
    # b > 0: the period-two points lie where the fixed point is unstable, and are stable (Kuznetsov, theorem 4.4).
    return {"b": b, "criticality": _words(-b), "q": q, "p": p}


def _neimark_sacker(forms: Forms, point: Point, is_map: bool) -> dict[str, Any]:
    theta = abs(float(np.angle(point.critical)))
    a = forms.A
    mu = np.exp(1j * theta)
    eye = np.eye(len(a))
    result: dict[str, Any] = {"theta": theta}
    for order in (1, 2, 3, 4):
        if abs(mu**order - 1.0) < 1e-7:
            q, p = critical_vectors(a, mu)
            words = f"strong resonance 1:{order}: d does not decide"
            return result | {"d": complex(np.nan, np.nan), "criticality": words, "q": q, "p": p}
    q, p = critical_vectors(a, mu)
    h20 = _solve(mu**2 * eye - a, forms.B(q, q))
    h11 = _solve(eye - a, forms.B(q, q.conj()))
    total, size = _combine(p, [forms.C(q, q, q.conj()), 2 * forms.B(q, h11), forms.B(q.conj(), h20)])
    d = complex(0.5 * total / mu)
    real = _signed(d.real, 0.5 * size)
    return result | {"d": complex(real, d.imag), "criticality": _words(real), "q": q, "p": p}


def _combine(p: Any, vectors: Sequence[Any]) -> tuple[complex, float]:
    """The sum of <p, v>, and the size that its rounding is to be seen against.

    The size is that of the products of components, so in any units of the states: a coefficient that vanishes by
    structure is the product of orthogonal vectors, each of them large. Where p and v live on other components, what
    remains is rounding of the vectors themselves, some digits below their lengths.
    """
    size = 0.0
    for v in vectors:
        size += float(np.abs(p) @ np.abs(v)) + 1e-4 * float(np.linalg.norm(p)) * float(np.linalg.norm(v))
    return complex(sum(np.vdot(p, v) for v in vectors)), size


def _words(sign: float) -> str:
    if sign == 0.0:
        return "degenerate: the coefficient vanishes within rounding"
    return "supercritical" if sign < 0 else "subcritical"


_COEFFICIENTS: Final[Mapping[str, Callable[[Forms, Point, bool], dict[str, Any]]]] = {
    "LP": _fold, "H": _hopf, "PD": _flip, "NS": _neimark_sacker,
}  # fmt: skip

# The coefficient whose sign decides, for each label.
DECIDING: Final[Mapping[str, Callable[[Mapping[str, Any]], float]]] = {
    "LP": lambda form: float(form["a"]),
    "H": lambda form: float(form["l1"]),
    "PD": lambda form: float(form["b"]),
    "NS": lambda form: float(form["d"].real),
}


def normal_form(point: Point) -> dict[str, Any]:
    """Normal-form coefficients of a labelled point.

    Parameters
    ----------
    point : Point
        With label LP (coefficient `a`), H (`l1`, `omega`), PD (`b`), NS (`d` complex, `theta`) or BP (`kind`).

    Returns
    -------
    dict
        Plain numbers under the textbook's letters, and `criticality` in words. For H, PD and NS also `speed`
        (derivative of the critical real part or modulus in each free parameter) and `amplitude`: half the
        peak-to-peak amplitude of each state that is born, per square root of the distance in that parameter. Unlike
        the coefficient, it is free of the scaling of the eigenvector.

    Raises
    ------
    MisuseError
        If the point has no label with a normal form, or is multiple.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> logistic = gb.System.from_equations("map", {"x": "r*x*(1 - x)"}, parameters={"r": 2.0})
    >>> branch = gb.trace(gb.point(logistic, {"x": 0.5}), {"r": (1.5, 3.5)})
    >>> round(gb.normal_form(branch["PD1"])["b"], 9)
    9.0
    """
    if point.label == "BP":
        from gan_bifurcation.continuation.branch_points import branch_point_form

        return branch_point_form(point)
    if point.label not in _COEFFICIENTS:
        raise MisuseError(
            f"A point labelled '{point.label or 'none'}' has no normal form here; expected LP, BP, H, PD or NS."
        )
    if point.multiplicity > 1:
        raise MisuseError(
            f"{point.name or point.label} has {point.multiplicity} equal critical eigenvalues, so the "
            "coefficient of a simple point does not apply; restrict to a fixed-point subspace with gb.restrict."
        )
    forms = Forms(point.system, point.x)
    result = _COEFFICIENTS[point.label](forms, point, point.system.kind == "map")
    q, p = result.pop("q"), result.pop("p")
    if point.label != "LP" and point.free:
        result |= _prediction(forms, point, q, p, result)
    return result


def _prediction(forms: Forms, point: Point, q: Any, p: Any, form: Mapping[str, Any]) -> dict[str, Any]:
    """How fast the critical eigenvalue moves with each free parameter, and the amplitude that follows."""
    n = point.system.n
    is_map = point.system.kind == "map"
    a = forms.A - np.eye(n) if is_map else forms.A
    mu = point.critical
    cubic = DECIDING[point.label](form)
    speeds: dict[str, float] = {}
    amplitudes: dict[str, dict[str, float]] = {}
    for name in point.free:
        column = n + point.system.parameter_index(name)
        direction = np.zeros(len(forms.base))
        direction[column] = 1.0
        direction[:n] = -_solve(a, forms.jacobian[:, column])
        derivative = np.vdot(p, forms.B(q, direction))
        speed = float((derivative * np.conj(mu)).real / abs(mu)) if is_map else float(derivative.real)
        speeds[name] = speed
        # r' = (speed dp) r - |cubic| r^3 for the amplitude along q: H and NS 2 Re(z q), flip w q.
        strength = {"H": abs(cubic) * form.get("omega", 1.0), "NS": abs(cubic), "PD": abs(cubic)}[point.label]
        if strength > 0.0 and speed != 0.0:
            factor = 1.0 if point.label == "PD" else 2.0
            radius = np.sqrt(abs(speed) / strength)
            amplitudes[name] = {s: float(factor * radius * abs(c)) for s, c in zip(point.system.states, q, strict=True)}
    return {"speed": speeds, "amplitude": amplitudes}


def with_normal_form(point: Point) -> Point:
    """The point with its coefficients, or with a note why there are none."""
    from dataclasses import replace

    if point.label not in (*_COEFFICIENTS, "BP") or point.multiplicity > 1 or point.level:
        return point
    try:
        form = normal_form(point)
    except (MisuseError, np.linalg.LinAlgError, scipy.linalg.LinAlgError) as error:
        return replace(point, note=(point.note + " " + str(error)).strip())
    return replace(point, normal_form=form)
