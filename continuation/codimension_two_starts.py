"""From a codimension-two point to the curves that meet or start there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.codimension_two_forms import coefficients
from gan_bifurcation.continuation.codimension_two_spectra import LABELS, PATTERNS, critical_eigenvalues
from gan_bifurcation.continuation.conditions import (
    aim,
    critical_eigenvalue,
    kappa_of,
    make_point,
)
from gan_bifurcation.continuation.problem import CONDITION_OF, NEUTRAL, CurveProblem
from gan_bifurcation.continuation.spectra import together
from gan_bifurcation.derived import iterate
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

# How far from the point a curve that only starts there is met, in units of the length that the coefficients give.
_DISTANCES: Final = (0.02, 0.05, 0.01, 0.1, 0.004)
_CYCLES: Final = "gan_bifurcation.continuation.codimension_two_cycles"
_CIRCLES: Final = "gan_bifurcation.continuation.codimension_two_circles"
_ORBITS: Final = "gan_bifurcation.continuation.homoclinic_starts"
_ITERATE: Final = {2: "second", 3: "third", 4: "fourth"}


def curves_from(point: Point) -> tuple[Point, ...]:
    """Starts of the curves that meet at a codimension-two point, or begin there.

    Each is a labelled point for :func:`gan_bifurcation.trace` with two free parameters. Those of curves that pass
    through the point lie at the point itself; those of curves that begin there (of iterates, of cycles) lie a little
    beside it.

    Parameters
    ----------
    point : Point
        With a label of codimension two, from a curve in two parameters.

    Returns
    -------
    tuple of Point
        Named "LP", "H", "NS 2", "LP of the second iterate", ... The two that pass through HH or NSNS differ in
        `critical`. For maps also "LP of circles" (CH); for flows "LPC" (GH), "NS of cycles" (ZH, HH) and "Hom" (BT).
        For R3 there is an ordinary point, "saddle of the third iterate", to be traced in one parameter, and two
        labelled NSS where it is neutral.

    Raises
    ------
    MisuseError
        If the point has no such label, or several curves coincide by symmetry.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> s = gb.System.from_equations(
    ...     "flow", {"x": "y", "y": "a + b*y + x**2 - x*y"}, parameters={"a": -1.0, "b": -0.5}
    ... )
    >>> branch = gb.trace(gb.point(s, {"x": -1.0, "y": 0.0}), {"a": (-2, 1)})
    >>> window = {"a": (-2, 1), "b": (-2, 1)}
    >>> folds = gb.trace(branch["LP1"], window)
    >>> hopf = {start.name: start for start in gb.curves_from(folds["BT1"])}["H"]
    >>> curve = gb.trace(hopf, window)
    >>> bool(abs(curve.column("a") + curve.column("b") ** 2).max() < 1e-9)
    True
    """
    if not isinstance(point, Point):
        raise MisuseError(f"curves_from takes a point of codimension two, got {type(point).__name__}.")
    kind = point.system.kind
    if point.label not in PATTERNS[kind] or point.level:
        raise MisuseError(
            f"curves_from takes a point of codimension two ({', '.join(LABELS)}), got "
            f"{point.name or point.label or 'an ordinary point'}."
        )
    if point.multiplicity > 1:
        raise MisuseError(
            f"{together(point)}, so several curves pass there; restrict the system to a fixed-point subspace with "
            "gb.restrict."
        )
    return tuple(starts(point, True))


def starts(point: Point, cycles: bool) -> Iterator[Point]:
    """The same without the curves of cycles, if they are not wanted."""
    yield from _passing(point)
    yield from _beginning(point)
    if cycles and point.label == "CH" and point.system.kind == "map":
        yield from import_module(_CIRCLES).folds_of_circles(point)
    if cycles and point.system.kind == "flow":
        # Collocation is loaded and compiled where it is needed.
        yield from import_module(_CYCLES).curves_of_cycles(point)
        yield from import_module(_ORBITS).homoclinic_orbits(point)


def _passing(point: Point) -> Iterator[Point]:
    """The curves of the critical eigenvalues one by one."""
    kind = point.system.kind
    pattern = PATTERNS[kind][point.label]
    letters = {"0": "LP", "-": "PD", "z": "H" if kind == "flow" else "NS"}
    found: list[tuple[str, complex]] = []
    if pattern.double:
        value = {"BT": 0.0, "R1": 1.0, "R2": -1.0}[point.label]
        found = [(letters[pattern.kinds[0]], complex(value)), (letters["z"], complex(value))]
    else:
        values = critical_eigenvalues(point)
        found = [(letters[k], z) for k, z in zip(pattern.kinds, values, strict=True) if k != "Z"]
    for i, (label, critical) in enumerate(found):
        name = label if label not in [other for other, _ in found[:i]] else f"{label} 2"
        note = f"From {point.name or point.label}."
        yield replace(
            point, label=label, name=name, critical=critical, condition=CONDITION_OF[kind][label], normal_form={},
            vectors={}, note=note, index=np.nan,
        )  # fmt: skip


@dataclass(frozen=True)
class _Guess:
    """Where a curve that begins at a point is expected: along a direction, at a distance in units of a length."""

    times: int
    label: str
    direction: FloatArray
    row: FloatArray
    length: float
    rotation: float = 0.0  # the angle of the pair at a distance of one length


def _beginning(point: Point) -> Iterator[Point]:
    """The curves of iterates that only begin at the point."""
    if point.label not in ("GPD", "R2", "R3", "R4", "LPPD") or len(point.free) != 2 or point.system.kind != "map":
        return
    form = coefficients(point)
    q, p = form["vectors"]["q"], form["vectors"]["p"]
    guesses: list[_Guess] = []
    if point.label == "GPD" and form["c"] != 0.0:
        guesses.append(_Guess(2, "LP", q[0].real, p[0].real, abs(form["c"]) ** -0.25))
    elif point.label == "R2" and form["s"] < 0 and form["D1"] != 0.0:
        # w0' = w1, w1' = 4 c w0^3 + ...: at the orbit of period two the frequency is sqrt(-8 c) w0.
        length = abs(form["c"]) ** -0.5
        guesses.append(_Guess(2, "NS", q[0].real, p[0].real, length, np.sqrt(8.0)))
    elif point.label == "LPPD" and form["s"] and form["s"] * form["theta"] < 0.0:
        product = abs(form["b"] * form["e"])
        guesses.append(_Guess(2, "NS", q[1].real, p[1].real, product**-0.5, 2.0))
    elif point.label == "R3" and form["b"] != 0.0:
        guesses.append(_Guess(3, "", 2.0 * q[0].real, p[0], 1.0 / abs(form["b"])))
        guesses += list(_neutral_saddles(form, q[0], p[0]))
    elif point.label == "R4" and abs(form.get("A0", 0.0)) > 1.0:
        guesses += list(_fourth(form, q[0], p[0]))
    for i, guess in enumerate(guesses):
        start = _displaced(point, guess)
        if start is not None:
            what = {"": "saddle", NEUTRAL: "neutral saddle"}.get(guess.label, guess.label)
            number = sum(other.label == guess.label for other in guesses[:i])
            name = f"{what} of the {_ITERATE[guess.times]} iterate" + (" 2" if number else "")
            yield replace(start, name=name)


def _neutral_saddles(form: Any, q: Any, p: Any) -> Iterator[_Guess]:
    """Where the saddle of period three is neutral, on both sides of the resonance.

    The third iterate is the time-one map of z' = e z + B z*^2 + C z |z|^2 with B = 3 b / mu to leading order. At its
    saddles of radius r the trace 2 Re e + 4 Re C r^2 vanishes where B e^(-3 i phase) is imaginary; their eigenvalues
    are then +-sqrt(3) |B| r.
    """
    b = 3.0 * form["b"] * np.exp(-1j * form["theta"])
    for sign in (1.0, -1.0):
        w = np.exp(1j * (float(np.angle(b)) - sign * 0.5 * np.pi) / 3.0)
        yield _Guess(3, NEUTRAL, 2.0 * (w * q).real, (p / w.conjugate()).real, 1.0 / abs(b), np.sqrt(3.0))


def _fourth(form: Any, q: Any, p: Any) -> Iterator[_Guess]:
    """The two folds of period four: z' = (...) z + A z |z|^2 + z*^3 scaled, where the ray touches a circle about A."""
    a, d = form["A0"], form["d"]
    # With D1 = -4 i d the flow is C1 z |z|^2 + D1 z*^3; z = e^{i turn} y makes D1 positive.
    turn = float(np.angle(-1j * d)) / 4.0
    for sign in (1.0, -1.0):
        psi = float(np.angle(a)) + sign * float(np.arccos(-1.0 / abs(a)))
        phase = turn - psi / 4.0
        w = np.exp(1j * phase)
        yield _Guess(4, "LP", 2.0 * (w * q).real, (p * w).real * 1.0, abs(d) ** -0.5)


