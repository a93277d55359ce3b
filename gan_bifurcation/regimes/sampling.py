"""What happens at given parameter values: attractors from the spectrum, and from runs where no equilibrium attracts."""

import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch
from gan_bifurcation.continuation.equilibria import damped_newton
from gan_bifurcation.continuation.problem import CurveProblem, compute_spectrum
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.lanes import INSIDE
from gan_bifurcation.regimes.borders import in_domain
from gan_bifurcation.regimes.limits import seen_states, spectra
from gan_bifurcation.regimes.march import Cells
from gan_bifurcation.regimes.verdicts import Verdict, classify_many
from gan_bifurcation.regimes.window import Window
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

_logger = logging.getLogger(__name__)

# Points are evaluated in groups of this size, whatever the number of workers.
CHUNK: Final = 128
_GUESSES_OF_A_FAMILY: Final = 10
# A run of less confidence than this has not come to a decision.
DECIDED: Final = 0.6
# Closer to the border of stability than this is on it.
_ROUNDING: Final = 1e-12
_DISPLACEMENT: Final = 1e-2
# As `classify_many` has them.
_BOUND: Final = 1e6
_TICKS: Final = 4096
_FOLDINGS: Final = 15.0


@dataclass(frozen=True)
class Attractor:
    """What training ends in, as plain values.

    Attributes
    ----------
    verdict : str
        converges, oscillates, stalls or diverges.
    detail : str
        monotone or spiralling; cycle, circle, ...; or the reason.
    how : "spectrum" or "simulation"
    radius : float
        Of an equilibrium: largest modulus of its multipliers (maps), largest real part of its eigenvalues (flows); NaN
        otherwise.
    rate : float
        Exponential rate per iteration (flows: per time) of the slowest mode that the generator's states see.
    iterations : float
        Iterations (flows: time) to 1/e at that rate.
    rotating : bool
        Whether some mode rotates, if not the slowest.
    amplitude : float
        Of an oscillation: largest minus smallest value of the state that swings most; NaN otherwise.
    period : float
        Of an oscillation; NaN otherwise.
    confidence : float
        1 where it is proved by a spectrum, or by leaving the domain.
    state : tuple of float
        The equilibrium, or where the run ended.
    """

    verdict: str
    detail: str
    how: str
    radius: float = np.nan
    rate: float = np.nan
    iterations: float = np.nan
    rotating: bool = False
    amplitude: float = np.nan
    period: float = np.nan
    confidence: float = 1.0
    state: tuple[float, ...] = ()


@dataclass(frozen=True)
class Cell:
    """What was found at one point of the window.

    Attributes
    ----------
    unit : tuple of float
    stable : tuple of Attractor
        Equilibria that attract.
    run : Attractor or None
        What a run came to, if one was made.
    """

    unit: tuple[float, ...]
    stable: tuple[Attractor, ...]
    run: Attractor | None = None

    @property
    def local(self) -> tuple[tuple[str, str], ...]:
        """What the spectra say, for comparison."""
        return tuple(sorted((a.verdict, a.detail) for a in self.stable))

    @property
    def simulated(self) -> str:
        """What the run says, for comparison; "" if nothing beyond the spectra, or nothing that is certain."""
        if self.run is None or not self.decided or (self.stable and self.run.verdict == "converges"):
            return ""
        return self.run.verdict

    @property
    def decided(self) -> bool:
        """Whether something is known: an equilibrium attracts, or a run came to a decision."""
        return bool(self.stable) if self.run is None else self.run.confidence >= DECIDED

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.local, self.simulated)


