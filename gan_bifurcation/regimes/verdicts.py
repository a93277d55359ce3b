"""Verdicts: whether an orbit converges, oscillates, stalls or diverges in the long run, one cell or many at once."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.regimes.draws import FEWEST_STEPS, budget_of
from gan_bifurcation.regimes.judging import KINDS, Options, judge_cells
from gan_bifurcation.regimes.limits import seen_states, spectra
from gan_bifurcation.system import System

__all__ = ["LocalVerdict", "Verdict", "Verdicts", "classify", "classify_many", "local_verdict"]

FloatArray = NDArray[np.float64]

_CELLS_PER_TASK: Final = {"map": 512, "flow": 64}


@dataclass(frozen=True)
class Verdict:
    """What becomes of one orbit.

    Attributes
    ----------
    kind : "converges", "oscillates", "stalls" or "diverges"
    detail : str
        converges: "monotone" or "spiralling" (turning or alternating), by the slowest mode that the generator's states
        see; oscillates: "cycle", "circle" (an invariant circle of a map), "torus", "winding" (an angle goes round
        and round), "chaotic", "centre" (round an equilibrium that neither attracts nor repels, each start at its own
        distance), or "unresolved" (it comes back, but shows too little to tell which of these); otherwise a short
        reason, such as the name of an ending.
    reason : str
        A sentence.
    rate : float
        Exponential rate of the slowest observable mode: distances shrink by exp(-rate) per iteration, or per unit of
        time of a flow. Not a number where no equilibrium was found; of the one inside an oscillation, negative.
    iterations_to_1_e : float
        1/rate: how long until a distance has shrunk to 1/e.
    multiplier : complex
        The slowest observable multiplier of a map, or eigenvalue of a flow.
    has_rotating_modes : bool
        Whether any observable mode turns or alternates, also where a faster one.
    amplitude : dict of str to float
        Largest minus smallest value of each state over the last half of the budget; 0 if it converged before.
    period : float
        Of an oscillation: iterations or time for one turn (a whole number of iterations of a map's cycle). Not a number
        where there is none.
    rotation : float
        Turns per iteration of a map that oscillates; not a number for a flow.
    exponent : float
        The largest Lyapunov exponent of what is chaotic, per iteration or unit of time; otherwise not a number.
    limit : dict of str to float
        The equilibrium if it converges, the last state otherwise.
    steps : float
        Iterations or time used.
    confidence : float
        1: shown by the limit's spectrum or by leaving the domain; about 0.9: seen to recur; below: slow, told from
        others by longer runs (0.8), unresolved (0.6) or undecided.
    """

    kind: str
    detail: str
    reason: str
    rate: float
    iterations_to_1_e: float
    multiplier: complex
    has_rotating_modes: bool
    amplitude: dict[str, float]
    period: float
    rotation: float
    exponent: float
    limit: dict[str, float]
    steps: float
    confidence: float

    def __str__(self) -> str:
        return f"{self.kind} ({self.detail})" if self.detail else self.kind

    def __repr__(self) -> str:
        # Numbers of every state would fill a screen.
        return f"<Verdict: {self}. {self.reason}>"


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Verdicts on many cells, as columns; an index gives one `Verdict`.

    Attributes
    ----------
    system : System
    kind, detail, reason : array of str (cells,)
    rate, period, rotation, exponent, steps, confidence : array (cells,)
    multiplier : complex array (cells,)
    has_rotating_modes : bool array (cells,)
    amplitude, limit : array (cells, n)
    """

    system: System
    kind: NDArray[np.str_]
    detail: NDArray[np.str_]
    reason: NDArray[np.object_]
    rate: FloatArray
    multiplier: NDArray[np.complex128]
    has_rotating_modes: NDArray[np.bool_]
    amplitude: FloatArray
    period: FloatArray
    rotation: FloatArray
    exponent: FloatArray
    limit: FloatArray
    steps: FloatArray
    confidence: FloatArray

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, cell: int) -> Verdict:
        rate = float(self.rate[cell])
        names = self.system.states
        return Verdict(
            str(self.kind[cell]), str(self.detail[cell]), str(self.reason[cell]), rate,
            1.0 / rate if rate > 0.0 else float("nan" if np.isnan(rate) else "inf"), complex(self.multiplier[cell]),
            bool(self.has_rotating_modes[cell]), dict(zip(names, self.amplitude[cell].tolist(), strict=True)),
            float(self.period[cell]), float(self.rotation[cell]), float(self.exponent[cell]),
            dict(zip(names, self.limit[cell].tolist(), strict=True)), float(self.steps[cell]),
            float(self.confidence[cell]),
        )  # fmt: skip

    def counts(self) -> dict[str, int]:
        """How many cells have each kind."""
        return {kind: int(np.count_nonzero(self.kind == kind)) for kind in KINDS}