def _displaced(point: Point, guess: _Guess) -> Point | None:
    """Newton's method for a point of the curve at a fixed distance from the codimension-two point."""
    for distance in _DISTANCES:
        found = _solve_at(point, guess, distance * guess.length)
        if found is not None:
            return found
    return None


def _solve_at(point: Point, guess: _Guess, distance: float) -> Point | None:
    system = iterate(point.system, guess.times)
    n = system.n
    windows = {}
    for name in point.free:
        value = point.parameters[name]
        width = max(abs(value), 0.1)
        windows[name] = Range(value - width, value + width)
    x = point.x + distance * guess.direction
    if not guess.label:
        return _saddle(point, guess, distance)
    condition = "pair" if guess.label == NEUTRAL else CONDITION_OF["map"][guess.label]
    scale = np.where(np.abs(point.x) > 1e-6, np.abs(point.x), max(distance, 1e-6))
    problem = CurveProblem(system, windows, condition, scale=scale)
    angle = guess.rotation * distance / guess.length
    critical = complex(np.exp(1j * angle)) if guess.label == "NS" else 1.0 + 0.0j
    if guess.label == NEUTRAL:
        critical = complex(np.exp(angle))
    u = problem.pack(x, kappa_of(problem, critical) if problem.has_kappa else 0.0)
    if not aim(problem, u, critical):
        return None
    row = np.zeros(problem.size)
    row[:n] = guess.row.real * scale
    size = float(np.linalg.norm(row))
    row /= size
    target = float(guess.row.real @ x) / size
    u, ok = problem.newton(u, row, target, iterations=25)
    if not ok:
        return None
    found = critical_eigenvalue(problem, u, critical)
    if guess.label == NEUTRAL:
        # Of two real multipliers l and 1/l with l + 1/l = 2 kappa.
        found = complex(u[-1] + np.sqrt(u[-1] ** 2 - 1.0)) if u[-1] > 1.0 else None
    states, parameters = problem.states(u), problem.parameters(u)
    base = point.system.with_parameters(**dict(zip(point.free, parameters.tolist(), strict=True)))
    moved = float(np.linalg.norm(base.rhs(states, None) - states))
    home = np.array([point.parameters[k] for k in point.free])
    near = np.linalg.norm(states - point.x) < 5.0 * distance * np.linalg.norm(guess.direction)
    if found is None or not near or moved < 0.2 * distance * float(np.linalg.norm(guess.direction)):
        return None
    start = make_point(problem, u, guess.label, found, "")
    outward = np.concatenate([states - point.x, parameters - home]).astype(complex)
    return replace(start, vectors={"outward": outward}, note=f"From {point.name or point.label}, traced away from it.")


