"""Orbits: a system run from an initial state, kept as plain arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import lanes
from gan_bifurcation.errors import MisuseError, Outcome, few, unknown_name
from gan_bifurcation.integrator import integrate
from gan_bifurcation.observables import domain_tape, guarded_tape
from gan_bifurcation.system import System

if TYPE_CHECKING:
    import pandas as pd

    from gan_bifurcation.regimes.verdicts import Verdict

__all__ = ["Orbit", "simulate"]

FloatArray = NDArray[np.float64]

# Steps between two looks at what the interpreter has to do, such as an interrupt.
_CHUNK: Final = 1_000_000
_MOST_NUMBERS: Final = 100_000_000
_SAMPLES: Final = 1001
_BOUND: Final = 1e100


@dataclass(frozen=True, eq=False)
class Orbit:
    """States of a system along one orbit.

    Attributes
    ----------
    system : System
        With the parameter values of this run.
    times : array (N,)
        Numbers of steps of a map, times of a flow; the first is 0.
    states : array (N, n)
    outcome : Outcome
        Converged if the orbit was run to its end; otherwise why it stopped: it left the domain, or is not finite. Its
        last state is then the first one outside the domain, or the last finite one.
    tolerance : float
        Of the integration of a flow.

    Examples
    --------
    >>> system = System.from_equations("map", {"x": "r*x*(1 - x)"}, parameters={"r": 2.0})
    >>> orbit = simulate(system, {"x": 0.1}, steps=20)
    >>> orbit.final_state
    {'x': 0.5}
    >>> orbit.verdict.kind
    'converges'
    """

    system: System
    times: FloatArray
    states: FloatArray
    outcome: Outcome
    tolerance: float = 1e-10

    def __post_init__(self) -> None:
        self.times.setflags(write=False)
        self.states.setflags(write=False)

    def __repr__(self) -> str:
        final = few([f"{k}={v:.6g}" for k, v in self.final_state.items()])
        return f"<Orbit of '{self.system.name}' to {self.times[-1]:.6g}: {len(self.times)} points, at last {final}>"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns of `states`."""
        return self.system.states

    @property
    def final_state(self) -> dict[str, float]:
        """The last state, by name."""
        return dict(zip(self.names, self.states[-1].tolist(), strict=True))

    def __getitem__(self, name: str) -> FloatArray:
        """The values of one state along the orbit, shape (N,)."""
        if name not in self.names:
            raise unknown_name("state", name, self.names)
        return self.states[:, self.names.index(name)]

    @cached_property
    def verdict(self) -> "Verdict":
        """What becomes of the orbit in the long run; it is run on if it is too short to tell."""
        from gan_bifurcation.regimes.verdicts import classify

        if self.system.kind == "flow":
            return classify(self.system, self.states[0], duration=max(2.0 * float(self.times[-1]), 500.0))
        return classify(self.system, self.states[0], steps=max(2 * int(self.times[-1]), 4000))

    def to_dataframe(self) -> "pd.DataFrame":
        """A pandas DataFrame with a column for each state, indexed by step or time."""
        import pandas as pd

        index = pd.Index(self.times, name="time" if self.system.kind == "flow" else "step")
        return pd.DataFrame(self.states.copy(), index=index, columns=list(self.names))


def simulate(
    system: System,
    initial: Any,
    steps: int | None = None,
    duration: float | None = None,
    samples: int | None = None,
    parameters: Mapping[str, float] | None = None,
    tolerance: float = 1e-10,
) -> Orbit:
    """Run a system from an initial state.

    Parameters
    ----------
    system : System
    initial : mapping of state to float, or array (n,)
    steps : int
        For a map: how often it is applied.
    duration : float
        For a flow.
    samples : int, optional
        About how many states to keep, evenly spaced and with both ends. All of a map's by default, 1001 of a flow's.
    parameters : mapping of str to float, optional
        Values that differ from the system's.
    tolerance : float
        Of the integration of a flow, relative and absolute.

    Returns
    -------
    Orbit

    Raises
    ------
    MisuseError
        If `steps` is missing for a map or `duration` for a flow, or a name or number does not fit.

    Examples
    --------
    >>> flow = System.from_equations("flow", {"x": "-x"})
    >>> simulate(flow, {"x": 1.0}, duration=1.0).final_state["x"]
    0.3678794411
    """
    if parameters:
        system = system.with_parameters(**parameters)
    start = system.state_vector(initial)
    if samples is not None and samples < 2:
        raise MisuseError(f"An orbit keeps at least 2 samples, its ends, but {samples} were asked for.")
    if system.kind == "map":
        if steps is None or duration is not None:
            raise MisuseError(f"'{system.name}' is a map: give steps, as simulate(system, initial, steps=1000).")
        return _run_map(system, start, _whole(steps), samples, tolerance)
    if duration is None or steps is not None:
        raise MisuseError(f"'{system.name}' is a flow: give a duration, as simulate(system, initial, duration=100.0).")
    return _run_flow(system, start, float(duration), _SAMPLES if samples is None else samples, tolerance)


def _whole(steps: Any) -> int:
    if isinstance(steps, bool) or int(steps) != steps or steps < 0:
        raise MisuseError(f"The number of steps is a whole number from 0 on, got {steps!r}.")
    return int(steps)


