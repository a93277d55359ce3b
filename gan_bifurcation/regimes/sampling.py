"""What happens at given parameter values: attractors from the spectrum, and from runs where no equilibrium attracts."""

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.lanes import INSIDE
from gan_bifurcation.ranges import Range
from gan_bifurcation.regimes.attractor_set import AttractorSet
from gan_bifurcation.regimes.attractors import Attractor, Cell, attracting, from_run
from gan_bifurcation.regimes.basins import find
from gan_bifurcation.regimes.draws import BOUND, Budget, check_length, drawn
from gan_bifurcation.regimes.limits import seen_states
from gan_bifurcation.regimes.march import Cells
from gan_bifurcation.regimes.solving import Solver
from gan_bifurcation.regimes.verdicts import classify_many
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

_logger = logging.getLogger(__name__)

# Points are evaluated in groups of this size, whatever the number of workers.
CHUNK: Final = 128
_DISPLACEMENT: Final = 1e-2
# Seconds: pieces of work that take less are made again sooner than they are written.
_WORTH_KEEPING: Final = 0.1
_TICKS: Final = 4096
# By this part of the budget most orbits of a map have escaped that do.
_FIRST: Final = 6
_FOLDINGS: Final = 15.0


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
    folded : frozenset of int
        Families with folds or branch points.
    seen : tuple of str
        States that "monotone or spiralling" is about: the generator's, or all.
    initial : array (n,) or None
        Where runs start; without it, beside the equilibrium that training is at, where that does not attract.
    steps : int
        Iterations of a run (flows: duration).
    seed : int
        Of displaced starts, and of the initial conditions below.
    samples : int
        How many initial conditions `attractors` takes at a place; 0 if none are wanted.
    box : mapping of state to Range
        Where these are drawn.
    """

    system: System
    window: Window
    sheets: tuple[tuple[int, FloatArray, FloatArray], ...]
    families: tuple[int, ...]
    folded: frozenset[int]
    seen: tuple[str, ...]
    initial: FloatArray | None
    steps: int
    seed: int
    samples: int = 0
    box: Mapping[str, Range] = field(default_factory=dict)

    def at(self, unit: Any) -> System:
        return self.system.with_parameters(**self.window.values(unit))

    # -- equilibria ---------------------------------------------------------------------------------------------------

    @cached_property
    def _solver(self) -> Solver:
        return Solver(self.system, self.window, self.sheets, self.folded)

    def __getstate__(self) -> dict[str, Any]:
        # What is compiled does not travel to other processes; it is made there again.
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def equilibria(self, unit: Any, *, first_only: bool = False) -> list[FloatArray]:
        """All equilibria that branches lead to, that of the first family first."""
        return self._solver.equilibria(np.asarray(unit, dtype=float)[None], first_only=first_only)[0]

    # -- verdicts -----------------------------------------------------------------------------------------------------

    def cells(self, units: FloatArray) -> list[Cell]:
        """What happens at each point (k, d)."""
        units = np.asarray(units, dtype=float)
        equilibria = self._solver.equilibria(units)
        stable = self._stable(units, equilibria)
        wanted: list[int] = []
        starts: list[FloatArray] = []
        for i, found in enumerate(equilibria):
            if self.initial is not None or (not stable[i] and self.sheets):
                wanted.append(i)
                starts.append(self._start(units[i], found))
        runs: dict[int, Attractor] = {}
        if wanted:
            parameters = self._solver.parameters(units[wanted])
            words = self.budget.words(self.system)
            results = classify_many(self.system, np.array(starts), parameters, workers=1, **words)
            runs = {i: from_run(results[k]) for k, i in enumerate(wanted)}
        return [Cell(tuple(u.tolist()), s, runs.get(i)) for i, (u, s) in enumerate(zip(units, stable, strict=True))]

    def escapes(self, units: FloatArray) -> list[bool | None]:
        """Whether the run leaves the domain or all bounds within the budget: cheaper than the whole verdict."""
        wanted, starts, parameters = self._places(units)
        if not wanted:
            return [None] * len(units)
        is_map = self.system.kind == "map"
        ticks = self.steps if is_map else _TICKS
        orbits = Cells(self.system, starts, parameters, 1.0 if is_map else self.steps / _TICKS, self.bound, 1e-7)
        left, first = np.arange(len(wanted)), ticks // _FIRST
        # Many escape soon: the others are run on without them.
        for piece in (first, ticks - first) if is_map else (ticks,):
            orbits.advance(left, piece)
            left = left[orbits.codes[left] == INSIDE]
        known = {i: bool(code != INSIDE) for i, code in zip(wanted, orbits.codes.tolist(), strict=True)}
        staying = [k for k, i in enumerate(wanted) if not known[i]]
        if self.initial is None and staying:
            # Beside an equilibrium that repels slowly, the budget is over before the run can go anywhere.
            radii = self._solver.radii(parameters[staying], starts[staying])
            # By how many powers of e a displacement grows over the budget.
            foldings = self.steps * (np.log(np.maximum(radii, 1e-300)) if is_map else radii)
            for k in np.flatnonzero(foldings < _FOLDINGS).tolist():
                del known[wanted[staying[k]]]
        return [known.get(i) for i in range(len(units))]

    def runs(self, units: FloatArray) -> list[Attractor | None]:
        """What the run alone comes to at each point; None where there never was an equilibrium to start beside."""
        wanted, starts, parameters = self._places(units)
        if not wanted:
            return [None] * len(units)
        results = classify_many(self.system, starts, parameters, workers=1, **self.budget.words(self.system))
        known = {i: from_run(results[k]) for k, i in enumerate(wanted)}
        return [known.get(i) for i in range(len(units))]

    def _places(self, units: FloatArray) -> tuple[list[int], FloatArray, FloatArray]:
        """Where runs can be made: numbers of points, initial states, parameter vectors."""
        units = np.asarray(units, dtype=float)
        if self.initial is None and not self.sheets:
            return [], np.zeros((0, self.system.n)), np.zeros((0, self.system.m))
        begun = self.initial is None
        found = self._solver.equilibria(units, first_only=True) if begun else [[] for _ in units]
        starts = np.array([self._start(unit, here) for unit, here in zip(units, found, strict=True)])
        return list(range(len(units))), starts, self._solver.parameters(units)

    def spectra(self, units: FloatArray) -> list[Cell]:
        """What the spectra alone say at each point."""
        units = np.asarray(units, dtype=float)
        stable = self._stable(units, self._solver.equilibria(units))
        return [Cell(tuple(unit.tolist()), s) for unit, s in zip(units, stable, strict=True)]

    def _stable(self, units: FloatArray, found: Sequence[Sequence[FloatArray]]) -> list[tuple[Attractor, ...]]:
        """Of the equilibria found at each point those that attract."""
        places = [(i, x) for i, here in enumerate(found) for x in here]
        if not places:
            return [()] * len(units)
        parameters = self._solver.parameters(units[[i for i, _ in places]])
        attractors = attracting(self.system, parameters, [x for _, x in places], self.seen)
        made: list[list[Attractor]] = [[] for _ in units]
        for (i, _), attractor in zip(places, attractors, strict=True):
            if attractor is not None:
                made[i].append(attractor)
        return [tuple(m) for m in made]

    def attractors(self, unit: Any, extra: FloatArray | None = None) -> AttractorSet:
        """What many initial conditions end in at a point, and runs that start beside the equilibria that attract.

        Further starts in `extra` (k, n) find attractors as well, but do not count in shares.
        """
        system, budget = self.at(unit), self.budget
        start = drawn(system, self.box, self.samples, self.seed) if self.samples else np.zeros((0, system.n))
        stable = [np.array(a.state)[None] for a in self.spectra(np.asarray(unit, dtype=float)[None])[0].stable]
        more = [np.asarray(extra)] if extra is not None and len(extra) else []
        starts = np.vstack([np.zeros((0, system.n)), *stable, *more])
        found = find(system, start, budget, extra=starts, workers=1)
        return replace(found, box=dict(self.box), seed=self.seed)

    @property
    def budget(self) -> Budget:
        return Budget(float(self.steps), bound=self.bound)

    @cached_property
    def bound(self) -> float:
        """A larger state diverges: many times the states where training begins, in whatever units these are."""
        begin = [self.initial] if self.initial is not None else [x for _, _, states in self.sheets for x in states]
        sizes = [float(np.max(np.abs(x))) for x in begin]
        return BOUND * max(1.0, float(np.median(sizes)) if sizes else 1.0)

    def _start(self, unit: FloatArray, found: list[FloatArray]) -> FloatArray:
        """Beside the equilibrium; where there is none, beside the nearest place at which there was one."""
        if self.initial is not None:
            return self.initial
        if not found:
            near = [
                (float(d[k]), states[k])
                for _, places, states in self.sheets
                for d in [np.linalg.norm(places - unit, axis=1)]
                for k in [int(np.argmin(d))]
            ]
            found = [min(near, key=lambda n: n[0])[1]]
        return np.asarray(found[0] + self._displacement(found[0]))

    def _displacement(self, x: FloatArray) -> FloatArray:
        """The same direction everywhere: else neighbours would start in different basins, and borders speckle."""
        direction, length = self._direction
        return np.asarray(_DISPLACEMENT * (1.0 + np.max(np.abs(x))) * direction / length)

    @cached_property
    def _direction(self) -> tuple[FloatArray, float]:
        direction = np.random.default_rng(self.seed).standard_normal(self.system.n)
        return direction, float(np.linalg.norm(direction))


def make_sampler(
    system: System,
    window: Window,
    branches: Sequence[Branch],
    families: Sequence[int],
    initial: Any,
    steps: int,
    seed: int,
    seen: tuple[str, ...] = (),
    samples: int = 0,
    box: Mapping[str, Range] | None = None,
) -> Sampler:
    """A sampler with the equilibria of traced branches as guesses.

    Raises
    ------
    MisuseError
        If `initial` is no state or `steps` is not positive.
    """
    check_length(system, steps)
    sheets = []
    folded = set()
    for branch, family in zip(branches, families, strict=True):
        if branch.system.iterations != system.iterations:
            continue
        names = window.names
        base = [branch.system.parameters[n] for n in names]
        natural = np.tile(base, (len(branch), 1))
        for i, name in enumerate(branch.free):
            natural[:, names.index(name)] = branch.parameters[:, i]
        unit = window.to_unit(natural)
        cuts = sorted({int(np.floor(p.index)) + 1 for p in branch.special_points if p.label in ("LP", "BP")})
        if cuts:
            folded.add(family)
        edges = [0, *(c for c in cuts if 0 < c < len(branch)), len(branch)]
        sheets += [(family, unit[a:b], branch.states[a:b]) for a, b in itertools.pairwise(edges) if b > a]
    state = None if initial is None else system.state_vector(initial)
    if not seen:
        seen = tuple(name for name, visible in zip(system.states, seen_states(system), strict=True) if visible)
    return Sampler(
        system, window, tuple(sheets), tuple(families), frozenset(folded), seen, state, int(steps), int(seed),
        int(samples), dict(box or {}),
    )  # fmt: skip


def _work(task: tuple[Sampler, str, FloatArray]) -> list[Any]:
    sampler, what, units = task
    if what == "cells":
        return list(sampler.cells(units))
    if what == "attractors":
        return [sampler.attractors(unit) for unit in units]
    if what == "spectra":
        return list(sampler.spectra(units))
    return list(sampler.runs(units) if what == "runs" else sampler.escapes(units))


class Store(Protocol):
    """Where finished pieces of work are kept."""

    def find(self, what: str, points: FloatArray) -> list[Any] | None: ...
    def keep(self, what: str, points: FloatArray, found: Sequence[Any]) -> None: ...


class Evaluator:
    """Evaluates many points, each once, on any executor; results do not depend on the number of workers."""

    def __init__(
        self, sampler: Sampler, executor: Executor | None, report: Callable[[int, int, str], bool],
        store: Store | None = None,
    ) -> None:  # fmt: skip
        self.store = store
        self.sampler = sampler
        self.executor = executor
        self.report = report
        self.known: dict[str, dict[tuple[float, ...], Any]] = {}
        self.stopped = False

    def __call__(self, units: Iterable[Any], text: str, what: str = "cells") -> list[Any]:
        """What the sampler's method `what` says; None for what an interruption left out."""
        known = self.known.setdefault(what, {})
        keys = [tuple(float(v) for v in u) for u in units]
        new = [k for k in dict.fromkeys(keys) if k not in known]
        # Many runs at one place are work enough for one worker.
        size = 1 if what == "attractors" else CHUNK
        tasks = [(self.sampler, what, np.array(new[i : i + size])) for i in range(0, len(new), size)]
        if not self.stopped and tasks:
            kept = [None if self.store is None else self.store.find(what, points) for _, _, points in tasks]
            left = [task for task, found in zip(tasks, kept, strict=True) if found is None]
            results = iter(map(_work, left) if self.executor is None else self.executor.map(_work, left))
            done = 0
            for (_, _, points), before in zip(tasks, kept, strict=True):
                began = time.perf_counter()
                found = next(results) if before is None else before
                slow = self.executor is not None or time.perf_counter() - began > _WORTH_KEEPING
                if self.store is not None and before is None and slow:
                    self.store.keep(what, points, found)
                known.update({tuple(p.tolist()): c for p, c in zip(points, found, strict=True)})
                done += len(points)
                if not self.report(done, len(new), text):
                    self.stopped = True
                    break
        return [known.get(k) for k in keys]