def _saddle(point: Point, guess: _Guess, distance: float) -> Point | None:
    """A point of period three at a distance from a 1:3 resonance: its phase chosen, both parameters solved for."""
    system = iterate(point.system, guess.times)
    n = system.n
    columns = [n + system.parameter_index(name) for name in point.free]
    x = point.x + distance * guess.direction
    values = np.array([point.parameters[name] for name in point.free])
    rows = np.array([guess.row.real, guess.row.imag])
    goal = rows @ x
    for _ in range(25):
        here = system.with_parameters(**dict(zip(point.free, values.tolist(), strict=True)))
        j = here.jacobian(x)
        matrix = np.zeros((n + 2, n + 2))
        matrix[:n, :n], matrix[:n, n:], matrix[n:, :n] = j[:, :n] - np.eye(n), j[:, columns], rows
        right = np.concatenate([here.rhs(x) - x, rows @ x - goal])
        try:
            step = np.linalg.solve(matrix, right)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(step).all():
            return None
        x, values = x - step[:n], values - step[n:]
        if float(np.max(np.abs(step))) < 1e-13 * (1.0 + float(np.max(np.abs(x)))):
            break
    else:
        return None
    here = system.with_parameters(**dict(zip(point.free, values.tolist(), strict=True)))
    spectrum = np.linalg.eigvals(here.jacobian(x)[:, :n]).astype(complex)
    return Point(here, x, spectrum, free=point.free, note=f"From {point.name or point.label}.")
