"""Integration of flows: adaptive steps of order 8, dense output, tangent vectors, located events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import flow_kernels as fk
from gan_bifurcation import flow_steps as fs
from gan_bifurcation.errors import MisuseError, Outcome, unknown_name
from gan_bifurcation.flow_modes import BRIEF, CHATTER, Course, Modes, careful
from gan_bifurcation.jet_transport import Passage, Piece
from gan_bifurcation.observables import observable_tape
from gan_bifurcation.system import System

__all__ = ["Event", "Trajectory", "integrate"]

FloatArray = NDArray[np.float64]

_ACTIONS: Final = {"record": fs.RECORD, "stop": fs.STOP, "restart": fs.RESTART}
# Steps between two looks at what the interpreter has to do, such as an interrupt.
_CHUNK: Final = 100_000
_ROOM: Final = 64
# So many steps in a row at the border of stability mean that accuracy does not set the step (Hairer and Wanner).
_STIFF: Final = 15


@dataclass(frozen=True)
class Event:
    """A scalar function of states and parameters whose sign changes are looked for.

    Attributes
    ----------
    expression : str
    direction : 1, -1 or 0
        Upwards only, downwards only, or both.
    action : "record", "stop" or "restart"
        Whether the integration goes on, ends there, or starts again from there (where the right-hand side has a kink).

    Examples
    --------
    >>> Event("x - 1", direction=1, action="stop")
    Event(expression='x - 1', direction=1, action='stop')
    """

    expression: str
    direction: int = 0
    action: Literal["record", "stop", "restart"] = "record"

    def __post_init__(self) -> None:
        if self.direction not in (-1, 0, 1):
            raise MisuseError(f"The direction of an event is -1, 0 or 1, got {self.direction!r}.")
        if self.action not in _ACTIONS:
            raise unknown_name("action of an event", str(self.action), _ACTIONS)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What an integration found. Tangents are None unless they were asked for.

    Attributes
    ----------
    times : array (N,)
        The requested times that were reached.
    states : array (N, n)
    tangents : array (N, n, k) or None
    final_time : float
    final_state : array (n,)
    final_tangent : array (n, k) or None
    event_times : array (E,)
        In the order in which they were met.
    event_states : array (E, n)
    event_tangents : array (E, n, k) or None
    event_indices : int array (E,)
        Which of the events each one is.
    outcome : Outcome
        Converged if the end, or an event that stops, was reached.
    steps, rejected, evaluations : int
    stiff : bool
        Whether stability, and not accuracy, kept the steps small for a while.
    switch_times : array (S,)
        When a right-hand side with kinks went over from one smooth piece to another.
    passages : tuple of Passage
        The parts of the orbit in smooth pieces, one after the other.
    """

    times: FloatArray
    states: FloatArray
    tangents: FloatArray | None
    final_time: float
    final_state: FloatArray
    final_tangent: FloatArray | None
    event_times: FloatArray
    event_states: FloatArray
    event_tangents: FloatArray | None
    event_indices: NDArray[np.int64]
    outcome: Outcome
    steps: int
    rejected: int
    evaluations: int
    stiff: bool
    switch_times: FloatArray
    passages: tuple[Passage, ...] = ()


