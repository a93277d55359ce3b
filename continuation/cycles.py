"""Branches of cycles: `trace` follows a cycle while a parameter (or two, at fixed period) varies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation import _cycle_steps as steps
from gan_bifurcation.continuation.collocation import Collocation, natural_sizes
from gan_bifurcation.continuation.cycle_ends import (
    FAMILY,
    HOPELESS,
    LONG,
    SOME,
    beyond,
    closed,
    family,
    long,
    neutral,
    shrunk,
    where,
)
from gan_bifurcation.continuation.cycle_locating import critical_multiplier, locate
from gan_bifurcation.continuation.cycle_points import (
    Between,
    Record,
    measured,
    outside,
    point_of,
    record_of,
    records_of,
)
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.march import StepControl
from gan_bifurcation.continuation.normal_forms import with_normal_form
from gan_bifurcation.continuation.run import Ends
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

# Steps are fractions of a window, of the amplitude of a state, of the period.
DEFAULT_CONTROL: Final = StepControl(first=1e-2, smallest=1e-8, largest=6e-2, angle=0.3)
# How uneven the mesh may become.
_UNEVEN: Final = 1.6
# The trivial multiplier's error above which the mesh gets more intervals, and how many at most.
_COARSE: Final = 1e-4
_MOST_INTERVALS: Final = 400
_KINKS: Final = (
    "The field has kinks, which polynomials approximate poorly: special points may be the mesh's own, and there are no "
    "coefficients; gb.poincare follows such cycles through the kinks exactly."
)
# So many points are computed at once.
_CHUNK: Final = 64


def trace(
    start: Point | ProfileStart,
    windows: dict[str, Range],
    at: Sequence[float],
    ends: Ends,
    events: Sequence[Event],
    control: StepControl | None,
    coefficients: bool,
) -> Branch:
    """Trace cycles; see :func:`gan_bifurcation.trace`.

    Raises
    ------
    MisuseError
        If the start is no cycle or has no such curve, or its mesh is too coarse.
    """
    if events:
        raise MisuseError(
            "Events are conditions on equilibria and fixed points, and are not located on cycles; use at= for values "
            "of the parameter, or read the measures of the branch."
        )
    held = isinstance(start, ProfileStart) and start.held == "period"
    if len(windows) == 2 and not held:
        from gan_bifurcation.continuation.cycle_curves import trace_curve

        return trace_curve(start, windows, at, ends, control, coefficients)
    if held and len(windows) != 2:
        raise MisuseError(
            "At fixed period a branch of cycles has two free parameters, got one; name two, such as {'a': (0, 1), 'b': "
            "(0, 1)}."
        )
    branch = _Run(start, windows, at, ends, control or DEFAULT_CONTROL, held).branch()
    if start.system.switching_functions:
        return replace(branch, note=_KINKS)
    return branch.with_points(tuple(with_normal_form(p) for p in branch.special_points)) if coefficients else branch


@dataclass(frozen=True, eq=False)
class Side:
    """One direction of a trace: records from the start on, special points, why it ended."""

    records: list[Record]
    points: list[Point]
    outcome: Outcome
    closed: bool = False


def prepare(
    start: Point | ProfileStart, windows: dict[str, Range], period: float | None, control: StepControl, extra: int = 0
) -> Collocation:
    """A collocation system with the start as its present point, not yet solved."""
    profile = start.profile
    assert profile is not None
    if not len(profile.mesh):
        raise MisuseError("The start's profile has no mesh; make a start with gb.orbit_to_cycle or gb.hopf_to_cycles.")
    if len(profile.mesh) < 4 or not profile.period > 0.0:
        raise MisuseError(
            f"A cycle needs at least 3 intervals and a positive period, got {len(profile.mesh) - 1} intervals and "
            f"period {profile.period:g}."
        )
    scale = natural_sizes(profile.states)
    if isinstance(start, ProfileStart) and start.point is not None and start.one_sided:
        # From a Hopf point: amplitudes as they will be a tenth of the window further.
        name = next(iter(windows))
        width = windows[name].high - windows[name].low
        amplitude = dict(start.point.normal_form.get("amplitude", {})).get(name)
        if amplitude:
            later = 2.0 * np.sqrt(0.02 * width) * np.array([amplitude[s] for s in start.system.states])
            # What the critical pair does not move grows with the square of what it does.
            waves = 4.0 * np.abs(np.fft.rfft(profile.states[:-1], axis=0)[1:3]) / (len(profile.states) - 1)
            growth = np.max(later) / waves[0, np.argmax(later)]
            largest = np.max(np.abs(start.point.x)) + 1.0
            scale = np.maximum(scale, np.minimum(later + growth**2 * waves[1], 10.0 * largest))
    c = Collocation(start.system, windows, profile.mesh, profile.degree, scale, period, extra)
    c.load(profile, start.system.parameters)
    c.step[steps.STEP : steps.ANGLE + 1] = [control.first, control.smallest, control.largest, control.angle]
    return c


class _Run:
    """A trace of cycles on its way."""

    def __init__(
        self, start: Point | ProfileStart, windows: dict[str, Range], at: Sequence[float], ends: Ends,
        control: StepControl, held: bool,
    ) -> None:  # fmt: skip
        self.windows, self.ends, self.control, self.held = windows, ends, control, held
        self.name = next(iter(windows))
        self.at = sorted(windows[self.name].to_unit(float(v)) for v in at)
        self.one_sided = isinstance(start, ProfileStart) and start.one_sided
        assert start.profile is not None
        self.c = prepare(start, windows, start.profile.period if held else None, control)
        self.system = start.system
        self._first(start)

    # -- the first point --------------------------------------------------------------------------------------------

    def _first(self, start: Point | ProfileStart) -> None:
        """Solve at the start, and find the tangent there."""
        c = self.c
        c.t[:], c.tb[:] = 0.0, 0.0
        directed = isinstance(start, ProfileStart) and start.direction is not None
        if directed:
            assert isinstance(start, ProfileStart)
            assert start.direction is not None
            if start.parameter not in ("", self.name):
                raise MisuseError(
                    f"This start was computed for the parameter '{start.parameter}', got '{self.name}'; free "
                    f"'{start.parameter}'."
                )
            c.t[:] = start.direction / c.scale
            window = self.windows[self.name]
            value = start.system.parameters[self.name]
            unit = value * np.log(window.high / window.low) if window.log else window.high - window.low
            c.tb[0], c.tb[1] = start.slopes[0], start.slopes[1] / unit
            size = c.norm(c.t, c.tb)
            c.t /= size
            c.tb /= size
            self._solve_in_plane()
        else:
            # Where the branch turns, the parameter is no coordinate: then the period is.
            for index in (1, 0) if not self.held else (1, 2):
                c.tb[:] = 0.0
                steps.set_row(c.state, c.t, c.tb, c.u)
                c.hold(index)
                c.trial[:], c.trial_b[:] = c.u, c.b
                if c.solve(float(c.b[index]), most=20):
                    break
            else:
                raise self._refused(
                    f"Newton's method did not converge from the given cycle ({c.intervals} intervals of degree "
                    f"{c.degree}); give more intervals, or start from an orbit that is closer to the cycle."
                )
            c.u[:], c.b[:] = c.trial, c.trial_b
            c.tb[:] = 0.0
            c.tb[index] = 1.0
        self._first_mesh()
        self._check()
        if self.c.tb[1] < 0.0 and not directed:
            c = self.c
            c.t *= -1.0
            c.tb *= -1.0
            c.begin()

    def _solve_in_plane(self) -> None:
        c = self.c
        steps.set_row(c.state, c.t, c.tb, c.u)
        target = float(steps.height(c.state, c.u, c.b))
        c.trial[:], c.trial_b[:] = c.u, c.b
        if not c.solve(target, most=20):
            raise self._refused(
                f"Newton's method did not converge from the predicted cycle ({c.intervals} intervals of degree "
                f"{c.degree}); give more intervals, or a smaller amplitude."
            )
        c.u[:], c.b[:] = c.trial, c.trial_b

    def _refused(self, words: str) -> MisuseError:
        """Why there is no first point: cycles come in families if the present one has a second multiplier at 1."""
        c = self.c
        steps.set_row(c.state, c.t, c.tb, c.u)
        steps.settle(c.state, c.which, c.u, c.b, c.spectrum)
        return MisuseError(FAMILY.format(self.name) if neutral(c.spectrum, 1e-3) else words)

    def _check(self) -> None:
        error = abs(self.c.spectrum[0] - 1.0)
        if not error < HOPELESS:
            raise MisuseError(
                f"The mesh of {self.c.intervals} intervals is too coarse for this cycle: its trivial multiplier is "
                f"{self.c.spectrum[0].real:.3g}, expected 1; take more intervals."
            )
        low, high = self.c.extremes(self.c.u, self.c.b)
        if np.max((high - low) / np.maximum(np.abs(low) + np.abs(high), 1e-300)) < 1e-9:
            raise MisuseError("The start is an equilibrium, no cycle: its states do not move.")

    # -- the mesh ---------------------------------------------------------------------------------------------------

    def _first_mesh(self) -> None:
        """Spread the error of the first point evenly; solved upon, an adapted mesh shows what the next should be."""
        c = self.c
        sizes = natural_sizes(c.u * c.scale)
        new = c.on_mesh(c.adapted_mesh(), np.where(sizes > 2.0 * c.scale, sizes, c.scale))
        # The first point is solved with one unknown held, which says what its tangent is.
        index = None if c.t.any() else int(np.argmax(np.abs(c.tb[: c.nb])))
        self.c = new
        for _ in range(2):
            if index is None:
                self._solve_in_plane()
            else:
                steps.set_row(new.state, new.t, new.tb, new.u)
                new.hold(index)
                new.trial[:], new.trial_b[:] = new.u, new.b
                if not new.solve(float(new.b[index]), most=20):
                    raise self._refused(
                        f"The mesh of {new.intervals} intervals is too coarse for this cycle; take more intervals."
                    )
                new.u[:], new.b[:] = new.trial, new.trial_b
            if new.shares()[1] < _UNEVEN:
                break
            new = new.on_mesh(new.adapted_mesh(), new.scale)
            self.c = new
        self.c.begin()

    def _double(self) -> None:
        """Twice as many intervals."""
        self.c = self.c.on_mesh(self.c.adapted_mesh(2 * self.c.intervals), self.c.scale)
        self.c.begin()

    def _refined(self, latest: Record, before: Record) -> bool:
        """Back to the point before, on a finer mesh, where the mesh was too coarse for the step."""
        c = self.c
        if abs(latest.spectrum[0] - 1.0) < HOPELESS or 2 * c.intervals > _MOST_INTERVALS:
            return False
        c.u[:], c.b[:], c.t[:], c.tb[:] = c.before, c.before_b, c.before_t, c.before_tb
        c.spectrum[:] = before.spectrum
        self.c = c.on_mesh(c.adapted_mesh(2 * c.intervals), c.scale)
        self.c.step[steps.STEP] *= 0.5
        self.c.begin()
        return True

    # -- one direction ----------------------------------------------------------------------------------------------

    def _follow(self, first: Record) -> Side:
        records = [first]
        points: list[Point] = []
        shortest = float(first.b[0])
        isolated = False
        while True:
            c = self.c
            if not isolated and len(records) >= SOME:
                told = family(records, self.name)
                if told is not None:
                    return Side(records, [], told)
                isolated = True
            if len(records) >= self.ends.max_points:
                words = f"Stopped after {len(records)} points at {self._where()}; raise max_points to go on."
                return Side(records, points, Outcome("points", words, True))
            # The states are looked at here, one after the other, where there is more to be asked of them.
            single = self.ends.bounds or self.ends.domain
            most = 1 if single else min(_CHUNK, self.ends.max_points - len(records))
            longest = np.inf if self.held else LONG * shortest
            limits = np.concatenate(
                [
                    [_UNEVEN, _COARSE if 2 * c.intervals <= _MOST_INTERVALS else np.inf],
                    first.b,
                    [0.0, longest, HOPELESS, self.control.limit],
                    () if self.held else self.at,
                ]
            )
            strides = c.march(len(records), most, limits)
            made = records_of(c, strides)
            if strides.reason == steps.MESH:
                records += made
                self._double()
                continue
            if strides.reason != steps.TOO_SMALL:
                latest = made.pop()
            records += made
            if strides.reason != steps.TOO_SMALL and self._refined(latest, records[-1]):
                continue
            shortest = min([shortest, *(float(r.b[0]) for r in made)])
            if strides.reason == steps.TOO_SMALL:
                words = (
                    f"The corrector failed at {self._where()} down to the smallest step {self.control.smallest:g}; try "
                    "more intervals, or smallest= in StepControl."
                )
                return Side(records, points, Outcome("step too small", words, False))
            side = self._take(records, points, latest)
            if side is not None:
                return side
            shortest = min(shortest, float(latest.b[0]))
            if latest.b[0] > LONG * shortest:
                # No homoclinic orbit yet: it is looked at again further on.
                shortest = 1.25 * float(latest.b[0]) / LONG

    def _take(self, records: list[Record], points: list[Point], r: Record) -> Side | None:
        """Take the present point: what lies before it, and whether the branch ends here."""
        c = self.c
        before = replace(records[-1], arclength=0.0)
        outcome = self._left(r) or shrunk(c, records)
        if outcome is not None and outcome.code == "window":
            between = Between(c)
            q = r.b[1 : c.nb]
            k = int(np.argmax(np.maximum(q - 1.0, -q)))
            target = 1.0 if q[k] > 1.0 else 0.0
            fraction = (target - before.b[1 + k]) / (q[k] - before.b[1 + k])
            hit = between.at(float(fraction), 1 + k, target) if fraction > 1e-12 else None
            if hit is not None:
                hit.b[1 + k] = target
                points += self._special(between, before, hit, len(records) - 1)
                records.append(measured(between.c, hit))
            return Side(records, points, self._stopped(records, points) or self._window(records[-1]))
        if outcome is not None:
            # Where the cycle vanishes, the parameter turns and all tests mean nothing.
            reach = 1.5 * max(_extent(records[-1]), _extent(r))
            points[:] = [p for p in points if p.label == "UZ" or _extent(p) > reach]
            return Side(records, points, outcome)
        if before.counts != r.counts or before.sign * r.sign < 0.0 or before.tb[1] * r.tb[1] < 0.0 or self.at:
            points += self._special(Between(c), before, r, len(records) - 1)
        halt = self.ends.reached(points)
        if halt is not None:
            assert halt.profile is not None
            last = measured(c, replace(r, b=self._b_of(halt), spectrum=halt.spectrum, profile=halt.profile))
            records.append(last)
            points[:] = [p for p in points if p.index <= halt.index]
            words = f"Stopped at {halt.label} at {self._where(last)}."
            return Side(records, points, Outcome("stop", words, True))
        back = closed(c, records, r)
        records.append(r)
        if back:
            words = "The curve is closed: it returned to its start."
            return Side(records, points, Outcome("closed", words, True), True)
        outcome = beyond(c, r, self.ends, self.control.limit)
        if outcome is None and not self.held:
            outcome = long(c, records)
        return None if outcome is None else Side(records, points, outcome)

    def _b_of(self, p: Point) -> FloatArray:
        assert p.profile is not None
        return np.concatenate([[p.profile.period], self.c.to_window(p.parameters)])

    def _where(self, r: Record | None = None) -> str:
        return where(self.c, self.c.b if r is None else r.b)

    def _left(self, r: Record) -> Outcome | None:
        q = r.b[1:]
        return Outcome("window", "", True) if (q > 1.0).any() or (q < 0.0).any() else None

    def _window(self, r: Record) -> Outcome:
        return Outcome("window", f"Reached the edge of the window at {self._where(r)}.", True)

    def _stopped(self, records: list[Record], points: list[Point]) -> Outcome | None:
        halt = self.ends.reached(points)
        return None if halt is None else Outcome("stop", f"Stopped at {halt.label} at {self._where()}.", True)

    def _special(self, between: Between, a: Record, b: Record, index: int) -> list[Point]:
        found: list[tuple[float, Point]] = []
        for kind, r in locate(between, a, b):
            place = r.arclength / between.length
            point = point_of(between.c, r, kind, index + place, critical_multiplier(r, kind))
            found.append((place, point))
        if not self.held:
            for q in self.at:
                low, high = a.b[1], b.b[1]
                if min(low, high) < q < max(low, high) or (q == high and q != low):
                    fraction = (q - low) / (high - low)
                    hit = between.at(float(fraction), 1, q)
                    if hit is not None:
                        found.append((float(fraction), point_of(between.c, hit, "UZ", index + float(fraction))))
        # A branch that is born at a branch point turns there as well: that is no fold.
        crossings = [p for _, p in found if p.label == "BPC"]
        found = [
            (x, p) for x, p in found
            if p.label != "LPC" or not any(np.allclose(self._b_of(p), self._b_of(o), rtol=1e-4) for o in crossings)
        ]  # fmt: skip
        return [p for _, p in sorted(found, key=lambda pair: pair[0])]

    # -- all of it --------------------------------------------------------------------------------------------------

    def branch(self) -> Branch:
        c = self.c
        first = measured(c, record_of(c, 0.0))
        begin = None if self.one_sided else c.twin()
        if begin is not None:
            begin.spectrum[:] = c.spectrum
        ahead = self._follow(first)
        where = self._where(first)
        started = Outcome("start", f"Started at {where}.", True)
        if begin is None or ahead.closed:
            records, points = ahead.records, ahead.points
            outcome = (ahead.outcome if ahead.closed else started, ahead.outcome)
        else:
            begin.t *= -1.0
            begin.tb *= -1.0
            begin.begin()
            self.c = begin
            behind = self._follow(measured(begin, record_of(begin, 0.0)))
            n = len(behind.records)
            # Tangents and determinants are those of the forward direction.
            turned = [replace(r, tb=-r.tb, sign=-r.sign) for r in reversed(behind.records[1:])]
            records = turned + ahead.records
            points = [replace(p, index=n - 1 - p.index) for p in reversed(behind.points)]
            points += [replace(p, index=n - 1 + p.index) for p in ahead.points]
            outcome = (behind.outcome, ahead.outcome)
        return branch_of(self.system, self.c, "cycles", records, points, outcome, ahead.closed)


def _extent(r: Record | Point) -> float:
    assert r.profile is not None
    return float(np.max(r.profile.highest - r.profile.lowest))


def branch_of(
    system: object, c: Collocation, curve: str, records: list[Record], points: list[Point],
    outcome: tuple[Outcome, Outcome], closed: bool,
) -> Branch:  # fmt: skip
    """Records as a branch with its measures."""
    from gan_bifurcation.continuation.trace import _numbered

    states = c.system.states
    lows, highs = zip(*(r.extremes for r in records if r.extremes is not None), strict=True)
    low, high = np.array(lows), np.array(highs)
    spectrum = np.array([r.spectrum for r in records])
    plus, minus, pairs = outside(spectrum)
    unit = np.array([r.b[1 : 1 + len(c.free)] for r in records])
    measures = {
        "period": np.array([r.b[0] for r in records]),
        "trivial_error": np.abs(spectrum[:, 0] - 1.0),
        **{f"min_{s}": low[:, k] for k, s in enumerate(states)},
        **{f"max_{s}": high[:, k] for k, s in enumerate(states)},
    }
    return Branch(
        c.system,
        tuple(c.free),
        curve,
        np.array([[w.from_unit(q) for q in unit[:, k].tolist()] for k, w in enumerate(c.free.values())]).T,
        np.array([r.profile.states[0] for r in records]),
        spectrum,
        plus + minus + 2 * pairs,
        tuple(_numbered(points)),
        outcome,
        closed,
        measures,
        profiles=tuple(r.profile for r in records),
    )
