"""How each kind of part is computed and written."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.bifurcation_set import BifurcationSet
from gan_bifurcation.continuation.equilibria import point
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.tongues import Tongue
from gan_bifurcation.continuation.trace import trace
from gan_bifurcation.derived import iterate
from gan_bifurcation.errors import MisuseError, Outcome, ResultsError, StudyFileError, unknown_name
from gan_bifurcation.ranges import Range
from gan_bifurcation.records import write_files
from gan_bifurcation.simulate import Orbit
from gan_bifurcation.studies.beginnings import begin_at, begin_on, hold_period
from gan_bifurcation.studies.organising import make_certificates, make_set, reattached_set, special_of
from gan_bifurcation.studies.plan import Part
from gan_bifurcation.studies.results import load_part, part_base
from gan_bifurcation.studies.schema import (
    BasinsSpec,
    BranchSpec,
    CurveSpec,
    EventSpec,
    MapSpec,
    OrbitSpec,
)
from gan_bifurcation.studies.stairs import make_staircase
from gan_bifurcation.studies.systems import check_free
from gan_bifurcation.studies.tabulating import make_table, save_table
from gan_bifurcation.studies.tongues import make_tongues, save_tongues, tip_of
from gan_bifurcation.system import System

# How long a run is that is to settle on a cycle or circle.
_STEPS: Final = 20_000
_DURATION: Final = 1000.0

# Told how far a long part is: done, total, what.
Tell = Callable[[int, int, str], Any]


class Workshop:
    """What parts are computed with: the systems, the folder, and the parts that are already there.

    Parameters
    ----------
    systems : mapping of str to System
    folder : Path
    seed : int
    executor : Executor, optional
        Where the runs of regime maps are made.
    """

    def __init__(
        self, systems: Mapping[str, System], folder: Path, seed: int, executor: Executor | None = None
    ) -> None:
        self.executor = executor
        self.systems = systems
        self.folder = folder
        self.seed = seed
        self._known: dict[str, Any] = {}

    def get(self, identifier: str, system: str) -> Any:
        """A part that was computed before, from memory or disk."""
        if identifier not in self._known:
            kind, _, name = identifier.partition("-")
            try:
                found = load_part(self.folder, kind, name)
            except ResultsError as error:
                # Without its marker the part counts as not computed.
                (self.folder / "parts" / f"{identifier}.json").unlink(missing_ok=True)
                raise ResultsError(f"The part '{name}' cannot be read; the same command computes it again.") from error
            if isinstance(found, Branch) and system in self.systems:
                found = reattached(found, self.systems[system])
            elif kind == "set" and system in self.systems:
                found = reattached_set(found, self.systems[system], reattached)
            elif kind == "tongues" and system in self.systems:
                found = [_reattached_tongue(t, self.systems[system]) for t in found]
            self._known[identifier] = found
        return self._known[identifier]

    def known(self, parts: Sequence[Part]) -> dict[str, Any]:
        """What is in memory, by name."""
        return {p.name: self._known[p.identifier] for p in parts if p.kind != "figure" and p.identifier in self._known}

    def compute(self, part: Part, tell: Tell | None = None) -> None:
        """Compute a part and write it; what is written before its end is not taken for finished."""
        base = part_base(self.folder, part.kind, part.name)
        system = self.systems.get(part.system)
        made: Any
        if part.kind == "branch":
            assert system is not None
            made = self._branch(part, part.section, system)
            made.save(base)
        elif part.kind == "curve":
            made = self._curve(part, part.section)
            made.save(base)
        elif part.kind == "tongues":
            made = make_tongues(part.section, self.get(part.needs[0], part.system))
            save_tongues(made, base)
        elif part.kind == "set":
            assert system is not None
            at = inside(system, part.section.parameters, part.section.free)
            start = point(at, guess(at, part.section.start)) if part.section.start else None
            made = make_set(part.section, at, start, self.seed, tell)
            made.save(base)
        elif part.kind == "certificate":
            made = make_certificates(part.section, self._referred(part))
            save_table(made, base)
        elif part.kind == "map":
            assert system is not None
            lines = [self.get(need, part.system) for need in part.needs]
            made = _regime_map(part.section, system, self.seed, tell, lines, self.executor, base / "work")
            made.save(base)
            _clear(base / "work")
        elif part.kind == "basins":
            assert system is not None
            made = _basins(part.section, system, self.seed, self.executor)
            made.save(base)
        elif part.kind == "noise":
            from gan_bifurcation.studies.noising import make_noise

            assert system is not None
            at = inside(system, part.section.parameters, part.section.free)
            about = point(at, guess(at, part.section.start)) if part.section.start else at
            made = make_noise(part.section, about, self.seed, tell, self.executor, base / "work")
            made.save(base)
            _clear(base / "work")
        elif part.kind == "staircase":
            assert system is not None
            at = inside(system, part.section.parameters, part.section.free)
            made = make_staircase(part.section, at, guess(at, part.section.initial))
            save_table(made, base)
        elif part.kind == "orbit":
            assert system is not None
            made = _orbit(part.section, system, base)
        elif part.kind == "table":
            made = make_table(part.section.of, part.section.settings)
            save_table(made, base)
        else:
            raise MisuseError(f"Nothing computes a '{part.kind}'.")
        self._known[part.identifier] = made

    def _referred(self, part: Part) -> Callable[[str], Point]:
        """Gives the points that a part of several others speaks of."""
        # Each is of a system of its own, which a proof takes from the point itself.
        parts = {i.partition("-")[2]: self._known.get(i) or load_part(self.folder, *_split(i)) for i in part.needs}
        return lambda reference: special_point(parts[reference.partition(":")[0]], reference)

    def _branch(self, part: Part, section: BranchSpec, system: System) -> Branch:
        events = [make_event(event) for event in section.events]
        options: dict[str, Any] = {
            "at": section.at, "stop": section.stop or None, "events": events, "max_points": section.most_points,
        }  # fmt: skip
        if section.begin:
            begin = special_point(self.get(part.needs[0], part.system), section.begin)
            return trace(begin_at(begin, section.amplitude, section.intervals), section.free, **options)
        if section.orbit:
            run = as_orbit(self.get(part.needs[0], part.system), system)
            return trace(begin_on(run, section.intervals), section.free, **options)
        system = inside(system, section.parameters, section.free)
        return trace(point(system, guess(system, section.start)), section.free, **options)

    def _curve(self, part: Part, section: CurveSpec) -> Branch:
        begin = special_point(self.get(part.needs[0], part.system), section.begin)
        start = hold_period(begin) if section.hold == "period" else begin
        return trace(start, section.free, stop=section.stop or None, max_points=section.most_points)


def as_orbit(part: Mapping[str, Any], system: System) -> Orbit:
    """The run of an orbit's part."""
    outcome = Outcome("run", str(part["outcome"]), bool(part.get("converged", True)))
    at = system.with_parameters(**part["parameters"])
    return Orbit(at, np.array(part["times"]), np.array(part["states"]), outcome)