def integrate(
    system: System,
    initial: Any,
    duration: float,
    *,
    times: Iterable[float] | None = None,
    parameters: Mapping[str, float] | None = None,
    tangent: Any = None,
    parameter_directions: Any = None,
    events: Sequence[Event] = (),
    tolerance: float = 1e-10,
    largest_step: float = np.inf,
    bound: float = 1e12,
    most_steps: int = 1_000_000,
) -> Trajectory:
    """Integrate a flow with the method of Dormand and Prince of order 8.

    Parameters
    ----------
    system : System
        A flow.
    initial : mapping or array (n,)
    duration : float
        Negative to go backwards.
    times : iterable of float, optional
        Where the state is wanted (by dense output of order 7), from 0 to the duration, in the order of the integration.
    parameters : mapping of str to float, optional
        Values that differ from the system's.
    tangent : array (n, k), optional
        Tangent vectors T that are carried along by the variational equation T' = (df/dx) T + (df/dp) P.
    parameter_directions : array (m, k), optional
        P; zero if it is not given. With tangent = [1 0] and P = [0 1] the final tangent is the derivative of the final
        state by the initial state and the parameters.
    events : sequence of Event
        Located to 1e-12 relative to the time, and as accurate as the integration.
    tolerance : float
        On the error of a step, relative and absolute.
    largest_step, bound : float
        The integration ends where a state exceeds the bound.
    most_steps : int

    Returns
    -------
    Trajectory

    Raises
    ------
    MisuseError
        If the system is a map, or a time, name or shape does not fit.

    Notes
    -----
    A start on the zero set of an event is no event; so the orbit of a Poincare map can start on its section.

    A right-hand side with kinks (abs, sign, min, max, choices) is integrated piece by piece: where one of its switching
    functions (:attr:`System.switching_functions`) vanishes, the next smooth piece takes over, sliding along the surface
    where both sides lead onto it; tangent vectors jump there as they must.

    References
    ----------
    Hairer, Norsett, Wanner: Solving Ordinary Differential Equations I, 2nd ed. (1993), II.5, II.6 and II.10.

    Examples
    --------
    >>> flow = System.from_equations("flow", {"x": "y", "y": "-x"})
    >>> result = integrate(flow, [1.0, 0.0], 10.0, events=[Event("x", direction=-1, action="stop")])
    >>> float(result.final_time)
    1.5707963
    """
    if system.kind != "flow":
        raise MisuseError(f"Only a flow can be integrated, got the map '{system.name}'; use gb.simulate for orbits.")
    for name, value in (("duration", duration), ("tolerance", tolerance), ("largest step", 1.0 / largest_step)):
        if not np.isfinite(value) or (name != "duration" and value < 0.0):
            raise MisuseError(f"The {name} {value!r} of an integration is no usable number.")
    if not 1e-15 <= tolerance <= 0.1:
        raise MisuseError(f"The tolerance of an integration is {tolerance:g}, expected between 1e-15 and 0.1.")
    for name in parameters or {}:
        system.parameter_index(name)
    n, m = system.n, system.m
    p = system.parameter_vector(**(parameters or {}))
    carried, directions = _tangents(tangent, parameter_directions, n, m)
    k = 0 if carried is None else carried.shape[1]
    wanted = _wanted(times, duration)
    y = np.zeros((1, n + n * k))
    y[0, :n] = system.state_vector(initial)
    g = None
    if carried is not None:
        y[0, n:] = carried.ravel()
        g = np.zeros((system.tape.slots, k))
        g[n : n + m] = directions
    size = y.shape[1]
    clock = fs.make_clock(1, 0.0, float(duration))
    states = np.zeros((1, len(wanted), size))
    kinds = [event.direction for event in events], [_ACTIONS[event.action] for event in events]
    texts = [event.expression for event in events]
    room = max(_ROOM, 8 * fs.LOOKS * len(events))
    modes: Modes | None = None
    if system.switching_functions:
        p_directions = np.zeros((m, 0)) if directions is None else directions
        modes = Modes(system, texts, kinds, p, p_directions, size, 1.0 if duration >= 0.0 else -1.0, room)
        course = modes.start(y[0])
        data, p_row, scratch, guards, g = _unpacked(course)
    else:
        data, p_row, scratch, guards = system.tape.data, p[None], fs.make_scratch(system.tape, size), None
        if events:
            guards = fs.make_guards(observable_tape(system, texts), *kinds, 1, room, size)
            if g is None:
                # No tangent vectors are the empty set of them: one compiled version serves events with and without.
                g = np.zeros((system.tape.slots, 0))
    found: list[tuple[FloatArray, FloatArray, NDArray[np.int64]]] = []
    switch_times: list[float] = []
    chattering = False
    passages: list[Passage] = []
    stopped_by = -1
    count = clock.counts[0]
    while True:
        before = int(count[0])
        settings = fs.Settings(
            float(tolerance), float(tolerance), float(largest_step), float(bound), min(_CHUNK, most_steps - before)
        )
        fk.march(data, p_row, y, clock, settings, wanted, states, scratch, g, guards)
        if guards is not None:
            kept = slice(int(count[5]))
            met = guards.times[0, kept].copy(), guards.states[0, kept].copy(), guards.which[0, kept].copy()
            count[5] = 0
            if modes is None:
                found.append(met)
            else:
                own = met[2] < len(events)
                found.append((met[0][own], met[1][own], met[2][own]))
                if count[7] == fk.STOPPED and not own[-1]:
                    time = float(clock.real[0, 0])
                    switch_times.append(time)
                    recent = switch_times[-CHATTER:]
                    chattering = len(recent) == CHATTER and abs(time - recent[0]) <= BRIEF * abs(duration)
                    beside = _beside(modes.coincident(course, y[0], time), events, found, time, y)
                    found.append(beside)
                    stopping = [q for q in beside[2].tolist() if events[q].action == "stop"]
                    begun = sum(passage.duration for passage in passages)
                    ended = stopping[-1] if stopping else int(met[2][-1])
                    passages.append(Passage(_piece(course), time - begun, course.piece.watched, ended))
                    course = modes.switch(course, int(met[2][-1]) - len(events), y[0])
                    data, p_row, scratch, guards, g = _unpacked(course)
                    careful(clock)
                    if stopping:
                        stopped_by = ended
                        break
                    if chattering or int(count[0]) >= most_steps:
                        count[7] = fk.STEP_LIMIT
                        break
                    continue
        full = count[7] == fk.FULL or (count[7] == fk.STEP_LIMIT and int(count[0]) < most_steps)
        if not full:
            break
    reached = int(count[4])
    event_times = np.concatenate([f[0] for f in found]) if found else np.zeros(0)
    event_states = np.concatenate([f[1] for f in found]) if found else np.zeros((0, size))
    event_indices = np.concatenate([f[2] for f in found]) if found else np.zeros(0, dtype=np.int64)

    def split(rows: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        return rows[..., :n].copy(), rows[..., n:].reshape(*rows.shape[:-1], n, k).copy() if k else None

    if stopped_by < 0:
        # The last part, to its end or to the event that stopped it.
        stopped_by = int(event_indices[-1]) if count[7] == fk.STOPPED else -1
        watched = observable_tape(system, texts) if modes is None and events else None
        piece = Piece(system.tape, p)
        if modes is not None:
            piece, watched = _piece(course), course.piece.watched
        rest = float(clock.real[0, 0]) - sum(passage.duration for passage in passages)
        passages.append(Passage(piece, rest, watched if stopped_by >= 0 else None, max(stopped_by, 0)))
    stiff = bool(count[6] >= _STIFF)
    final_state, final_tangent = split(y[0])
    return Trajectory(
        wanted[:reached],
        *split(states[0, :reached]),
        float(clock.real[0, 0]),
        final_state,
        final_tangent,
        event_times,
        *split(event_states),
        event_indices,
        _chattering(float(clock.real[0, 0]))
        if chattering
        else _outcome(int(count[7]), float(clock.real[0, 0]), events, event_indices, bound, most_steps, stiff),
        int(count[0]),
        int(count[1]),
        int(count[2]),
        stiff,
        np.array(switch_times),
        tuple(passages),
    )


def _piece(course: Course) -> Piece:
    return Piece(course.piece.tape, course.p[0].copy())


def _unpacked(course: Course) -> tuple[Any, FloatArray, fs.Scratch, fs.Guards, FloatArray]:
    return course.piece.tape.data, course.p, course.scratch, course.guards, course.g


def _beside(
    coincident: list[tuple[int, float]],
    events: Sequence[Event],
    found: list[tuple[FloatArray, FloatArray, NDArray[np.int64]]],
    time: float,
    y: FloatArray,
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Events on the very surface of a switch, as far as they are not among those that were found just before it."""
    near = 1e-11 * max(abs(time), 1.0)
    times, _, indices = found[-1]
    just = {int(q) for t, q in zip(times, indices, strict=True) if abs(t - time) <= near}
    new = [q for q, sign in coincident if q not in just and events[q].direction in (0, sign)]
    return np.full(len(new), time), np.repeat(y, len(new), axis=0), np.array(new, dtype=np.int64)


def _tangents(tangent: Any, directions: Any, n: int, m: int) -> tuple[FloatArray | None, FloatArray | None]:
    if tangent is None and directions is None:
        return None, None
    if tangent is None:
        given = np.array(directions, dtype=float)
        tangent = np.zeros((n, given.shape[-1] if given.ndim == 2 else 0))
    carried = np.array(tangent, dtype=float)
    if carried.ndim != 2 or carried.shape[0] != n or carried.shape[1] == 0:
        raise MisuseError(f"The tangent has the shape {carried.shape}, expected ({n}, k): one row for each state.")
    given = np.zeros((m, carried.shape[1])) if directions is None else np.array(directions, dtype=float)
    if given.shape != (m, carried.shape[1]):
        raise MisuseError(f"The parameter directions have the shape {given.shape}, expected {(m, carried.shape[1])}.")
    if not (np.all(np.isfinite(carried)) and np.all(np.isfinite(given))):
        raise MisuseError("The tangent vectors hold a number that is not finite; give finite numbers.")
    return carried, given


def _wanted(times: Iterable[float] | None, duration: float) -> FloatArray:
    wanted = np.array([] if times is None else list(times), dtype=float)
    inside = wanted / duration if duration else wanted
    if wanted.ndim != 1 or not np.all(np.isfinite(wanted)) or np.any(inside < 0.0) or np.any(inside > 1.0):
        raise MisuseError(f"The requested times must be a list of numbers between 0 and the duration {duration:g}.")
    if np.any(np.diff(inside) < 0.0):
        raise MisuseError("The requested times are not in the order of the integration; sort them.")
    return wanted


def _chattering(time: float) -> Outcome:
    return Outcome(
        "chattering",
        f"At time {time:g} the motion goes to and fro between smooth pieces without getting on: it slides along the "
        "surfaces of two kinks at once, for which no rule is known here; replace one of them by a smooth function.",
        False,
    )


def _outcome(
    code: int, time: float, events: Sequence[Event], indices: NDArray[np.int64], bound: float, limit: int, stiff: bool
) -> Outcome:
    at = f"at time {time:g}"
    hint = " The problem is stiff there: stability alone keeps the steps small." if stiff else ""
    event = events[int(indices[-1])].expression if code == fk.STOPPED else ""
    return {
        fk.FINISHED: Outcome("finished", "The whole duration was integrated.", True),
        fk.STOPPED: Outcome("stopped", f"The event '{event}' stopped the integration {at}.", True),
        fk.STEP_LIMIT: Outcome("step limit", f"The {limit} steps allowed ended {at}; allow more of them.{hint}", False),
        fk.TOO_LARGE: Outcome("too large", f"A state grew beyond {bound:g} {at}; raise the bound if need be.", False),
        fk.NOT_FINITE: Outcome("not finite", f"The right-hand side is not finite {at}; keep to its domain.", False),
        fk.STEP_TOO_SMALL: Outcome("step too small", f"The steps became too small {at}, as near a singularity.", False),
    }[code]
