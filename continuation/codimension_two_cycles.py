"""Curves of cycles that begin at codimension-two points of equilibria: LPC at GH, NS of cycles at ZH and HH.

The normal form, unfolded to first order in the parameters, says where they are next to the point: the radius of the
cycle is chosen, and both parameters (and the distance along the fold's direction) follow from linear equations.
Newton's method for the cycle with its condition then holds the amplitude, since all curves are tangent at such a point.

References
----------
Kuznetsov: Elements of Applied Bifurcation Theory, sections 8.3, 8.5, 8.6.
Kuznetsov, Meijer, Govaerts, Sautois: Switching to nonhyperbolic cycles from codim 2 bifurcations of equilibria in ODEs,
Physica D 237 (2008), 3061-3068.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation import _cycle_steps as steps
from gan_bifurcation.continuation._cycle_conditions import Condition
from gan_bifurcation.continuation.codimension_two_extended import Deciding
from gan_bifurcation.continuation.codimension_two_forms import coefficients
from gan_bifurcation.continuation.codimension_two_series import Series, series
from gan_bifurcation.continuation.codimension_two_spectra import PATTERNS, critical_eigenvalues
from gan_bifurcation.continuation.collocation import DEGREE, nodes_of
from gan_bifurcation.continuation.conditions import aim, kappa_of
from gan_bifurcation.continuation.cycles import DEFAULT_CONTROL, prepare
from gan_bifurcation.continuation.forms import Forms
from gan_bifurcation.continuation.problem import CurveProblem
from gan_bifurcation.continuation.scales import windows_about
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.profiles import Profile

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

_INTERVALS: Final = 20
# Radii that are tried, in units of the length that the coefficients give.
_RADII: Final = (0.1, 0.2, 0.05, 0.4, 0.02)


@dataclass(frozen=True, eq=False)
class _Guess:
    """A cycle with its condition, next to a point: label, parameters, states over a turn, period, angle."""

    label: str
    values: Mapping[str, float]
    states: FloatArray
    wave: FloatArray
    period: float
    angle: float = 0.0


def curves_of_cycles(point: Point) -> Iterator[Point]:
    """Cycles beside a point, solved, on each of the curves of cycles that begin there."""
    names = {"GH": ("LPC",), "ZH": ("NS of cycles",), "HH": ("NS of cycles", "NS of cycles 2")}.get(point.label, ())
    if not names or len(point.free) != 2:
        return
    expansion = _expansion(point)
    if expansion is None:
        return
    for which, name in enumerate(names):
        for radius in _RADII:
            guess = _predicted(expansion, which, radius)
            if guess is None:
                break
            found = _solved(point, guess, name)
            if found is not None:
                yield found
                break


def _predicted(e: "_Expansion", which: int, radius: float) -> _Guess | None:
    if e.point.label == "GH":
        return _fold_of_cycles(e, radius)
    return _from_fold_hopf(e, radius) if e.point.label == "ZH" else _from_two_pairs(e, which, radius)


# -- the normal form with parameters -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Expansion:
    """The centre manifold of a point and how it moves with the two free parameters.

    Attributes
    ----------
    shifts : array (2, n)
        How the point of reference moves with each.
    push : array (2,)
        What each adds to the rate along the fold's direction (ZH), which nothing balances.
    slopes : array (2, critical coordinates)
        Derivatives of the critical eigenvalues.
    """

    point: Point
    form: Mapping[str, Any]
    series: Series
    eigenvalues: tuple[complex, ...]
    shifts: FloatArray
    push: FloatArray
    slopes: ComplexArray

    def states(self, w: ComplexArray, change: FloatArray) -> FloatArray:
        """States (N, n) of critical coordinates w (N, k) at a change of both parameters."""
        values = np.prod(w[:, None, :] ** self.series.table.exponents[None], axis=2)
        return np.asarray(self.point.x + change @ self.shifts + (values @ self.series.h).real)

    def values(self, change: FloatArray) -> dict[str, float]:
        return {k: self.point.parameters[k] + float(d) for k, d in zip(self.point.free, change, strict=True)}

    def coefficient(self, *exponents: int) -> complex:
        return self.series.coefficient(*exponents)


def _expansion(point: Point) -> _Expansion | None:
    """The expansion of a point whose coefficients apply and do not vanish."""
    form = coefficients(point)
    system, n = point.system, point.system.n
    pattern = PATTERNS["flow"][point.label]
    eigenvalues = critical_eigenvalues(point)
    joint = np.concatenate([point.x, system.parameter_vector()])
    s = series(system, joint, pattern.kinds, eigenvalues, pattern.order)
    forms = Forms(system, point.x)
    fold = pattern.kinds[0] == "0"
    matrix = np.zeros((n + fold, n + fold))
    matrix[:n, :n] = forms.A
    if fold:
        matrix[:n, n], matrix[n, :n] = -s.q[0].real, s.p[0].real
    shifts, push, slopes = np.zeros((2, n)), np.zeros(2), np.zeros((2, len(eigenvalues)), complex)
    for k, name in enumerate(point.free):
        column = n + system.parameter_index(name)
        try:
            solved = np.linalg.solve(matrix, np.append(-forms.jacobian[:, column], np.zeros(int(fold))))
        except np.linalg.LinAlgError:
            return None
        shifts[k] = solved[:n]
        # A h + F_p = push q0 with <p0, h> = 0.
        push[k] = solved[n] if fold else 0.0
        direction = np.zeros(len(joint))
        direction[:n], direction[column] = shifts[k], 1.0
        for i in range(len(eigenvalues)):
            slopes[k, i] = np.vdot(s.p[i], forms.B(s.q[i], direction))
    return _Expansion(point, form, s, eigenvalues, shifts, push, slopes)


def _phases() -> FloatArray:
    return nodes_of(np.linspace(0.0, 1.0, _INTERVALS + 1), DEGREE)


def _turn(radius: float) -> ComplexArray:
    return np.asarray(radius * np.exp(2j * np.pi * _phases()))


def _solve_linear(matrix: Any, right: Any) -> FloatArray | None:
    matrix = np.asarray(matrix, dtype=float)
    sizes = np.max(np.abs(matrix), axis=1)
    if not np.isfinite(matrix).all() or not (sizes > 0.0).all():
        return None
    if np.linalg.cond(matrix / sizes[:, None]) > 1e10:
        return None
    return np.asarray(np.linalg.solve(matrix, np.asarray(right, dtype=float)))


def _fold_of_cycles(e: _Expansion, radius: float) -> _Guess | None:
    """r' = r (a + Re c1 r^2 + Re c2 r^4) has its double root at Re c1 = -2 Re c2 r^2, a = Re c2 r^4.

    To the fourth order in r, that is the point of the Hopf curve where Re c1 has that value.
    """
    second = float(np.real(e.form["c2"]))
    if e.form["l2"] == 0.0:
        return None
    omega = e.eigenvalues[0].imag
    r = radius * (omega / abs(second)) ** 0.25
    p = e.point
    windows = windows_about(p)
    problem = CurveProblem(p.system, windows, "pair", kappa_unit=omega**2)
    u = problem.pack(p.x, kappa_of(problem, e.eigenvalues[0]))
    aim(problem, u, e.eigenvalues[0])
    try:
        tangent = np.linalg.svd(problem.residual(u)[1])[2][-1]
        _, slopes, _ = Deciding(problem, "H", u).at(u, tangent[None])
    except (np.linalg.LinAlgError, MisuseError):
        return None
    # The deciding coefficient is 2 Re c1.
    along = -4.0 * second * r * r / float(slopes[0])
    moved, ok = problem.newton(u + along * tangent, tangent, float(tangent @ u) + along)
    if not ok or moved[-1] <= 0.0:
        return None
    values = dict(zip(p.free, problem.parameters(moved).tolist(), strict=True))
    rate = omega * float(np.sqrt(moved[-1])) + float(np.imag(e.form["c1"])) * r * r
    w = _turn(r)
    states = e.states(np.column_stack([w, w.conj()]), np.zeros(2)) - p.x + problem.states(moved)
    return None if rate <= 0.0 else _Guess("LPC", values, states, _wave(e, 0, 1), 2.0 * np.pi / rate)


def _wave(e: _Expansion, first: int, second: int) -> FloatArray:
    """The change of the states over a turn with the radius."""
    w = _turn(1.0)
    return np.asarray((w[:, None] * e.series.q[first] + w.conj()[:, None] * e.series.q[second]).real)


def _from_fold_hopf(e: _Expansion, radius: float) -> _Guess | None:
    """v' = push + slope v + b v^2 + c r^2, r' = r (Re slope' + d v + h1 r^2): both rates and the trace vanish."""
    b, c, d = e.coefficient(2, 0, 0).real, e.coefficient(0, 1, 1).real, e.coefficient(1, 1, 0)
    g1, h1 = e.coefficient(1, 1, 1).real, e.coefficient(0, 2, 1)
    if not e.form["s"] or not c * d.real < 0.0:
        return None
    omega = e.eigenvalues[1].imag
    # The multiplier's angle is 2 pi r sqrt(-2 c d) / omega: from one multiplier 1 to the next there must be room.
    r = 4.0 * radius * omega / (2.0 * np.pi * np.sqrt(-2.0 * c * d.real))
    rr = r * r
    matrix = [[*e.push, 0.0], [*e.slopes[:, 1].real, d.real], [*e.slopes[:, 0].real, 2.0 * b]]
    solved = _solve_linear(matrix, [-c * rr, -h1.real * rr, -(g1 + 2.0 * h1.real) * rr])
    if solved is None:
        return None
    change, v = solved[:2], float(solved[2])
    rate = omega + float(change @ e.slopes[:, 1].imag) + d.imag * v + h1.imag * rr
    if rate <= 0.0:
        return None
    period = 2.0 * np.pi / rate
    w = _turn(r)
    states = e.states(np.column_stack([np.full_like(w, v), w, w.conj()]), change)
    angle = float(np.sqrt(-2.0 * c * d.real) * r * period)
    return _Guess("NS", e.values(change), states, _wave(e, 1, 2), period, angle)


def _from_two_pairs(e: _Expansion, which: int, radius: float) -> _Guess | None:
    """The cycle of one pair, where the other is critical: Re slope_1 + p11 r^2 = 0 = Re slope_2 + p21 r^2."""
    own, other = (0, 2) if which == 0 else (2, 0)

    def exponents(*entries: int) -> tuple[int, ...]:
        z = [0, 0, 0, 0]
        for i in entries:
            z[i] += 1
        return tuple(z)

    a, b = e.coefficient(*exponents(own, own, own + 1)), e.coefficient(*exponents(own, own + 1, other))
    if not abs(a.real) + abs(b.real) > 0.0:
        return None
    omega = e.eigenvalues[own].imag
    rr = 10.0 * radius**2 * omega / max(abs(a), abs(b))
    solved = _solve_linear(e.slopes[:, [own, other]].real.T, [-a.real * rr, -b.real * rr])
    if solved is None:
        return None
    rate = omega + float(solved @ e.slopes[:, own].imag) + a.imag * rr
    if rate <= 0.0:
        return None
    period = 2.0 * np.pi / rate
    beside = e.eigenvalues[other].imag + float(solved @ e.slopes[:, other].imag) + b.imag * rr
    w = _turn(np.sqrt(rr))
    coordinates = np.zeros((len(w), 4), complex)
    coordinates[:, own], coordinates[:, own + 1] = w, w.conj()
    angle = abs(float(np.angle(np.exp(1j * beside * period))))
    return _Guess("NS", e.values(solved), e.states(coordinates, solved), _wave(e, own, own + 1), period, angle)


# -- Newton's method ---------------------------------------------------------------------------------------------------


def _solved(point: Point, guess: _Guess, name: str) -> Point | None:
    """The cycle with its condition at the amplitude of the guess."""
    states = guess.states.copy()
    states[-1] = states[0]
    profile = Profile(_phases(), states, guess.period, mesh=np.linspace(0.0, 1.0, _INTERVALS + 1))
    pair = guess.label == "NS"
    start = ProfileStart(point.system.with_parameters(**guess.values), profile)
    c = prepare(start, windows_about(point), None, DEFAULT_CONTROL, 1 if pair else 0)
    last = c.nb - 1
    if pair:
        c.b[last] = guess.angle
    c.t[:], c.tb[:] = guess.wave / c.scale, 0.0
    size = c.norm(c.t, c.tb)
    c.t[:] /= size
    steps.set_row(c.state, c.t, c.tb, c.u)
    c.trial[:], c.trial_b[:] = c.u, c.b
    condition = Condition(c, guess.label)
    before = c.trial.copy(), c.trial_b.copy()
    try:
        condition.start()
        good = condition.solve(float(steps.height(c.state, c.u, c.b)))
        if good:
            condition.tangent()
    except np.linalg.LinAlgError:
        return None
    if not good or not np.isfinite(c.trial).all():
        return None
    change = np.ptp(c.trial - before[0], axis=0).max() / np.ptp(before[0], axis=0).max()
    if change > 0.3 or abs(c.trial_b[0] / before[1][0] - 1.0) > 0.3:
        return None
    if pair and not 1e-3 < c.trial_b[last] < np.pi - 1e-3:
        return None
    found = c.profile(c.trial, c.trial_b)
    critical = complex(np.exp(1j * c.trial_b[last])) if pair else 1.0 + 0.0j
    return Point(
        c.at(c.trial_b[:3]), found.states[0].copy(), c.spectrum.copy(), label=guess.label, name=name, free=point.free,
        critical=critical, profile=found, condition="cycle", note=f"From {point.name or point.label}.",
    )  # fmt: skip