@dataclass(frozen=True)
class LocalVerdict:
    """What the linear theory says about an equilibrium or fixed point.

    Attributes
    ----------
    stable : bool
        Whether all multipliers are inside the unit circle, or all eigenvalues in the left half plane.
    detail : "monotone" or "spiralling"
        Of the slowest observable mode; of an unstable point the one that grows fastest.
    rate : float
        Exponential rate of that mode, negative if it grows.
    iterations_to_1_e : float
    multiplier : complex
        That mode's multiplier or eigenvalue.
    has_rotating_modes : bool
        Whether any observable mode turns or alternates.
    radius : float
        Largest modulus of all multipliers, or largest real part of all eigenvalues.
    spectrum : tuple of complex
        All of them, the least stable first.
    """

    stable: bool
    detail: str
    rate: float
    iterations_to_1_e: float
    multiplier: complex
    has_rotating_modes: bool
    radius: float
    spectrum: tuple[complex, ...]


def local_verdict(system: System, x: Any, p: Any = None) -> LocalVerdict:
    """How orbits near an equilibrium of a flow, or a fixed point of a map, approach or leave it.

    Parameters
    ----------
    system : System
    x : mapping or array (n,)
        The point; it is not checked to be one.
    p : array (m,), optional
        Parameters, the system's own by default.

    Returns
    -------
    LocalVerdict

    Notes
    -----
    "Monotone" or "spiralling" is judged by the slowest mode that is observable in the generator's states: a kernel
    discriminator has a slow real mode that the generated points never see.

    Examples
    --------
    >>> spiral = System.from_equations("flow", {"x": "-0.1*x - y", "y": "x - 0.1*y"})
    >>> verdict = local_verdict(spiral, [0.0, 0.0])
    >>> verdict.stable, verdict.detail, verdict.iterations_to_1_e
    (True, 'spiralling', 10.0)
    """
    is_map = system.kind == "map"
    jacobian = system.jacobian(system.state_vector(x), p)[:, : system.n]
    if not np.all(np.isfinite(jacobian)):
        raise MisuseError(f"The Jacobian of '{system.name}' is not finite at {np.asarray(x)!r}; choose another point.")
    found = spectra(jacobian[None], seen_states(system), is_map)
    values = np.linalg.eigvals(jacobian).astype(complex)
    size = np.abs(values) if is_map else values.real
    slowest = complex(found.slowest[0])
    rate = -float(np.log(max(abs(slowest), 1e-300))) if is_map else -slowest.real
    turning = abs(slowest.imag) > 1e-9 * abs(slowest) or (is_map and slowest.real < 0.0)
    return LocalVerdict(
        bool(size.max() < (1.0 if is_map else 0.0)),
        "spiralling" if turning else "monotone",
        rate,
        1.0 / rate if rate != 0.0 else float("inf"),
        slowest,
        bool(found.rotating[0]),
        float(size.max()),
        tuple(complex(v) for v in values[np.argsort(-size, kind="stable")]),
    )


def classify(
    system: System,
    initial: Any,
    *,
    steps: int | None = None,
    duration: float | None = None,
    parameters: Mapping[str, float] | None = None,
    tolerance: float = 1e-4,
    bound: float = 1e6,
) -> Verdict:
    """The verdict on the orbit from one initial state.

    Parameters
    ----------
    system : System
    initial : mapping or array (n,)
    steps : int, optional
        The budget of a map, 4000 by default.
    duration : float, optional
        The budget of a flow, 500 by default.
    parameters : mapping of str to float, optional
        Values that differ from the system's.
    tolerance : float
        A limit is reached, and an amplitude is nothing, below this part of the orbit's range.
    bound : float
        An orbit with a larger state diverges.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> logistic = System.from_equations("map", {"x": "r*x*(1 - x)"}, parameters={"r": 3.2})
    >>> verdict = classify(logistic, {"x": 0.3})
    >>> str(verdict), verdict.period
    ('oscillates (cycle)', 2.0)
    """
    if parameters:
        system = system.with_parameters(**parameters)
    found = classify_many(
        system, system.state_vector(initial)[None], steps=steps, duration=duration, tolerance=tolerance, bound=bound,
        workers=1,
    )  # fmt: skip
    return found[0]


