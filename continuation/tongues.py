"""Arnold tongues: where two parameters lock the rotation number, with their edges as fold curves of an iterate."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.curve_points import solve_at_kappa
from gan_bifurcation.continuation.curves import curve_problem
from gan_bifurcation.continuation.farey import between
from gan_bifurcation.continuation.forms import Forms
from gan_bifurcation.continuation.march import Strip
from gan_bifurcation.continuation.normal_forms import Coefficients
from gan_bifurcation.continuation.problem import compute_spectrum
from gan_bifurcation.continuation.scales import natural_scale
from gan_bifurcation.continuation.trace import trace
from gan_bifurcation.derived import iterate
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.evaluation import jacobian, make_evaluator
from gan_bifurcation.ranges import Range, as_range

FloatArray = NDArray[np.float64]

_PHASES: Final = 24
_AMPLITUDES: Final = (0.05, 0.1, 0.2, 0.3)
_STRONG: Final = 4


@dataclass(frozen=True, eq=False)
class Tongue:
    """The parameters at which the circles near a Neimark-Sacker curve lock to a rational rotation number.

    Attributes
    ----------
    rotation : Fraction
    tip : Point
        On the Neimark-Sacker curve.
    edges : tuple of Branch
        Fold curves of the iterate, one on each side; empty where none was found.
    outcome : Outcome
        Whether the edges were found, and why not.
    order : int
        The width grows with this power of the amplitude, less two: twice the denominator where a symmetry x -> -x
        forbids odd denominators.
    """

    rotation: Fraction
    tip: Point
    edges: tuple[Branch, ...]
    outcome: Outcome
    order: int

    def __repr__(self) -> str:
        return f"<Tongue of {self.rotation}: {self.outcome.message}>"


def arnold_tongues(curve: Branch, free: Mapping[str, Any], *, order: int = 7, **options: Any) -> list[Tongue]:
    """The tongues that begin on a Neimark-Sacker curve, in Farey order.

    Parameters
    ----------
    curve : Branch
        Of NS points over two parameters.
    free : mapping of parameter to range
        Those two parameters, and how far the edges are followed.
    order : int
        Largest denominator of the rotation number; the strong resonances up to 1:4 are no tongues.
    **options
        As for :func:`gan_bifurcation.arnold_tongue`.

    Returns
    -------
    list of Tongue
    """
    _check(curve)
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise MisuseError(f"order is the largest denominator of the rotation numbers, such as 7, got {order!r}.")
    turns = curve.measures["theta"] / (2.0 * np.pi)
    rationals = between(float(turns.min()), float(turns.max()), order)
    return [arnold_tongue(curve, f, free, **options) for f in rationals if f.denominator > _STRONG]


def arnold_tongue(
    curve: Branch,
    rotation: Fraction | str,
    free: Mapping[str, Any],
    *,
    max_points: int = 400,
    coefficients: bool = False,
) -> Tongue:
    """The tongue of one rotation number that begins on a Neimark-Sacker curve.

    Parameters
    ----------
    curve : Branch
        Of NS points over two parameters.
    rotation : Fraction or str
        Such as "1/6".
    free : mapping of parameter to range
    max_points : int
        Most points of an edge in each direction.
    coefficients : bool
        Whether normal forms are computed along the edges.

    Returns
    -------
    Tongue

    Raises
    ------
    MisuseError
        If the branch is no NS curve over these parameters, or does not pass the rotation number.

    Notes
    -----
    At a small amplitude the periodic points of the tongue form a closed family, whose phase is the coordinate; two of
    them are folds. Each fold is followed as a curve of the iterate.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> field = {"x": "r*x*(1 - y) + e", "y": "x"}
    >>> s = gb.System.from_equations("map", field, parameters={"r": 1.9, "e": 0.02})
    >>> window = {"r": (1.7, 2.4), "e": (-0.1, 0.1)}
    >>> fixed = gb.trace(gb.point(s, {"x": 0.5, "y": 0.5}), {"r": window["r"]})
    >>> curve = gb.trace(fixed["NS1"], window)
    >>> tongue = gb.arnold_tongue(curve, "1/6", window)
    >>> round(tongue.tip.parameters["r"], 9), len(tongue.edges)  # theta = pi/3 at r = 2, e = 0
    (2.0, 2)
    """
    _check(curve)
    try:
        fraction = Fraction(rotation)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise MisuseError(f"A rotation number is a fraction such as '1/6', got {rotation!r}.") from error
    if fraction.denominator <= _STRONG:
        raise MisuseError(
            f"At the rotation number {fraction} no tongue of two edges begins, since it is a strong resonance; the "
            "curve has a special point there (R1, R2, R3, R4), whose normal form says what is near."
        )
    if isinstance(max_points, bool) or not isinstance(max_points, int) or max_points < 1:
        raise MisuseError(f"max_points is a whole number, at least 1, got {max_points!r}.")
    windows = {name: as_range(pair) for name, pair in free.items()}
    if tuple(windows) != curve.free and set(windows) != set(curve.free):
        raise MisuseError(
            f"The curve is over {', '.join(curve.free)}, but the tongue is asked for over {', '.join(windows)}."
        )
    tip = _tip(curve, fraction, windows)
    found: list[Branch] = []
    order = fraction.denominator
    for amplitude in _AMPLITUDES:
        folds, order = _folds(tip, fraction.denominator, tuple(windows), amplitude)
        inside = [f for f in folds if all(w.low <= f.parameters[k] <= w.high for k, w in windows.items())]
        try:
            made = [trace(fold, windows, max_points=max_points, coefficients=coefficients) for fold in inside]
        except (MisuseError, np.linalg.LinAlgError):
            # Folds as close to each other as rounding have no curves of their own; farther from the tip they may.
            continue
        if len(folds) == 2:
            found = [replace(edge, outcome=_at_tip(edge, tip, windows)) for edge in made]
            # Near the tip of a thin tongue an edge may be lost among rounding; it is clearer farther away.
            if all(any(o.converged for o in edge.outcome) for edge in found):
                break
    if len(found) == 2:
        outcome = Outcome("found", f"both edges, {len(found[0])} and {len(found[1])} points", True)
    else:
        outcome = Outcome("thin", "the tongue is too thin to tell its edges apart within rounding", False)
    return Tongue(fraction, tip, tuple(found), outcome, order)


def _at_tip(edge: Branch, tip: Point, windows: Mapping[str, Range]) -> tuple[Outcome, Outcome]:
    """Why an edge ends: where both edges meet, neither can be followed on."""
    goal = np.array([windows[name].to_unit(tip.parameters[name]) for name in edge.free])
    places = np.array(
        [[windows[name].to_unit(float(v)) for name, v in zip(edge.free, row, strict=True)] for row in edge.parameters]
    )
    # In the window, not along each parameter: an edge may leave its tip with one of them as good as fixed.
    length = float(np.max(np.ptp(places, axis=0)))
    ends = []
    for outcome, i in zip(edge.outcome, (0, -1), strict=True):
        at = not outcome.converged and np.max(np.abs(places[i] - goal)) < 1e-2 * length
        ends.append(Outcome("tip", "Reached the tip of the tongue, where its edges meet.", True) if at else outcome)
    return ends[0], ends[1]


def _check(curve: Branch) -> None:
    if not isinstance(curve, Branch) or curve.curve != "NS" or len(curve.free) != 2 or curve.profiles:
        raise MisuseError("Tongues begin on a curve of NS points of fixed points over two parameters; trace it first.")


def _tip(curve: Branch, fraction: Fraction, windows: dict[str, Range]) -> Point:
    """The point of the curve with a rational angle."""
    angle = 2.0 * np.pi * float(fraction)
    theta = curve.measures["theta"]
    hits = np.flatnonzero((theta[:-1] - angle) * (theta[1:] - angle) <= 0.0)
    if not len(hits):
        low, high = float(theta.min()) / (2 * np.pi), float(theta.max()) / (2 * np.pi)
        raise MisuseError(
            f"The curve has rotation numbers from {low:.4g} to {high:.4g}, but not {fraction}; follow it further."
        )
    i = int(hits[0])
    point = curve.point(i)
    own = {name: windows[name] for name in curve.free}
    problem = curve_problem(point, own, natural_scale(point.system, point.x, {}))
    ends = [
        problem.pack(curve.states[i + k], float(np.cos(theta[i + k])), curve.point(i + k).parameters) for k in (0, 1)
    ]
    nothing = np.zeros((2, problem.size))
    pair = Strip(np.array(ends), nothing, np.zeros((2, 0), complex), np.zeros(2), np.zeros(2))
    u = solve_at_kappa(problem, pair, float(np.cos(angle)))
    if u is None:
        raise MisuseError(
            f"The point of rotation number {fraction} was not found on the curve; follow it with more points."
        )
    system = problem.at(u)
    x = problem.states(u)
    name = f"NS {fraction}"
    return Point(
        system, x, compute_spectrum(system, x), "NS", name, free=curve.free, critical=complex(np.exp(1j * angle)),
        condition="pair",
    )  # fmt: skip


def _folds(tip: Point, order: int, names: tuple[str, ...], amplitude: float) -> tuple[list[Point], int]:
    """Two folds of the iterate near the tip, and the order of the tongue's width."""
    system = iterate(tip.system, order)
    n, m = system.n, system.m
    forms = Forms(tip.system, tip.x)
    raw = Coefficients(tip.system, "NS").at(forms.base, tip.critical)
    q, p = raw.q, raw.p
    size = amplitude / float(np.max(2.0 * np.abs(q) / np.maximum(np.abs(tip.x), 1.0)))
    columns = [n + system.parameter_index(name) for name in names]
    evaluator = make_evaluator(system.tape.data, system.iterations, n, 1)
    f, j = np.empty(n), np.empty((n, n + m))

    def solve(phase: float) -> tuple[FloatArray, float] | None:
        """States and parameters (n + m,) of the periodic point at a phase, and det(DF^q - 1)."""
        z = forms.base.copy()
        goal = size * np.exp(1j * phase)
        z[:n] += 2.0 * (goal * q).real
        matrix, right = np.zeros((n + 2, n + 2)), np.zeros(n + 2)
        matrix[n, :n], matrix[n + 1, :n] = p.real, -p.imag
        last = np.inf
        for _ in range(25):
            jacobian(evaluator, z, f, j)
            matrix[:n, :n] = j[:, :n] - np.eye(n)
            matrix[:n, n:] = j[:, columns]
            here = np.vdot(p, z[:n] - tip.x)
            right[:n], right[n], right[n + 1] = z[:n] - f, (goal - here).real, (goal - here).imag
            try:
                step = np.linalg.solve(matrix, right)
            except np.linalg.LinAlgError:
                return None
            z[:n] += step[:n]
            z[columns] += step[n:]
            change = float(np.max(np.abs(step)))
            if not change < 10.0:
                return None
            if change < 1e-12 or (change < 1e-8 and change >= last):
                jacobian(evaluator, z, f, j)
                return z, float(np.linalg.det(j[:, :n] - np.eye(n)))
            last = change
        return None

    turn = 2.0 * np.pi / order
    phases = turn * np.arange(_PHASES) / _PHASES
    solved = [solve(float(phase)) for phase in phases]
    if any(s is None for s in solved):
        return [], order
    heights = np.array([s[1] for s in solved if s is not None])
    modes = np.abs(np.fft.rfft(heights))[1:]
    harmonic = int(np.argmax(modes)) + 1
    if np.max(modes) < 1e-12:
        return [], order
    crossings = np.flatnonzero(heights * np.roll(heights, -1) < 0.0)
    # It takes half a second to load, and studies without tongues load this module too.
    from scipy.optimize import brentq

    # With a symmetry the family passes each fold several times in a turn; two in a row are the two edges.
    folds = []
    for k in crossings[:2].tolist():
        a, b = float(phases[k]), float(phases[k]) + turn / _PHASES

        def height(phase: float) -> float:
            found = solve(phase)
            return np.nan if found is None else found[1]

        try:
            found = solve(float(brentq(height, a, b, xtol=1e-12)))
        except ValueError:
            # Heights so near rounding that a sign is no longer what it was.
            return [], order
        if found is None:
            return [], order
        z = found[0]
        at = system.with_parameters(**dict(zip(system.parameters, z[n:].tolist(), strict=True)))
        folds.append(
            Point(
                at,
                z[:n].copy(),
                compute_spectrum(at, z[:n]),
                "LP",
                "LP",
                free=names,
                critical=1.0 + 0.0j,
                condition="real",
            )
        )
    return folds, order * harmonic
