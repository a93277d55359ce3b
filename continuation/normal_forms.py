"""Normal-form coefficients of codimension-one points, from jets, in original coordinates.

All with <q,q> = <p,q> = 1, where <a,b> = sum conj(a) b. Kuznetsov, Elements of Applied Bifurcation Theory (3rd ed.,
2004): fold (5.20) and (5.50), Hopf l1 (5.62), flip b (5.51, there c(0)), Neimark-Sacker d (5.66). The formulas are in
`_coefficients`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation._coefficients import FLIP, FOLD, HOPF, NEIMARK_SACKER, coefficient
from gan_bifurcation.continuation.codimension_two_spectra import LABELS
from gan_bifurcation.continuation.defect import balanced
from gan_bifurcation.continuation.forms import Derivatives, Forms
from gan_bifurcation.continuation.problem import ON_MANIFOLD
from gan_bifurcation.continuation.spectra import together
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.evaluation import make_evaluator
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Below this size, relative to the terms that were added up, a coefficient is rounding and has no sign.
ROUNDING: Final = 1e-9


# Left and right vectors whose product is smaller than this, of its parts, are orthogonal.
_ORTHOGONAL: Final = 1e-12


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
    if abs(overlap) < _ORTHOGONAL * np.abs(p) @ np.abs(q):
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
    # In units of the states in which the matrix is balanced.
    matrix, _ = balanced(matrix)
    nullity = _nullity(matrix)
    if nullity > 1:
        # Equations may be slow beside others; a row that is rounding is no slow one.
        rows = np.abs(matrix).max(axis=1)[:, None]
        nullity = min(nullity, _nullity(matrix / np.where(rows > 1e-13 * rows.max(), rows, 1.0)))
    if nullity > 1:
        raise MisuseError(
            f"The Jacobian has a null space of dimension {nullity}, so the normal form of a simple point does not "
            "apply; restrict the system to a fixed-point subspace with gb.restrict, or hold what is not isolated."
        )


def _nullity(matrix: FloatArray) -> int:
    s = np.linalg.svd(matrix, compute_uv=False)
    return int(np.sum(s <= 1e-9 * s[0]))


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


def signed(value: float, size: float, rounding: float = ROUNDING) -> float:
    """The value, or exactly zero where it is rounding of terms of this size."""
    return 0.0 if abs(value) <= rounding * max(size, 1e-300) else value


_KINDS: Final[Mapping[str, int]] = {"LP": FOLD, "H": HOPF, "PD": FLIP, "NS": NEIMARK_SACKER}
_FACTORS: Final[Mapping[str, float]] = {"LP": 1.0, "H": 0.5, "PD": 1.0 / 6.0, "NS": 0.5}


@dataclass(frozen=True, eq=False)
class Raw:
    """What the compiled code gives for a coefficient.

    Attributes
    ----------
    total : complex
        The coefficient times <w,q>, which has no pole where the critical eigenvalue becomes double.
    size : float
        What rounding of it is to be seen against.
    overlap : complex
        <w,q> of the unit null vectors.
    q, w : arrays (n,)
    regular : bool
        Whether the linear systems that enter could be solved.
    """

    total: complex
    size: float
    overlap: complex
    q: ComplexArray
    w: ComplexArray
    regular: bool

    @property
    def double(self) -> bool:
        """Whether the vectors are orthogonal, whatever the units of the states."""
        return bool(abs(self.overlap) < _ORTHOGONAL * np.abs(self.w) @ np.abs(self.q))

    @property
    def p(self) -> ComplexArray:
        """The left null vector with <p,q> = 1.

        Raises
        ------
        MisuseError
            If the eigenvalue is not simple.
        """
        if self.double:
            raise MisuseError(
                "The critical eigenvalue is not simple (its left and right eigenvectors are orthogonal); a "
                "codimension-two point is near."
            )
        return np.asarray(self.w / np.conj(self.overlap))

    @property
    def value(self) -> complex:
        """The coefficient; NaN where it does not exist."""
        if not self.regular or self.double:
            return complex(np.nan, np.nan)
        return self.total / self.overlap

    @property
    def rounding(self) -> float:
        return self.size / max(abs(self.overlap), 1e-300)


class Coefficients:
    """The deciding coefficient of one label at many points of one system."""

    def __init__(self, system: System, label: str) -> None:
        self.is_map = system.kind == "map"
        self.label = label
        self._kind = _KINDS[label]
        self._evaluator = make_evaluator(system.tape.data, system.iterations, system.n, 2)
        self._n = system.n

    def at(self, z: FloatArray, critical: complex) -> Raw:
        """The coefficient at states and parameters z (n + m,) for a critical eigenvalue."""
        q, w = np.empty(self._n, complex), np.empty(self._n, complex)
        out = np.zeros(3, complex)
        regular = coefficient(self._evaluator, z, self._kind, self._boundary(critical), self.is_map, q, w, out)
        factor = _FACTORS[self.label]
        regular = bool(regular) and bool(np.isfinite(out).all())
        total = out[0] * factor
        if self.label == "NS":
            total /= self._boundary(critical)
        if self.label == "H":
            total /= abs(critical.imag)
        size = factor * out[1].real / (abs(critical.imag) if self.label == "H" else 1.0)
        return Raw(complex(total), float(size), complex(out[2]), q, w, regular)

    def _boundary(self, critical: complex) -> complex:
        """The eigenvalue on the boundary itself."""
        if self.label == "H":
            return complex(0.0, abs(critical.imag))
        if self.label == "NS":
            return complex(np.exp(1j * abs(np.angle(critical))))
        return complex(-1.0 if self.label == "PD" else float(self.is_map))

    def deciding(self, z: FloatArray, critical: complex) -> float:
        """The number whose sign decides; exactly zero where it is rounding, NaN where it does not exist."""
        if self.label == "NS" and _resonance(critical):
            return np.nan
        raw = self.at(z, critical)
        return signed(raw.value.real, raw.rounding)


def _resonance(critical: complex) -> int:
    """The order of a strong resonance, 0 if there is none."""
    mu = np.exp(1j * abs(np.angle(critical)))
    return next((order for order in (1, 2, 3, 4) if abs(mu**order - 1.0) < 1e-7), 0)


def codimension_one(
    point: Point, joint: FloatArray, rounding: float = ROUNDING, raw: Raw | None = None
) -> dict[str, Any]:  # fmt: skip
    """The coefficient (computed, if it is not given) and its words, with the vectors q and p."""
    label = point.label
    if label == "H" and point.critical.imag == 0.0:
        raise MisuseError("The critical pair is real at this point, so there is no Hopf coefficient.")
    raw = raw or Coefficients(point.system, label).at(joint, point.critical)
    vectors = {"q": raw.q, "p": raw.p}
    if label == "NS":
        theta = abs(float(np.angle(point.critical)))
        if order := _resonance(point.critical):
            words = f"strong resonance 1:{order}: d does not decide"
            return {"theta": theta, "d": complex(np.nan, np.nan), "criticality": words, **vectors}
    if not raw.regular:
        raise MisuseError("A linear system of the normal form is singular: a codimension-two point is near.")
    real = signed(raw.value.real, raw.rounding, rounding)
    if label == "LP":
        zero = "degenerate: a vanishes within rounding (a cusp, or zero by symmetry)"
        words = zero if real == 0.0 else "nondegenerate"
        return {"a": real, "criticality": words, **vectors}
    if label == "H":
        omega = abs(point.critical.imag)
        c1 = complex(raw.value * omega)
        return {"l1": real, "omega": omega, "c1": c1, "criticality": _words(real), **vectors}
    if label == "PD":
        # b > 0: the period-two points lie where the fixed point is unstable, and are stable (Kuznetsov, theorem 4.4).
        return {"b": real, "criticality": _words(-real), **vectors}
    return {"theta": theta, "d": complex(real, raw.value.imag), "criticality": _words(real), **vectors}


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


# The point at which the cubic coefficient of a label vanishes, its coefficient, and the sign of what bends outwards.
_FIFTH: Final = {"H": ("GH", "l2", 1.0), "PD": ("GPD", "c", -1.0), "NS": ("CH", "c", 1.0)}

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
        With label LP (coefficient `a`), H (`l1`, `omega`), PD (`b`), NS (`d` complex, `theta`) or BP (`kind`), or of
        codimension two (CP, BT, ...). A cycle's coefficients (labels LPC, PD, NS, CPC, ...) are those of its return
        map to the plane across the flow at the first state of its profile.

    Returns
    -------
    dict
        Plain numbers under the textbook's letters, and `criticality` in words. For H, PD and NS also `speed`
        (derivative of the critical real part or modulus in each free parameter) and `amplitude`: half the
        peak-to-peak amplitude of each state that is born, per square root of the distance in that parameter. Unlike
        the coefficient, it is free of the scaling of the eigenvector. Where the deciding coefficient vanishes, `fifth`
        is the next one (`l2`, or `c` of GPD and CH), and the words say what it decides.

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
    if point.kind == "cycle":
        from gan_bifurcation.continuation.cycle_forms import cycle_form

        return cycle_form(point)
    if point.condition == ON_MANIFOLD:
        raise MisuseError(point.note)
    if point.label == "BP":
        from gan_bifurcation.continuation.branch_points import branch_point_form

        return branch_point_form(point)
    if point.label in LABELS and not point.level:
        from gan_bifurcation.continuation.codimension_two import codimension_two_form

        return codimension_two_form(point)
    if point.label not in _KINDS:
        raise MisuseError(
            f"A point labelled '{point.label or 'none'}' has no normal form here; expected LP, BP, H, PD, NS or "
            "codimension two."
        )
    if point.multiplicity > 1:
        raise MisuseError(
            f"{together(point)}, so the coefficient of a simple point does not apply; restrict to a fixed-point "
            "subspace with gb.restrict."
        )
    forms = Forms(point.system, point.x)
    if point.label == "LP":
        check_simple(forms.A - np.eye(point.system.n) if point.system.kind == "map" else forms.A)
    result = codimension_one(point, forms.base)
    q, p = result.pop("q"), result.pop("p")
    if point.label in _FIFTH and DECIDING[point.label](result) == 0.0:
        result |= _by_fifth_order(point)
    if point.label != "LP" and point.free:
        result |= prediction(forms, point, q, p, result)
    return result


def _by_fifth_order(point: Point) -> dict[str, Any]:
    """What decides where the cubic coefficient vanishes, as at each point of some families of symmetric systems."""
    from gan_bifurcation.continuation.codimension_two_forms import coefficients

    label, letter, towards = _FIFTH[point.label]
    try:
        value = float(coefficients(replace(point, label=label))[letter])
    except MisuseError:
        # A resonance, or further critical eigenvalues: nothing more is known.
        return {}
    if value == 0.0:
        return {
            "fifth": 0.0,
            "criticality": "degenerate: the coefficients of third and fifth order vanish within rounding",
        }
    words = _words(towards * value)
    return {
        "fifth": value,
        "criticality": f"degenerate: the cubic coefficient vanishes within rounding; {words} at fifth order",
    }


def prediction(forms: Derivatives, point: Point, q: Any, p: Any, form: Mapping[str, Any]) -> dict[str, Any]:
    """How fast the critical eigenvalue moves with each free parameter, and the amplitude that follows."""
    is_map = point.system.kind == "map"
    mu = point.critical
    cubic = DECIDING[point.label](form)
    speeds: dict[str, float] = {}
    amplitudes: dict[str, dict[str, float]] = {}
    for name in point.free:
        derivative = eigenvalue_slope(forms, name, q, p)
        speed = float((derivative * np.conj(mu)).real / abs(mu)) if is_map else float(derivative.real)
        speeds[name] = speed
        # r' = (speed dp) r - |cubic| r^3 for the amplitude along q: H and NS 2 Re(z q), flip w q.
        strength = {"H": abs(cubic) * form.get("omega", 1.0), "NS": abs(cubic), "PD": abs(cubic)}[point.label]
        if strength > 0.0 and speed != 0.0:
            factor = 1.0 if point.label == "PD" else 2.0
            radius = np.sqrt(abs(speed) / strength)
            amplitudes[name] = {s: float(factor * radius * abs(c)) for s, c in zip(point.system.states, q, strict=True)}
    return {"speed": speeds, "amplitude": amplitudes}


def eigenvalue_slope(forms: Derivatives, name: str, q: Any, p: Any) -> complex:
    """The derivative of an eigenvalue in a parameter, along the equilibrium or fixed point, for <p,q> = 1."""
    system = forms.system
    n = system.n
    column = n + system.parameter_index(name)
    direction = np.zeros(len(forms.base))
    direction[column] = 1.0
    direction[:n] = -_solve(forms.A - np.eye(n) if system.kind == "map" else forms.A, forms.jacobian[:, column])
    return complex(np.vdot(p, forms.B(q, direction)))


def with_normal_form(point: Point) -> Point:
    """The point with its coefficients, or with a note why there are none."""
    if point.label not in (*_KINDS, "BP", "LPC", "BPC") or point.multiplicity > 1 or point.level:
        return point
    if point.condition == ON_MANIFOLD:
        return point
    try:
        form = normal_form(point)
    except (MisuseError, np.linalg.LinAlgError) as error:
        return replace(point, note=(point.note + " " + str(error)).strip())
    return replace(point, normal_form=form)