@dataclass(frozen=True, eq=False)
class Sampler:
    """Finds what happens at points of the window. A plain value, so that other processes can use it.

    Attributes
    ----------
    system : System
    window : Window
    sheets : tuple of (family, unit, states)
        Pieces of the traced branches between their special points: guesses for the equilibria.
    families : tuple of int
        Of the branches, in their order.
    seen : tuple of str
        States that "monotone or spiralling" is about: the generator's, or all.
    initial : array (n,) or None
        Where runs start; without it, beside the equilibrium that training is at, where that does not attract.
    steps : int
        Iterations of a run (flows: duration).
    seed : int
    """

    system: System
    window: Window
    sheets: tuple[tuple[int, FloatArray, FloatArray], ...]
    families: tuple[int, ...]
    seen: tuple[str, ...]
    initial: FloatArray | None
    steps: int
    seed: int

    def at(self, unit: Any) -> System:
        return self.system.with_parameters(**self.window.values(unit))

    # -- equilibria ---------------------------------------------------------------------------------------------------

    def equilibria(self, unit: FloatArray, *, first_only: bool = False) -> list[FloatArray]:
        """All equilibria that branches lead to, that of the first family first."""
        system = self.at(unit)
        problem = CurveProblem(system, {})
        found: list[FloatArray] = []
        guesses: dict[int, list[tuple[float, FloatArray]]] = {}
        for family, places, states in self.sheets:
            d = np.linalg.norm(places - unit, axis=1)
            k = int(np.argmin(d))
            guesses.setdefault(family, []).append((float(d[k]), states[k]))
        for family in sorted(guesses):
            nearest = sorted(guesses[family], key=lambda g: g[0])[:_GUESSES_OF_A_FAMILY]
            for _, guess in nearest:
                x, ok = problem.newton(guess)
                size = 1.0 + float(np.max(np.abs(x)))
                if (
                    ok
                    and np.isfinite(x).all()
                    and all(np.max(np.abs(x - y)) > 1e-6 * size for y in found)
                    and in_domain(system, x)
                ):
                    found.append(x)
                    if first_only:
                        return found
        if not found and self.sheets:
            # The last resort is slow, but goes on where Newton's method alone gives up.
            everything = [guess for family in guesses.values() for guess in family]
            x, _, ok = damped_newton(system, min(everything, key=lambda g: g[0])[1])
            if ok and in_domain(system, x):
                found.append(x)
        return found

    # -- verdicts -----------------------------------------------------------------------------------------------------

    def cells(self, units: FloatArray) -> list[Cell]:
        """What happens at each point (k, d)."""
        stable: list[tuple[Attractor, ...]] = []
        wanted: list[int] = []
        starts: list[FloatArray] = []
        for i, unit in enumerate(np.asarray(units, dtype=float)):
            found = self.equilibria(unit)
            stable.append(self._stable(unit, found))
            if self.initial is not None or (not stable[-1] and found):
                wanted.append(i)
                starts.append(self._start(unit, found))
        runs: dict[int, Attractor] = {}
        if wanted:
            parameters = np.array([self.at(units[i]).parameter_vector() for i in wanted])
            results = classify_many(self.system, np.array(starts), parameters, workers=1, **self._budget)
            runs = {i: _from_run(results[k]) for k, i in enumerate(wanted)}
        return [
            Cell(tuple(np.asarray(u, dtype=float).tolist()), s, runs.get(i))
            for i, (u, s) in enumerate(zip(units, stable, strict=True))
        ]

    def escapes(self, units: FloatArray) -> list[bool | None]:
        """Whether the run leaves the domain or all bounds within the budget: cheaper than the whole verdict."""
        wanted, starts, parameters = self._places(units)
        if not wanted:
            return [None] * len(units)
        is_map = self.system.kind == "map"
        ticks = self.steps if is_map else _TICKS
        orbits = Cells(self.system, starts, parameters, 1.0 if is_map else self.steps / _TICKS, _BOUND, 1e-7)
        orbits.advance(np.arange(len(wanted)), ticks)
        known = {i: bool(code != INSIDE) for i, code in zip(wanted, orbits.codes.tolist(), strict=True)}
        if self.initial is None:
            for k, i in enumerate(wanted):
                # Beside an equilibrium that repels slowly, the budget is over before the run can go anywhere.
                if not known[i] and self._foldings(units[i], starts[k]) < _FOLDINGS:
                    del known[i]
        return [known.get(i) for i in range(len(units))]

    def _foldings(self, unit: FloatArray, start: FloatArray) -> float:
        """By how many powers of e a displacement grows over the budget."""
        system = self.at(unit)
        s = compute_spectrum(system, start)
        return float(self.steps * (np.log(np.max(np.abs(s))) if system.kind == "map" else np.max(s.real)))

    def runs(self, units: FloatArray) -> list[Attractor | None]:
        """What the run alone comes to at each point; None where there is no equilibrium to start beside."""
        wanted, starts, parameters = self._places(units)
        if not wanted:
            return [None] * len(units)
        results = classify_many(self.system, starts, parameters, workers=1, **self._budget)
        known = {i: _from_run(results[k]) for k, i in enumerate(wanted)}
        return [known.get(i) for i in range(len(units))]

    def _places(self, units: FloatArray) -> tuple[list[int], FloatArray, FloatArray]:
        """Where runs can be made: numbers of points, initial states, parameter vectors."""
        starts = []
        wanted = []
        for i, unit in enumerate(np.asarray(units, dtype=float)):
            found = [] if self.initial is not None else self.equilibria(unit, first_only=True)
            if self.initial is not None or found:
                starts.append(self._start(unit, found))
                wanted.append(i)
        parameters = np.array([self.at(units[i]).parameter_vector() for i in wanted])
        return wanted, np.array(starts), parameters

    def spectra(self, units: FloatArray) -> list[Cell]:
        """What the spectra alone say at each point."""
        return [
            Cell(tuple(unit.tolist()), self._stable(unit, self.equilibria(unit)))
            for unit in np.asarray(units, dtype=float)
        ]

    def _stable(self, unit: FloatArray, found: list[FloatArray]) -> tuple[Attractor, ...]:
        """The equilibria that attract."""
        system, is_map = self.at(unit), self.system.kind == "map"
        attracting = []
        for x in found:
            s = compute_spectrum(system, x)
            radius = float(np.max(np.abs(s)) if is_map else np.max(s.real))
            if radius < (1.0 if is_map else 0.0) - _ROUNDING:
                attracting.append((x, radius))
        if not attracting:
            return ()
        jacobians = np.array([system.jacobian(x)[:, : system.n] for x, _ in attracting])
        modes = spectra(jacobians, np.array([name in self.seen for name in system.states]), is_map)
        made = []
        for (x, radius), slowest, rotating in zip(
            attracting, modes.slowest.tolist(), modes.rotating.tolist(), strict=True
        ):
            turning = abs(slowest.imag) > 1e-9 * abs(slowest) or (is_map and slowest.real < 0.0)
            rate = -float(np.log(max(abs(slowest), 1e-300))) if is_map else -slowest.real
            made.append(
                Attractor(
                    "converges",
                    "spiralling" if turning else "monotone",
                    "spectrum",
                    radius,
                    rate,
                    1.0 / max(rate, 1e-300),
                    bool(rotating),
                    state=tuple(x.tolist()),
                )
            )
        return tuple(made)

    @property
    def _budget(self) -> dict[str, Any]:
        return {"steps": self.steps} if self.system.kind == "map" else {"duration": float(self.steps)}

    def _start(self, unit: FloatArray, found: list[FloatArray]) -> FloatArray:
        return self.initial if self.initial is not None else found[0] + self._displacement(unit, found[0])

    def _displacement(self, unit: FloatArray, x: FloatArray) -> FloatArray:
        """A direction that depends on the place alone, not on the order in which places are looked at."""
        key = tuple(int(v) for v in np.round(np.asarray(unit) * 2**30))
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
        direction = rng.standard_normal(len(x))
        return np.asarray(_DISPLACEMENT * (1.0 + np.max(np.abs(x))) * direction / np.linalg.norm(direction))