def settle(system: System, initial: Mapping[str, float], length: float | None = None) -> Orbit:
    """A run that is long enough to settle, with every step of a map kept.

    Parameters
    ----------
    system : System
    initial : mapping of str to float
        States that are left out start at the known equilibrium.
    length : float, optional
        Steps of a map, or the duration of a flow.
    """
    from gan_bifurcation.simulate import simulate

    start = guess(system, initial)
    if system.kind == "map":
        steps = _STEPS if length is None else int(length)
        if steps != length and length is not None:
            raise MisuseError(f"The length of a map's run is a whole number of steps, got {length:g}.")
        return simulate(system, start, steps=steps)
    return simulate(system, start, duration=_DURATION if length is None else length)


def _split(identifier: str) -> tuple[str, str]:
    kind, _, name = identifier.partition("-")
    return kind, name


def special_point(part: Any, reference: str) -> Point:
    """The point that "name:label" refers to: of a branch, curve or set, or the tip of a tongue.

    Raises
    ------
    MisuseError
        If the part has no points, or none of this name.
    """
    name, _, label = reference.partition(":")
    if isinstance(part, Branch):
        return part[label]
    if isinstance(part, list):
        return tip_of(part, label)
    if isinstance(part, BifurcationSet):
        return special_of(part, reference)
    raise MisuseError(
        f"'{reference}' names a point of a branch, a curve, a set or tongues, but '{name}' is none of these."
    )


def reattached(branch: Branch, system: System) -> Branch:
    """A branch from disk on the system it was traced of, which knows its game."""
    times = branch.system.iterations // system.iterations
    base = iterate(system, times) if times > 1 else system
    if base.states != branch.system.states or tuple(base.parameters) != tuple(branch.system.parameters):
        return branch
    points = tuple(replace(p, system=base.with_parameters(**p.parameters)) for p in branch.special_points)
    return replace(branch, system=base.with_parameters(**branch.system.parameters), special_points=points)


