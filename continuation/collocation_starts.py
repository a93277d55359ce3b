"""Starts of cycles: from a Hopf point, from a simulated orbit, from special points of cycles, and at fixed period."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation._cycle_borders import last_system, spread
from gan_bifurcation.continuation.collocation import DEGREE, INTERVALS, Collocation, natural_sizes, nodes_of
from gan_bifurcation.continuation.cycle_locating import crossing_at
from gan_bifurcation.continuation.forms import Forms
from gan_bifurcation.continuation.normal_forms import critical_vectors, normal_form
from gan_bifurcation.continuation.spectra import together
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.integrator import Event, Trajectory, integrate
from gan_bifurcation.profiles import Profile
from gan_bifurcation.ranges import Range
from gan_bifurcation.simulate import Orbit
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

# The first cycle lies this part of the parameter's own scale away from the Hopf point.
_NEAR: Final = 2e-4
# The last turn of an orbit that is this part of its way is rounding about an equilibrium.
_REST: Final = 1e-6
_NO_BORDERS: Final = np.zeros(0, dtype=np.int64)
_DEGREES: Final = range(2, 8)
# Where two branches cross, the first cycle of the other one lies this far away, in sizes of the states.
_SWITCH: Final = 1e-3


def _mesh(intervals: int, degree: int) -> FloatArray:
    if not (isinstance(intervals, int) and 4 <= intervals <= 2000):
        raise MisuseError(f"A cycle takes between 4 and 2000 intervals, got {intervals!r}.")
    if degree not in _DEGREES:
        raise MisuseError(f"The degree of a cycle's polynomials lies between 2 and 7, got {degree!r}.")
    return np.linspace(0.0, 1.0, intervals + 1)


def hopf_to_cycles(point: Point, *, intervals: int = INTERVALS, degree: int = DEGREE) -> ProfileStart:
    """The branch of cycles that is born at a Hopf point.

    Parameters
    ----------
    point : Point
        Labelled H, of a flow.
    intervals, degree : int
        Of the piecewise polynomials.

    Returns
    -------
    ProfileStart
        To be given to :func:`gan_bifurcation.trace` with the parameter that was free where the point was found.

    Raises
    ------
    MisuseError
        If the point is no Hopf point, a neutral saddle, or degenerate.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> circle = gb.System.from_equations(
    ...     "flow", {"x": "mu*x - y - x*(x**2 + y**2)", "y": "x + mu*y - y*(x**2 + y**2)"}, parameters={"mu": -0.5}
    ... )
    >>> equilibria = gb.trace(gb.point(circle, {"x": 0.0, "y": 0.0}), {"mu": (-1, 1)})
    >>> cycles = gb.trace(gb.hopf_to_cycles(equilibria["H1"]), {"mu": (-1, 1)})
    >>> round(float(cycles.measures["max_x"][-1]), 8), round(float(cycles.measures["period"][-1]), 8)
    (1.0, 6.28318531)
    """
    if not isinstance(point, Point):
        raise MisuseError(f"hopf_to_cycles takes a special point such as branch['H1'], got {type(point).__name__}.")
    name = point.name or point.label or "an ordinary point"
    if point.system.kind != "flow":
        raise MisuseError(
            f"Cycles are born at Hopf points of flows, but {name} belongs to a map; use "
            "gb.neimark_sacker_to_circles(branch['NS1'])."
        )
    if point.label != "H":
        raise MisuseError(f"hopf_to_cycles takes a point labelled H, got {name}.")
    mesh = _mesh(intervals, degree)
    if point.multiplicity > 1:
        raise MisuseError(
            f"{together(point)}, so several families of cycles start there; restrict the system to a fixed-point "
            "subspace with gb.restrict first."
        )
    omega = abs(point.critical.imag)
    if not omega > 0.0:
        raise MisuseError(f"{name} is a neutral saddle (its critical pair is real), so no cycle is born there.")
    form = dict(point.normal_form) or normal_form(point)
    if "c1" not in form or form["l1"] == 0.0:
        raise MisuseError(
            f"The first Lyapunov coefficient of {name} vanishes within rounding: it is degenerate, or a centre whose "
            "cycles all lie at this parameter value, as where a quantity is conserved; start from a Hopf point nearby, "
            "or from an orbit with gb.orbit_to_cycle."
        )
    parameter = point.free[0] if len(point.free) == 1 else ""
    speeds = form.get("speed", {})
    parameter = parameter or (point.free[0] if point.free else "")
    speed = speeds.get(parameter, 0.0)
    if not parameter or speed == 0.0:
        raise MisuseError(
            f"The critical pair of {name} does not cross the imaginary axis when '{parameter}' varies, so the "
            "cycles that start there cannot be predicted; locate it on a branch over another parameter."
        )
    n = point.system.n
    a = np.ascontiguousarray(point.system.jacobian(point.x)[:, :n])
    q, _ = critical_vectors(a, 1j * omega)
    # r' = (speed dp) r + Re(c1) r^3 for x = x0 + 2 Re(r e^{i omega t} q)
    strength = -speed / float(np.real(form["c1"]))
    value = point.system.parameters[parameter]
    # A parameter that is nothing but rounding tells no scale, and where damping is weak its own is far away.
    scale = omega / abs(speed)
    scale = min(scale, abs(value) if abs(value) > 1e-6 * scale else 1.0)
    radius = float(np.sqrt(_NEAR * scale * abs(strength)))
    phases = nodes_of(mesh, degree)
    wave = 2.0 * np.real(np.exp(2j * np.pi * phases)[:, None] * q[None, :])
    change = radius**2 / strength
    shift = np.linalg.solve(a, -point.system.jacobian(point.x)[:, n + point.system.parameter_index(parameter)])
    # States that the critical pair does not move, as even functions of it, move with the square of the amplitude.
    forms = Forms(point.system, point.x)
    rr, ri, ii = (forms.form(u, v) for u, v in ((q.real, q.real), (q.real, q.imag), (q.imag, q.imag)))
    h11 = np.linalg.solve(a, -(rr + ii).real)
    h20 = np.linalg.solve(2j * omega * np.eye(n) - a, rr - ii + 2j * ri)
    square = h11 + np.real(np.exp(4j * np.pi * phases)[:, None] * h20[None, :])
    states = point.x + shift * change + radius * wave + radius**2 * square
    states[-1] = states[0]
    profile = Profile(phases, states, 2.0 * np.pi / omega, mesh=mesh)
    at = point.system.with_parameters(**{parameter: value + change})
    return ProfileStart(at, profile, parameter, wave, (0.0, 0.0), True, replace(point, normal_form=form))


def orbit_to_cycle(
    orbit: Orbit | Trajectory, *, system: System | None = None,
    intervals: int = INTERVALS, degree: int = DEGREE, longest: float = np.inf,
) -> ProfileStart:  # fmt: skip
    """The cycle that a simulated orbit has come close to.

    Parameters
    ----------
    orbit : Orbit or Trajectory
        Of a flow, as from :func:`gan_bifurcation.simulate`; its last state should be close to the cycle.
    system : System, optional
        That a trajectory belongs to.
    intervals, degree : int
        Of the piecewise polynomials.
    longest : float
        The longest period that is looked for; the duration of the orbit if it is not given.

    Raises
    ------
    MisuseError
        If the orbit does not come back to where it was.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> pol = gb.System.from_equations("flow", {"x": "y", "y": "mu*(1 - x**2)*y - x"}, parameters={"mu": 1.0})
    >>> start = gb.orbit_to_cycle(gb.simulate(pol, {"x": 2.0, "y": 0.0}, duration=50))
    >>> round(start.profile.period, 4)
    6.6633
    """
    if isinstance(orbit, Orbit):
        system, x, duration = orbit.system, orbit.states[-1], float(orbit.times[-1] - orbit.times[0])
    elif isinstance(orbit, Trajectory) and system is not None:
        x, duration = orbit.final_state, abs(orbit.final_time)
    else:
        raise MisuseError(
            f"orbit_to_cycle takes an orbit such as gb.simulate(system, start, duration=100), got "
            f"{type(orbit).__name__}."
        )
    if system.kind != "flow":
        raise MisuseError("Cycles belong to flows; a map's closed curves start with gb.orbit_to_circle.")
    mesh = _mesh(intervals, degree)
    horizon = min(longest, duration)
    f = system.rhs(x)
    speed = float(np.linalg.norm(f))
    # A section through the last state, across the flow.
    text = (
        " + ".join(
            f"({float(c)!r})*({s} - ({float(v)!r}))" for c, s, v in zip(f / speed, system.states, x, strict=True)
        )
        if speed > 0.0
        else "0"
    )
    if not speed > 1e-12 * (1.0 + float(np.linalg.norm(x))):
        raise MisuseError("The orbit ends at an equilibrium, so there is no cycle to start from.")
    run = integrate(system, x, horizon, events=[Event(text, direction=1)], times=np.linspace(0.0, horizon, 400))
    extent = float(np.max(np.ptp(run.states, axis=0))) if len(run.states) > 1 else 0.0
    distance = np.linalg.norm(run.event_states - x, axis=1)
    returns = [
        (t, d) for t, d in zip(run.event_times, distance, strict=True) if t > 1e-9 * horizon and d < 0.05 * extent
    ]
    if not returns:
        raise MisuseError(
            f"The orbit does not come back to its last state within a time of {horizon:g}, so it is close to no cycle; "
            "simulate longer, until it has settled."
        )
    best = min(d for _, d in returns)
    # The first return that is about as close as the closest one.
    period = float(next(t for t, d in returns if d <= 3.0 * best + 1e-6 * extent))
    # If the orbit goes on to settle: where multipliers are close to -1, two turns come closer than one at first.
    near = np.append(True, distance < 0.05 * extent)
    times, places = np.append(0.0, run.event_times)[near], np.vstack([x, run.event_states])[near]
    for turns in range(1, len(times) // 3):
        first, last = (float(np.linalg.norm(places[k] - places[k - turns])) for k in (turns, -1))
        if last <= 1e-2 * first + 1e-9 * extent:
            x, period = places[-1 - turns], float(times[-1] - times[-1 - turns])
            break
    phases = nodes_of(mesh, degree)
    course = integrate(system, x, period, times=phases * period)
    states = course.states.copy()
    # A spiral into an equilibrium goes on at random where the integrator's tolerance is reached.
    if np.max(np.ptp(states, axis=0)) < _REST * np.max(np.ptp(orbit.states, axis=0), initial=0.0):
        raise MisuseError("The orbit ends at an equilibrium, so there is no cycle to start from.")
    # Close the small gap by spreading it over the turn.
    states -= phases[:, None] * (states[-1] - states[0])
    return ProfileStart(system, Profile(phases, states, period, mesh=mesh))


def fixed_period(start: Point | ProfileStart) -> ProfileStart:
    """A cycle to be followed in two parameters with its period held fixed.

    Parameters
    ----------
    start : Point or ProfileStart
        A cycle of a branch, or what :func:`gan_bifurcation.orbit_to_cycle` made.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> pol = gb.System.from_equations(
    ...     "flow", {"x": "y", "y": "mu*(1 - x**2)*y - k*x"}, parameters={"mu": 1.0, "k": 1.0}
    ... )
    >>> start = gb.orbit_to_cycle(gb.simulate(pol, {"x": 2.0, "y": 0.0}, duration=50))
    >>> branch = gb.trace(gb.fixed_period(start), {"mu": (0.5, 2), "k": (0.5, 2)})
    >>> bool(abs(branch.measures["period"] - branch.measures["period"][0]).max() < 1e-9)
    True
    """
    if isinstance(start, ProfileStart):
        if start.kind != "cycle":
            raise MisuseError("Only cycles of flows have a period to be held fixed; an invariant circle has none.")
        return replace(start, held="period", one_sided=False, direction=None, parameter="")
    if isinstance(start, Point) and start.profile is not None and start.kind == "cycle":
        return ProfileStart(start.system, start.profile, point=start, held="period")
    raise MisuseError(f"fixed_period takes a cycle, such as a point of a branch of cycles, got {type(start).__name__}.")


def _at(point: Point) -> Collocation:
    """A collocation system at a cycle of a branch, with factors."""
    assert point.profile is not None
    name = point.free[0]
    value = point.system.parameters[name]
    # Any window does: it only gives the units of the parameter.
    window = {name: Range(value - max(abs(value), 1.0), value + max(abs(value), 1.0))}
    c = Collocation(point.system, window, point.profile.mesh, point.profile.degree, natural_sizes(point.profile.states))
    c.load(point.profile, point.system.parameters)
    c.tb[1] = 1.0
    c.begin()
    return c


def antiperiodic_vector(c: Collocation) -> FloatArray:
    """The solution of the variational equation that changes sign in one turn, (N m + 1, n), for factors at a flip."""
    n = len(c.scale)
    matrix = np.zeros((n, n))
    last_system(c.state, -1.0, _NO_BORDERS, _NO_BORDERS, matrix)
    x = np.ascontiguousarray(np.linalg.svd(matrix)[2][-1])
    out = np.zeros_like(c.u)
    spread(c.state, -1.0, _NO_BORDERS, x, 0.0, out)
    return out


def double_cycles(point: Point) -> ProfileStart:
    """The branch of cycles of twice the period at a flip of cycles; see `flip_to_period_two`."""
    c = _at(point)
    phi = antiperiodic_vector(c)
    phi /= float(np.sqrt(np.mean(phi**2)))
    p = point.profile
    assert p is not None
    mesh = np.concatenate([0.5 * p.mesh, 0.5 + 0.5 * p.mesh[1:]])
    direction = np.concatenate([phi, -phi[1:]]) * c.scale
    states = np.concatenate([p.states, p.states[1:]]) + _SWITCH * direction
    profile = Profile(nodes_of(mesh, p.degree), states, 2.0 * p.period, mesh=mesh)
    return ProfileStart(point.system, profile, point.free[0], direction, (0.0, 0.0), True, point)


def crossing_cycles(point: Point) -> ProfileStart:
    """The other branch of cycles through a branch point; see `branch_point_to_branch`."""
    c = _at(point)
    p, name = point.profile, point.free[0]
    assert p is not None
    crossing = crossing_at(c, p, c.b[:2])
    pair = None if crossing is None else crossing.tangents()
    if crossing is None or pair is None:
        raise MisuseError(
            f"The two branches at {point.name or point.label} could not be told apart: it is no simple branch point, "
            "or the mesh is too coarse; start from an orbit beside it with gb.orbit_to_cycle."
        )
    window = c.free[name]
    width = window.high - window.low
    heads = [np.concatenate([t.states[0] * c.scale, [t.period, t.parameter * width]]) for t in pair]
    known = point.vectors["branch"].real if "branch" in point.vectors else np.zeros(len(heads[0]))
    sizes = np.append(c.scale, [p.period, width])
    along = [abs(float((h / sizes) @ (known / sizes))) / max(float(np.linalg.norm(h / sizes)), 1e-300) for h in heads]
    # Where the branch that was followed is not known, it is the one along which the parameter varies more.
    if not known.any():
        along = [abs(t.parameter) for t in pair]
    other = pair[1 - int(np.argmax(along))]
    size = float(np.sqrt(np.mean(other.states**2)))
    direction, period = other.states / size * c.scale, other.period / size
    speed = other.parameter * width / size
    if abs(speed) < 1e-8 * width:
        speed = 0.0
    profile = Profile(p.phases, p.states + _SWITCH * direction, p.period + _SWITCH * period, mesh=p.mesh)
    at = point.system.with_parameters(**{name: point.system.parameters[name] + _SWITCH * speed})
    return ProfileStart(at, profile, name, direction, (period, speed), False, point)
