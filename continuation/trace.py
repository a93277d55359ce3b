"""The one verb: `trace` follows a branch (one free parameter) or a curve of special points (two)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.counting import unstable_count
from gan_bifurcation.continuation.curves import trace_curve
from gan_bifurcation.continuation.detect import Detector
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.march import StepControl, join, record, start_tangent, strip_here
from gan_bifurcation.continuation.normal_forms import with_normal_form
from gan_bifurcation.continuation.problem import CurveProblem, full_spectrum
from gan_bifurcation.continuation.run import Ends, begun, follow
from gan_bifurcation.continuation.scales import in_natural_units, natural_scale
from gan_bifurcation.continuation.starts import ProfileStart, Start
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.ranges import Range, as_range
from gan_bifurcation.return_ends import ending

FloatArray = NDArray[np.float64]


# What is not an equilibrium or a fixed point is traced elsewhere.
_OTHERS: Final = {
    "cycle": "gan_bifurcation.continuation.cycles",
    "circle": "gan_bifurcation.continuation.circles",
    "homoclinic orbit": "gan_bifurcation.continuation.homoclinic",
}


def trace(
    start: Point | Start | ProfileStart,
    free: Mapping[str, Any],
    *,
    at: float | Sequence[float] = (),
    stop: str | Sequence[str] | None = None,
    events: Sequence[Event] = (),
    bounds: Mapping[str, Any] | None = None,
    control: StepControl | None = None,
    max_points: int = 4000,
    coefficients: bool = True,
) -> Branch:
    """Trace the solutions through a start while parameters vary.

    Parameters
    ----------
    start : Point, Start or ProfileStart
        A point (for a branch), a labelled point (for its curve), or what a function such as
        :func:`gan_bifurcation.flip_to_period_two` made of one.
    free : mapping of parameter to (low, high) or ``gb.log_range(low, high)``
        One free parameter gives a branch, two give the curve of the labelled point.
    at : float or sequence of float
        Values of the free parameter at which exact solutions are wanted (label "UZ").
    stop : str or sequence of str, optional
        Labels, or names such as "NS2", at which to stop (each direction on its own).
    events : sequence of Event
        Further conditions to locate.
    bounds : mapping of state to (low, high), optional
        The trace ends where a state leaves its bounds.
    control : StepControl, optional
    max_points : int
        Most points in each direction.
    coefficients : bool
        Whether normal forms are computed: at special points, and along a curve (there with the points where its sign
        changes).

    Returns
    -------
    Branch
        In the order of the curve; a branch begins at the side of the smaller parameter.

    Raises
    ------
    MisuseError
        If the start does not solve the equations, its parameters lie outside the window, or the start has no such
        curve.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> henon = gb.System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, parameters={"a": 0.1, "b": 0.3})
    >>> branch = gb.trace(gb.point(henon, {"x": 0.1, "y": 0.1}), {"a": (-1, 2)})
    >>> [p.name for p in branch.special_points]
    ['LP1', 'PD1']
    >>> round(branch["PD1"].parameters["a"], 10)  # 3 (1 - b)**2 / 4
    0.3675
    >>> flips = gb.trace(branch["PD1"], {"a": (-1, 2), "b": (-0.5, 0.5)})
    >>> bool(abs(flips.column("a") - 0.75 * (1 - flips.column("b")) ** 2).max() < 1e-9)
    True
    """
    if not isinstance(start, Point | Start | ProfileStart):
        raise MisuseError(
            f"A trace starts from a point, such as gb.point(system) or branch['H1'], got {type(start).__name__}."
        )
    for event in events:
        if not isinstance(event, Event):
            raise MisuseError(f"An event is made with gb.Event.rate, .focus or .function, got {event!r}.")
    windows = _windows(start, free)
    wanted = (at,) if isinstance(at, int | float) else at
    ends = Ends.of(start.system, stop, bounds, max_points, [e.name for e in events])
    if start.kind in _OTHERS:
        home = import_module(_OTHERS[start.kind])
        found: Branch = home.trace(start, windows, wanted, ends, events, control, coefficients)
        return found
    assert not isinstance(start, ProfileStart)
    control = control or StepControl()
    if len(windows) == 2:
        if isinstance(start, Start):
            raise MisuseError(
                "This start gives a branch of one free parameter, got two; trace it in one, then take a labelled point."
            )
        if wanted:
            raise MisuseError(
                "at= gives values of the free parameter of a branch, but a curve has two; cut the curve with "
                "an event instead."
            )
        return trace_curve(start, windows, ends, control, coefficients)
    return _trace_branch(start, windows, wanted, ends, events, control, coefficients)


def _windows(start: Point | Start | ProfileStart, free: Mapping[str, Any]) -> dict[str, Range]:
    if not isinstance(free, Mapping) or not 1 <= len(free) <= 2:
        raise MisuseError(
            "The free parameters are a mapping of one or two names to ranges, such as {'eta_d': (0.1, 1)}."
        )
    windows = {}
    for name, pair in free.items():
        if name not in start.system.parameters:
            raise unknown_name("parameter", name, tuple(start.system.parameters))
        window = as_range(pair)
        value = start.system.parameters[name]
        slack = 1e-9 * (window.high - window.low)
        if not window.low - slack <= value <= window.high + slack:
            raise MisuseError(
                f"The start has {name} = {value:.6g}, outside the window ({window.low:g}, {window.high:g}); "
                "widen the window or start inside it."
            )
        windows[name] = window
    return windows


def _trace_branch(
    start: Point | Start,
    windows: dict[str, Range],
    at: Sequence[float],
    ends: Ends,
    events: Sequence[Event],
    control: StepControl,
    coefficients: bool,
) -> Branch:
    def attempt(scale: FloatArray, cautious: StepControl) -> Branch:
        return _trace_scaled(start, windows, at, ends, events, cautious, coefficients, scale)

    return in_natural_units(attempt, natural_scale(start.system, start.x, windows), control, start.x)


def _trace_scaled(
    start: Point | Start,
    windows: dict[str, Range],
    at: Sequence[float],
    ends: Ends,
    events: Sequence[Event],
    control: StepControl,
    coefficients: bool,
    scale: FloatArray,
) -> Branch:
    (name,) = windows
    problem = CurveProblem(start.system, windows, scale=scale)
    u = problem.pack(start.x)
    one_sided = False
    tangent: FloatArray | None = None
    if isinstance(start, Start):
        if start.parameter != name:
            raise MisuseError(
                f"This start was computed for the parameter '{start.parameter}', got '{name}'; free "
                f"'{start.parameter}'."
            )
        tangent = _scaled(problem, u, start.direction)
        one_sided = start.one_sided
        if not np.linalg.norm(problem.residual(u)[0]) < 1e-6:
            raise MisuseError("The start does not solve the equations; take it from a located point.")
    else:
        row = np.zeros(problem.size)
        row[-1] = 1.0
        solved, ok = problem.newton(u, row, u[-1])
        if ok and np.max(np.abs(solved - u)) < 1e-3 * (1.0 + np.max(np.abs(u))):
            u = solved
        elif problem.relative_residual(u) > 1e-8:
            raise MisuseError(
                "The start does not solve the equations (relative residual "
                f"{problem.relative_residual(u):.1e}); find it with gb.point first."
            )
        tangent, nullity = start_tangent(problem, u)
        if nullity > 1 and "branch" in start.vectors and start.free == (name,):
            tangent = _scaled(problem, u, np.ascontiguousarray(start.vectors["branch"].real))
        elif nullity > 1:
            problem = _pinned(start, problem, u, nullity - 1)
            u = problem.pack(start.x)
            tangent, nullity = start_tangent(problem, u)
            if nullity > 1:
                raise MisuseError(_SINGULAR)
    if tangent[problem.q_slice.start] < 0.0:
        tangent = -tangent
    detector = Detector(problem, events, at)
    first = _first(problem, u, tangent)
    forward = follow(problem, first, control, detector, ends)
    if forward.closed or one_sided:
        strip, points, outcome = (
            forward.strip,
            forward.points,
            (forward.outcome if forward.closed else begun(problem, first), forward.outcome),
        )
    else:
        # The bordered determinant changes sign with the tangent's direction.
        back_first = replace(first, t=-first.t, signs=-first.signs)
        if len(forward.strip) > 1:
            ahead = forward.strip.slice(slice(1, 2))
            detector.precede(join([replace(ahead, t=-ahead.t, signs=-ahead.signs), back_first]))
        backward = follow(problem, back_first, control, detector, ends)
        strip, points = backward.then(forward)
        outcome = (backward.outcome, forward.outcome)
    points = _numbered(points)
    if coefficients:
        points = [with_normal_form(p) for p in points]
    spectrum = full_spectrum(problem, strip.spectra, strip.structural)
    kind = (
        "equilibria"
        if problem.system.kind == "flow"
        else ("fixed points" if problem.system.iterations == 1 else f"points of period {problem.system.iterations}")
    )
    parameters, states = problem.parameters(strip.u), problem.states(strip.u)
    measures: dict[str, FloatArray] = {}
    if (section := problem.system.section) is not None:
        rows = [problem.joint(u)[problem.system.n :] for u in strip.u]
        measures = section.measures(states, rows, problem.system.iterations)
        values, periods, joint = parameters[:, 0], measures["period"], np.hstack([states, np.array(rows)])
        outcome = (
            ending(section, outcome[0], name, values[::-1], periods[::-1], joint[::-1]),
            ending(section, outcome[1], name, values, periods, joint),
        )
    return Branch(
        problem.system, (name,), kind, parameters, states, spectrum,
        unstable_count(problem, strip), tuple(points), outcome, forward.closed, measures=measures,
        note=detector.neutral_note or _pin_note(problem),
    )  # fmt: skip


_SINGULAR = (
    "The Jacobian is singular at the start in more than one direction: a branch point, or a manifold that is "
    "not regular; "
    "start beside it, or use gb.branch_point_to_branch on a located point."
)


def _pin_note(problem: CurveProblem) -> str:
    if not problem.k:
        return ""
    return (
        f"Equilibria come in a manifold of dimension {problem.k}; it is followed with {problem.k} "
        f"directions held fixed, and {problem.k} eigenvalues are structural."
    )


def _scaled(problem: CurveProblem, u: FloatArray, direction: FloatArray) -> FloatArray:
    """A tangent in natural units (states, parameter) in the problem's unknowns."""
    n = problem.system.n
    problem.residual(u)
    t = np.append(direction[:n] / problem.scale, direction[n] / problem.arrays.slope[0])
    return np.asarray(t / np.linalg.norm(t))