def _run_map(system: System, start: FloatArray, steps: int, samples: int | None, tolerance: float) -> Orbit:
    stride = 1 if samples is None else max(1, steps // (samples - 1))
    rows = steps // stride + 1
    if rows * system.n > _MOST_NUMBERS:
        raise MisuseError(
            f"{rows} states of {system.n} numbers are too many to keep; ask for fewer, as simulate(..., samples=10000)."
        )
    tape = guarded_tape(system)
    scratch = lanes.make_lane_scratch(tape, system.n, 1)
    x, p = start[None].copy(), system.parameter_vector()[None]
    low, high, ahead = np.zeros((3, 1, system.n))
    exits = np.zeros((1, 2), dtype=np.int64)
    record = np.zeros((1, system.n, rows))
    # Pieces of whole strides, so that the record goes on evenly; the state between two pieces is written twice.
    piece = max(_CHUNK // stride, 1) * stride
    for done in range(0, max(steps, 1), piece):
        part = record if steps <= piece else np.zeros((1, system.n, piece // stride + 1))
        lanes.sweep(
            tape.by_kind, system.iterations, x, p, min(piece, steps - done), _BOUND, scratch, low, high, ahead, exits,
            part, stride,
        )  # fmt: skip
        if part is not record:
            kept = record[:, :, done // stride : done // stride + part.shape[2]]
            kept[:] = part[:, :, : kept.shape[2]]
        if exits[0, 1] != lanes.INSIDE:
            break
    taken = int(exits[0, 0])
    times = np.arange(0, taken + 1, stride)
    states = np.ascontiguousarray(record[0, :, : len(times)].T)
    if times[-1] != taken:
        times, states = np.append(times, taken), np.vstack([states, x])
    return Orbit(system, times.astype(float), states, map_outcome(system, int(exits[0, 1]), taken), tolerance)


def map_outcome(system: System, code: int, step: int) -> Outcome:
    """How the run of a map ended, from the code of `lanes.sweep`."""
    if code == lanes.INSIDE:
        return Outcome("completed", f"All {step} steps were taken.", True)
    if code == lanes.NOT_FINITE:
        if system.tape.solves:
            message = (
                f"After step {step} Newton's method finds no next state: the equation of the step has no root near."
            )
            return Outcome("not finite", message, False)
        return Outcome("not finite", f"The state is not finite after step {step}.", False)
    if code == lanes.TOO_LARGE:
        return Outcome("too large", f"The state grew beyond all bounds after step {step}.", False)
    reason = system.domain[code - lanes.LEFT_DOMAIN][1].rstrip(".")
    return Outcome("left the domain", f"The orbit left the domain at step {step}: {reason}.", False)


def _run_flow(system: System, start: FloatArray, duration: float, samples: int, tolerance: float) -> Orbit:
    if not np.isfinite(duration):
        raise MisuseError(f"The duration of an orbit is a finite number, got {duration!r}.")
    if samples * system.n > _MOST_NUMBERS:
        raise MisuseError(f"{samples} states of {system.n} numbers are too many to keep; ask for fewer samples.")
    wanted = np.linspace(0.0, duration, samples)
    found = integrate(system, start, duration, times=wanted, tolerance=tolerance, bound=_BOUND, most_steps=10**7)
    times, states, outcome = found.times, found.states, found.outcome
    if not outcome:
        times, states = np.append(times, found.final_time), np.vstack([states, found.final_state])
    if system.domain:
        inside, code = first_outside(system, states, np.repeat(system.parameter_vector()[None], len(states), axis=0))
        if inside < len(states):
            reason = system.domain[code - lanes.LEFT_DOMAIN][1].rstrip(".")
            message = f"The orbit left the domain by time {times[inside]:g}: {reason}."
            return Orbit(
                system, times[: inside + 1].copy(), states[: inside + 1].copy(),
                Outcome("left the domain", message, False), tolerance,
            )  # fmt: skip
    if outcome.code == "finished":
        outcome = Outcome("completed", outcome.message, True)
    return Orbit(system, times.copy(), states.copy(), outcome, tolerance)


def first_outside(system: System, states: FloatArray, p: FloatArray) -> tuple[int, int]:
    """The first row of `states` outside the domain (their number if none), and the code of `lanes.sweep` for it."""
    codes = outside(system, states, p)
    out = np.flatnonzero(codes)
    return (int(out[0]), int(codes[out[0]])) if len(out) else (len(states), lanes.INSIDE)


def outside(system: System, states: FloatArray, p: FloatArray) -> NDArray[np.int64]:
    """For each row of `states` (rows, n) with its parameters (rows, m): INSIDE or the code of the bound it violates."""
    tape = domain_tape(system)
    low, high, ahead = np.zeros((3, *states.shape))
    exits = np.zeros((len(states), 2), dtype=np.int64)
    record = np.zeros((len(states), system.n, 0))
    scratch = lanes.make_lane_scratch(tape, system.n, len(states))
    lanes.sweep(
        tape.by_kind, 1, states.copy(), np.ascontiguousarray(p), 0, np.inf, scratch, low, high, ahead, exits, record, 1
    )
    codes: NDArray[np.int64] = exits[:, 1]
    return codes