def classify_many(
    system: System,
    initial: Any,
    parameters: Any = None,
    *,
    steps: int | None = None,
    duration: float | None = None,
    tolerance: float = 1e-4,
    bound: float = 1e6,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Verdicts:
    """Verdicts on many orbits, in compiled code on all cores; the result does not depend on their number.

    Parameters
    ----------
    system : System
    initial : array (cells, n) or (n,)
        One state for all cells is enough.
    parameters : array (cells, m) or (m,), optional
        Parameter vectors in the system's order; the system's own by default.
    steps, duration, tolerance, bound
        As for `classify`.
    workers : int, optional
        Threads, one for each core by default.
    progress : callable, optional
        Called with the number of cells that were done since the last call.

    Returns
    -------
    Verdicts

    Examples
    --------
    >>> logistic = System.from_equations("map", {"x": "r*x*(1 - x)"}, parameters={"r": 3.2})
    >>> found = classify_many(logistic, [0.3], np.array([[0.5], [2.5], [3.2], [5.0]]))
    >>> found.kind.tolist()
    ['converges', 'converges', 'oscillates', 'diverges']
    """
    is_map = system.kind == "map"
    budget = budget_of(system, steps, duration).length
    if not (np.isfinite(budget) and budget > 0.0 and (not is_map or budget >= FEWEST_STEPS)):
        expected = f"a whole number of steps, at least {FEWEST_STEPS}" if is_map else "a positive duration"
        raise MisuseError(f"The budget of a verdict is {expected}, got {budget:g}.")
    if not (0.0 < tolerance < 0.1 and bound > 0.0):
        raise MisuseError(f"Expected a tolerance between 0 and 0.1 and a positive bound, got {tolerance!r}, {bound!r}.")
    x, p = (
        _table(initial, system.n, "initial states"),
        _table(system.parameter_vector() if parameters is None else parameters, system.m, "parameters"),
    )
    cells = max(len(x), len(p)) if len(x) and len(p) else 0
    if {len(x), len(p)} - {1, cells}:
        raise MisuseError(
            f"Got {len(x)} initial states for {len(p)} parameter vectors; give equally many, or one of either."
        )
    x = np.ascontiguousarray(np.broadcast_to(x, (cells, system.n)))
    p = np.ascontiguousarray(np.broadcast_to(p, (cells, system.m)))
    options = Options(budget, float(tolerance), float(bound))
    size = _CELLS_PER_TASK[system.kind]
    tasks = [slice(a, min(a + size, cells)) for a in range(0, cells, size)]
    seen = seen_states(system)

    def run(task: slice) -> dict[str, NDArray[Any]]:
        return judge_cells(system, x[task], p[task], seen, options)

    columns: list[dict[str, NDArray[Any]]] = []
    workers = min(workers or os.cpu_count() or 1, max(len(tasks), 1))
    if workers == 1:
        for task in tasks:
            columns.append(run(task))
            if progress is not None:
                progress(task.stop - task.start)
    else:
        with ThreadPoolExecutor(workers) as pool:
            for task, column in zip(tasks, pool.map(run, tasks), strict=True):
                columns.append(column)
                if progress is not None:
                    progress(task.stop - task.start)
    if not columns:
        columns = [judge_cells(system, x, p, seen, options)]
    return Verdicts(system, **{name: np.concatenate([c[name] for c in columns]) for name in columns[0]})


def _table(given: Any, width: int, what: str) -> FloatArray:
    table = np.array(given, dtype=float)
    if table.ndim == 1:
        table = table[None]
    if table.ndim != 2 or table.shape[1] != width:
        raise MisuseError(f"The {what} have the shape {np.shape(given)}, expected (cells, {width}).")
    if not np.all(np.isfinite(table)):
        raise MisuseError(f"The {what} hold a number that is not finite; give finite numbers.")
    return table