def _reattached_tongue(tongue: Tongue, system: System) -> Tongue:
    """A tongue from disk on the system that it is of."""
    tip = replace(tongue.tip, system=system.with_parameters(**tongue.tip.parameters))
    return replace(tongue, tip=tip, edges=tuple(reattached(edge, system) for edge in tongue.edges))


def make_event(spec: EventSpec) -> Event:
    """An event as the tracer takes it."""
    if spec.kind == "focus":
        return Event.focus(spec.name or "focus")
    return (Event.rate if spec.kind == "rate" else Event.function)(spec.expression, spec.name or None)


def inside(system: System, parameters: Mapping[str, float], free: Mapping[str, Range]) -> System:
    """The system at parameters that lie in the window: a free one that does not starts at the middle."""
    changed = system.with_parameters(**parameters)
    check_free(changed, free)
    moved = {k: r.from_unit(0.5) for k, r in free.items() if changed.parameters[k] not in r}
    for name in moved:
        if name in parameters:
            value, window = parameters[name], free[name]
            raise StudyFileError(
                f"The parameter '{name}' = {value:g} lies outside its window ({window.low:g}, {window.high:g}); "
                "widen the window or leave the value out."
            )
    return changed.with_parameters(**moved)


def guess(system: System, start: Mapping[str, float] | None) -> Any:
    """All states: those that are given, the others as at the known equilibrium; None where none is given."""
    if start is None:
        return None
    known = system.equilibrium_guess()
    if known is None and len(start) < system.n:
        missing = [s for s in system.states if s not in start]
        raise MisuseError(
            f"The state '{missing[0]}' is missing, and no equilibrium is known to take it from; give all states."
        )
    values = dict(zip(system.states, (np.zeros(system.n) if known is None else known).tolist(), strict=True))
    for name in start:
        if name not in values:
            raise unknown_name("state", name, system.states)
    return {**values, **start}


def _regime_map(
    section: MapSpec, system: System, seed: int, tell: Tell | None, lines: Sequence[Any] = (),
    executor: Executor | None = None, work: Path | None = None,
) -> Any:  # fmt: skip
    from gan_bifurcation.regimes.regime_map import regime_map

    system = inside(system, section.parameters, section.free)
    return regime_map(
        system, dict(section.free), start=guess(system, section.start), initial=guess(system, section.initial),
        steps=section.steps, tolerance=section.tolerance,
        box=dict(section.box) or None, seed=seed if section.seed is None else section.seed, progress=tell,
        attractors=section.attractors, curves=lines, depth=section.depth, executor=executor,
        endings=tuple(section.endings.items()), work=work,
    )  # fmt: skip


def _basins(section: BasinsSpec, system: System, seed: int, executor: Executor | None) -> Any:
    from gan_bifurcation.regimes.basin_picture import basins

    return basins(
        system.with_parameters(**section.parameters), dict(section.plane), at=dict(section.at) or None,
        resolution=section.resolution, samples=section.samples, seed=seed if section.seed is None else section.seed,
        steps=section.steps, duration=section.duration, executor=executor, workers=1,
    )  # fmt: skip


def _clear(work: Path) -> None:
    from gan_bifurcation.regimes.work_units import clear

    clear(work)


def _orbit(section: OrbitSpec, system: System, base: Path) -> dict[str, Any]:
    from gan_bifurcation.simulate import simulate

    system = system.with_parameters(**section.parameters)
    if (system.kind == "map") == (section.steps is None):
        word = "steps" if system.kind == "map" else "duration"
        raise StudyFileError(f"The orbit '{section.name}' is of a {system.kind}; give '{word}'.")
    length: dict[str, Any] = {"steps": section.steps} if section.steps is not None else {"duration": section.duration}
    orbit = simulate(system, guess(system, section.initial), samples=section.samples, **length)
    verdict = orbit.verdict
    text = {
        "states_names": list(system.states), "kind": system.kind, "parameters": dict(system.parameters),
        "verdict": verdict.kind, "detail": verdict.detail, "reason": verdict.reason, "outcome": orbit.outcome.message,
        "converged": orbit.outcome.converged,
        "final": {k: float(v) for k, v in orbit.final_state.items()},
    }  # fmt: skip
    arrays = {"states": orbit.states, "times": orbit.times}
    write_files(base, json.dumps(text), arrays)
    return {**text, **arrays}
