"""The attractors that many initial conditions end on, and how much of a box each of them draws in."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from itertools import repeat
from os import cpu_count
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.regimes.attractor_set import AttractorSet, wilson
from gan_bifurcation.regimes.attractors import DECIDED, Attractor, attracting, from_run
from gan_bifurcation.regimes.draws import BOUND, Budget, box_of, budget_of, drawn
from gan_bifurcation.regimes.judging import CENTRE, CONTINUUM, DETAIL
from gan_bifurcation.regimes.limits import seen_states
from gan_bifurcation.regimes.oscillation import CIRCLE, CYCLE
from gan_bifurcation.regimes.symmetric_copies import with_copies
from gan_bifurcation.regimes.telling_apart import (
    FAMILY,
    Cloud,
    clouds_of,
    joined_in_doubt,
    neutral_sets,
    pieces_of_continuum,
    same_limits,
    same_sets,
    turns_of,
)
from gan_bifurcation.regimes.verdicts import Verdicts, classify_many
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Orbits are run in groups of this size, whatever the number of workers.
_CHUNK: Final = {"map": 512, "flow": 64}
_FLOW_TICKS: Final = 4096
# What is in doubt is run on for so many times the budget.
_LONGER: Final = 4.0
# So many sets may be a continuum of them.
_FAMILY: Final = 8
_ORDER: Final = ("converges", "oscillates", "stalls", "diverges")


def attractors(
    system: System,
    box: Mapping[str, Any] | None = None,
    *,
    initial: Any = None,
    samples: int = 1000,
    seed: int = 0,
    steps: int | None = None,
    duration: float | None = None,
    tolerance: float = 1e-4,
    bound: float = BOUND,
    executor: Executor | None = None,
    workers: int | None = None,
) -> AttractorSet:
    """Find what training ends in from many initial conditions, and which part of them ends in each.

    Parameters
    ----------
    system : System
    box : mapping of state to (low, high), optional
        Where initial conditions are drawn, evenly. States left out start at the known equilibrium (or zero), a rule's
        memory as at the start of training. Without a box, states lie within 1 of that equilibrium: all of them if they
        are few, else the generator's.
    initial : array (k, n) or sequence of states, optional
        Initial conditions instead of drawn ones.
    samples : int
        How many are drawn.
    seed : int
    steps, duration : int, float, optional
        The length of a run: of a map 4000 iterations by default, of a flow 500 units of time.
    tolerance, bound : float
        See :func:`gan_bifurcation.regimes.classify`.
    executor : concurrent.futures.Executor, optional
        Where runs are made; without it, in threads of compiled code. The result does not depend on it.
    workers : int, optional
        Number of those threads; one for each processor by default.

    Returns
    -------
    AttractorSet

    Raises
    ------
    MisuseError
        If a name or number does not fit.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> s = gb.System.from_equations("flow", {"x": "x - x**3"})
    >>> found = gb.attractors(s, {"x": (-1, 3)}, samples=400, duration=50)
    >>> [(a.verdict, a.state[0]) for a in found.attractors]
    [('converges', 1.0), ('converges', -1.0)]
    >>> found[1].share_low < 0.75 < found[1].share_high
    True
    """
    if not isinstance(system, System):
        raise MisuseError(f"Attractors are those of a System, got {type(system).__name__}; make one with gb.system.")
    budget = budget_of(system, steps, duration, tolerance, bound)
    if initial is None:
        ranges = box_of(system, box)
        start = drawn(system, ranges, samples, seed)
    else:
        if box is not None:
            raise MisuseError("Initial conditions are given or drawn from a box, not both; leave 'box' out.")
        ranges = {}
        start = _states(system, initial)
    found = find(system, start, budget, executor=executor, workers=workers)
    return replace(found, box=ranges, seed=int(seed))


def _states(system: System, initial: Any) -> FloatArray:
    if isinstance(initial, np.ndarray):
        x = np.array(initial, dtype=float, ndmin=2)
        if x.ndim != 2 or x.shape[1] != system.n:
            raise MisuseError(f"Initial conditions have the shape {np.shape(initial)}, expected (samples, {system.n}).")
        if not np.isfinite(x).all():
            raise MisuseError("Initial conditions hold a number that is not finite; give finite numbers.")
    else:
        x = np.array([system.state_vector(state) for state in initial]).reshape(-1, system.n)
    if not len(x):
        raise MisuseError("There is no initial condition; give at least one.")
    return x


# -- the work ---------------------------------------------------------------------------------------------------------


def find(
    system: System, start: FloatArray, budget: Budget, *, extra: FloatArray | None = None,
    executor: Executor | None = None, workers: int | None = None,
) -> AttractorSet:  # fmt: skip
    """What orbits from the rows of `start`, and of `extra`, end on; the latter do not count in shares."""
    x = start if extra is None or not len(extra) else np.vstack([start, extra])
    if not len(x):
        none = np.zeros(0, dtype=np.int64)
        return AttractorSet(system, (), (), x, none, none)
    verdicts, clouds = _run_all(system, x, budget, executor, workers)
    groups = _groups(system, verdicts, clouds, budget)
    longer = replace(budget, length=_LONGER * budget.length)
    again = _in_doubt(system, verdicts, clouds, groups, longer)
    if len(again):
        # They go on from where they are; whoever left the domain or ran away is not among them.
        later, more = _run_all(system, verdicts.limit[again], longer, executor, workers)
        for name in vars(later):
            if name != "system":
                getattr(verdicts, name)[again] = getattr(later, name)
        for k, cloud in zip(again.tolist(), more, strict=True):
            clouds[k] = cloud
        groups = _groups(system, verdicts, clouds, longer)
    return _gathered(system, x, len(start), verdicts, clouds, groups)


def _run_all(
    system: System, x: FloatArray, budget: Budget, executor: Executor | None, workers: int | None
) -> tuple[Verdicts, list[Cloud | None]]:
    size = _CHUNK[system.kind]
    tasks = [x[k : k + size] for k in range(0, len(x), size)]
    if executor is not None:
        results = list(executor.map(_run, repeat(system), tasks, repeat(budget)))
    elif len(tasks) == 1 or workers == 1:
        results = [_run(system, task, budget) for task in tasks]
    else:
        with ThreadPoolExecutor(workers or cpu_count() or 1) as pool:
            results = list(pool.map(_run, repeat(system), tasks, repeat(budget)))
    names = [f for f in vars(results[0][0]) if f != "system"]
    columns = {name: np.concatenate([getattr(v, name) for v, _ in results]) for name in names}
    for name in ("kind", "detail"):
        # As wide as any word of a later run.
        columns[name] = columns[name].astype(DETAIL)
    return Verdicts(system, **columns), [c for _, clouds in results for c in clouds]


def _in_doubt(
    system: System, verdicts: Verdicts, clouds: Sequence[Cloud | None], groups: Sequence[IntArray], budget: Budget
) -> IntArray:
    """Orbits to run on: those without a decision, and all of a group whose first one goes on to something else.

    A transient may look settled for long: chaos before it ends, an orbit next to a cycle that repels slowly.
    """
    unsure = [np.flatnonzero((verdicts.kind == "diverges") & (verdicts.confidence < DECIDED))]
    turning = [g for g in groups if verdicts.kind[g[0]] == "oscillates"]
    if turning:
        _, later = _run(system, np.array([verdicts.limit[g[0]] for g in turning]), budget)
        for g, cloud in zip(turning, later, strict=True):
            before = clouds[g[0]]
            if cloud is None or before is None or not (before.same(cloud) or before.doubtful(cloud)):
                unsure.append(g)
    return np.unique(np.concatenate(unsure))


def _run(system: System, x: FloatArray, budget: Budget) -> tuple[Verdicts, list[Cloud | None]]:
    """Verdicts on some orbits, and points of those that oscillate."""
    verdicts = classify_many(system, x, workers=1, **budget.words(system))
    turning = np.flatnonzero(verdicts.kind == "oscillates")
    clouds: list[Cloud | None] = [None] * len(x)
    if len(turning):
        # Round a centre a flow runs on a cycle, one of many.
        round_of = np.where(verdicts.detail == CENTRE, CYCLE if system.kind == "flow" else CIRCLE, verdicts.detail)
        p = np.tile(system.parameter_vector(), (len(turning), 1))
        found = clouds_of(
            system, verdicts.limit[turning], p, round_of[turning].tolist(), verdicts.period[turning],
            budget.bound,
        )  # fmt: skip
        for k, cloud in zip(turning.tolist(), found, strict=True):
            clouds[k] = cloud
    return verdicts, clouds


def _gathered(
    system: System, x: FloatArray, counted: int, verdicts: Verdicts, clouds: list[Cloud | None],
    rows_of: Sequence[IntArray],
) -> AttractorSet:  # fmt: skip
    member = np.zeros(len(x), dtype=np.int64)
    groups: list[tuple[Attractor, Cloud | None, IntArray]] = []
    for rows in rows_of:
        groups.append((*_representative(system, verdicts, clouds, rows), rows))
    # What attracts comes first, the largest share before the others.
    groups.sort(key=lambda g: (_ORDER.index(g[0].verdict), -int(np.sum(g[2] < counted)), g[0].detail, g[0].state))
    made = []
    for number, (attractor, _, rows) in enumerate(groups):
        member[rows] = number
        here = int(np.sum(rows < counted))
        low, high = wilson(here, counted)
        if counted:
            attractor = replace(attractor, share=here / counted, share_low=low, share_high=high)
        made.append(replace(attractor, id=number + 1))
    representatives = tuple(cloud for _, cloud, _ in groups)
    copies, notes = with_copies(system, made, representatives)
    return AttractorSet(system, copies, representatives, x[:counted], member[:counted], member[counted:], notes)


def _groups(system: System, verdicts: Verdicts, clouds: list[Cloud | None], budget: Budget) -> list[IntArray]:
    """Numbers of the orbits that end on the same attractor, or in the same way."""
    turns = turns_of(system)
    found: list[IntArray] = []
    many = verdicts.reason == CONTINUUM
    for rows, tell in (
        (np.flatnonzero((verdicts.kind == "converges") & ~many), lambda limits: same_limits(limits, turns)),
        (np.flatnonzero((verdicts.kind == "converges") & many), pieces_of_continuum),
    ):
        if len(rows):
            numbers = tell(verdicts.limit[rows])
            found += [rows[numbers == g] for g in range(int(numbers.max()) + 1)]
    rows = np.flatnonzero(verdicts.kind == "oscillates")
    if len(rows):
        mine = [clouds[k] for k in rows]
        numbers = same_sets(mine)
        ticks = int(budget.length) if system.kind == "map" else _FLOW_TICKS
        tick = 1.0 if system.kind == "map" else budget.length / _FLOW_TICKS
        p = np.tile(system.parameter_vector(), (len(rows), 1))
        if len(np.unique(numbers)) >= _FAMILY:
            neutral = neutral_sets(system, p, mine, numbers, ticks, tick, budget.bound)
            verdicts.reason[rows[neutral]] = FAMILY
            numbers[neutral] = -1
        else:
            numbers = joined_in_doubt(system, p, mine, numbers, ticks, tick, budget.bound)
        for k, cloud in zip(rows.tolist(), mine, strict=True):
            clouds[k] = cloud
        found += [rows[numbers == g] for g in np.unique(numbers)]
    for kind in ("stalls", "diverges"):
        here = np.flatnonzero(verdicts.kind == kind)
        # Whether a state passed the bound or all numbers is a matter of its step.
        why = np.where(np.isin(verdicts.detail[here], ("too large", "not finite")), "", verdicts.reason[here])
        found += [here[why == w] for w in sorted(set(why.tolist()))]
    return found


def _representative(
    system: System, verdicts: Verdicts, clouds: Sequence[Cloud | None], rows: IntArray
) -> tuple[Attractor, Cloud | None]:
    """What a group ends in, by the orbit that knows it best, and points of it."""
    details, counts = np.unique(verdicts.detail[rows], return_counts=True)
    usual = details[int(np.argmax(counts))]
    best = rows[verdicts.detail[rows] == usual]
    first = int(best[np.argmax(verdicts.confidence[best])])
    made = from_run(verdicts[first])
    cloud = clouds[first]
    if cloud is not None:
        made = replace(
            made, state=tuple(cloud.points[-1].tolist()), low=tuple(cloud.points.min(axis=0).tolist()),
            high=tuple(cloud.points.max(axis=0).tolist()),
        )  # fmt: skip
    elif made.verdict == "converges":
        limits = verdicts.limit[rows]
        seen = [s for s, visible in zip(system.states, seen_states(system), strict=True) if visible]
        by_spectrum = attracting(system, system.parameter_vector()[None], [verdicts.limit[first]], seen)[0]
        if by_spectrum is not None and made.reason != CONTINUUM:
            made = replace(by_spectrum, reason=made.reason)
        made = replace(made, low=tuple(limits.min(axis=0).tolist()), high=tuple(limits.max(axis=0).tolist()))
        cloud = Cloud(verdicts.limit[first : first + 1], turns_of(system), made.detail, np.nan)
    return made, cloud