def _pinned(start: Point, problem: CurveProblem, u: FloatArray, k: int) -> CurveProblem:
    """The problem with k directions held, if the null space persists along the branch: a manifold of equilibria.

    Raises
    ------
    MisuseError
        If it does not persist: the start is a branch point.
    """
    a = problem.jacobian_states(u)
    if problem.system.kind == "map":
        a = a - np.eye(len(a))
    left, _, right = np.linalg.svd(a)
    pinned = CurveProblem(
        problem.system, problem.free, pins=right[-k:].T.copy(), unfolding=left[:, -k:].copy(), scale=problem.scale
    )
    pinned.set_reference(start.x)
    v = pinned.pack(start.x)
    t, _ = start_tangent(pinned, v)
    beside, ok = pinned.newton(v + 1e-3 * t, t, float(t @ (v + 1e-3 * t)))
    if not ok:
        raise MisuseError(_SINGULAR)
    b = pinned.jacobian_states(beside)
    if pinned.system.kind == "map":
        b = b - np.eye(len(b))
    s = np.linalg.svd(b, compute_uv=False)
    if np.sum(s <= 1e-9 * s[0]) < k or np.max(np.abs(beside[pinned.system.n : pinned.system.n + k])) > 1e-9:
        raise MisuseError(_SINGULAR)
    return pinned


def _first(problem: CurveProblem, u: FloatArray, tangent: FloatArray) -> Any:
    strip = record(problem, u, tangent)
    if strip is not None and float(strip.t[0] @ tangent) > 0.9:
        return strip
    # At a branch point the tangent is not unique: keep the one asked for; its determinant has no sign.
    problem.residual(u)
    return strip_here(problem, u, tangent, 0.0)


def _numbered(points: Sequence[Point]) -> list[Point]:
    """Names: a label and its number, "PD1"; other labels are numbered from the second on, "R2 2"."""
    seen: dict[str, int] = {}
    named = []
    for p in points:
        number = seen[p.label] = seen.get(p.label, 0) + 1
        named.append(replace(p, name=numbered_name(p.label, number)))
    return named


def numbered_name(label: str, number: int) -> str:
    """A label and its number; labels with a digit or small letters are numbered from the second on."""
    if label.isalpha() and label.isupper():
        return f"{label}{number}"
    return label if number == 1 else f"{label} {number}"