def make_sampler(
    system: System,
    window: Window,
    branches: Sequence[Branch],
    families: Sequence[int],
    initial: Any,
    steps: int,
    seed: int,
    seen: tuple[str, ...] = (),
) -> Sampler:
    """A sampler with the equilibria of traced branches as guesses.

    Raises
    ------
    MisuseError
        If `initial` is no state or `steps` is not positive.
    """
    if steps < (64 if system.kind == "map" else 1):
        raise MisuseError(f"A run needs at least 64 steps of a map or a duration of 1, got steps={steps}.")
    sheets = []
    for branch, family in zip(branches, families, strict=True):
        names = window.names
        base = [branch.system.parameters[n] for n in names]
        natural = np.tile(base, (len(branch), 1))
        for i, name in enumerate(branch.free):
            natural[:, names.index(name)] = branch.parameters[:, i]
        unit = window.to_unit(natural)
        cuts = sorted({int(np.floor(p.index)) + 1 for p in branch.special_points if p.label in ("LP", "BP")})
        edges = [0, *(c for c in cuts if 0 < c < len(branch)), len(branch)]
        sheets += [(family, unit[a:b], branch.states[a:b]) for a, b in itertools.pairwise(edges) if b > a]
    state = None if initial is None else system.state_vector(initial)
    if not seen:
        seen = tuple(name for name, visible in zip(system.states, seen_states(system), strict=True) if visible)
    return Sampler(system, window, tuple(sheets), tuple(families), seen, state, int(steps), int(seed))


def _work(task: tuple[Sampler, str, FloatArray]) -> list[Any]:
    sampler, what, units = task
    if what == "cells":
        return list(sampler.cells(units))
    if what == "spectra":
        return list(sampler.spectra(units))
    return list(sampler.runs(units) if what == "runs" else sampler.escapes(units))


class Evaluator:
    """Evaluates many points, each once, on any executor; results do not depend on the number of workers."""

    def __init__(self, sampler: Sampler, executor: Executor | None, report: Callable[[int, int, str], bool]) -> None:
        self.sampler = sampler
        self.executor = executor
        self.report = report
        self.known: dict[str, dict[tuple[float, ...], Any]] = {}
        self.stopped = False

    def __call__(self, units: Iterable[Any], text: str, what: str = "cells") -> list[Any]:
        """What `Sampler.cells`, `runs`, `escapes` or `spectra` says; None for what an interruption left out."""
        known = self.known.setdefault(what, {})
        keys = [tuple(float(v) for v in u) for u in units]
        new = [k for k in dict.fromkeys(keys) if k not in known]
        tasks = [(self.sampler, what, np.array(new[i : i + CHUNK])) for i in range(0, len(new), CHUNK)]
        if not self.stopped and tasks:
            results = map(_work, tasks) if self.executor is None else self.executor.map(_work, tasks)
            done = 0
            for (_, _, points), found in zip(tasks, results, strict=True):
                known.update({tuple(p.tolist()): c for p, c in zip(points, found, strict=True)})
                done += len(points)
                if not self.report(done, len(new), text):
                    self.stopped = True
                    break
        return [known.get(k) for k in keys]


def _from_run(verdict: Verdict) -> Attractor:
    oscillates = verdict.kind == "oscillates"
    amplitude = max(verdict.amplitude.values()) if oscillates else np.nan
    detail = verdict.detail or verdict.reason
    return Attractor(
        verdict.kind,
        detail,
        "simulation",
        rate=verdict.rate,
        iterations=verdict.iterations_to_1_e,
        amplitude=float(amplitude),
        period=verdict.period,
        confidence=verdict.confidence,
        state=tuple(verdict.limit.values()),
    )
