"""Curves of special points of cycles in two parameters: folds, flips, Neimark-Sacker points."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation import _cycle_steps as steps
from gan_bifurcation.continuation._cycle_conditions import Condition
from gan_bifurcation.continuation.codimension_two import with_coefficients
from gan_bifurcation.continuation.collocation import Collocation
from gan_bifurcation.continuation.cycle_curve_points import Scanner
from gan_bifurcation.continuation.cycle_points import Record
from gan_bifurcation.continuation.cycles import DEFAULT_CONTROL, branch_of, prepare
from gan_bifurcation.continuation.march import StepControl
from gan_bifurcation.continuation.run import Ends
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.profiles import Profile
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

_EVERY: Final = 4
_UNEVEN: Final = 1.8
_END: Final = 0.02
# From so far away the end of a curve of pairs is extrapolated.
_OFFSETS: Final = (0.03, 0.06, 0.09, 0.12, 0.15)


def _extra(kind: str) -> int:
    return 1 if kind == "NS" else 0


def trace_curve(
    start: Point | ProfileStart, windows: dict[str, Range], at: Sequence[float], ends: Ends,
    control: StepControl | None, coefficients: bool,
) -> Branch:  # fmt: skip
    """The curve of a labelled cycle in two parameters; see :func:`gan_bifurcation.trace`."""
    if not isinstance(start, Point) or start.label not in ("LPC", "PD", "NS"):
        what = start.name or start.label if isinstance(start, Point) else "a start"
        raise MisuseError(
            f"A curve of cycles in two parameters starts from a point labelled LPC, PD or NS, got "
            f"{what or 'an ordinary cycle'}; at fixed period, use gb.fixed_period."
        )
    if at:
        raise MisuseError("at= gives values of the free parameter of a branch, but a curve has two.")
    branch = _Curve(start, windows, ends, control or DEFAULT_CONTROL, coefficients).branch()
    if not coefficients:
        return branch
    return branch.with_points(tuple(with_coefficients(p) for p in branch.special_points))


class _Curve:
    """A curve on its way."""

    def __init__(
        self, start: Point, windows: dict[str, Range], ends: Ends, control: StepControl, coefficients: bool
    ) -> None:
        self.coefficients = coefficients
        self.kind, self.windows, self.ends, self.control = start.label, windows, ends, control
        self.c = prepare(start, windows, None, control, _extra(self.kind))
        c = self.c
        if self.kind == "NS":
            c.b[c.nb - 1] = abs(np.angle(start.critical))
            c.trial_b[c.nb - 1] = c.b[c.nb - 1]
        self.weights = None
        self.condition = Condition(c, self.kind)
        steps.set_row(c.state, c.t, c.tb, c.u)
        c.trial[:], c.trial_b[:] = c.u, c.b
        self.condition.start()
        # The point itself: one parameter after the other is held, until one of them is a coordinate.
        for index in (2, 1):
            c.trial[:], c.trial_b[:] = c.u, c.b
            c.hold(index)
            if self.condition.solve(float(c.b[index])):
                break
        else:
            raise MisuseError(
                f"Newton's method did not converge to the {self.kind} point of the start; take more intervals."
            )
        c.u[:], c.b[:] = c.trial, c.trial_b
        self.condition.renew()
        c.hold(index)
        self.condition.tangent()
        c.t[:], c.tb[:] = c.solution, c.solution_b
        self.step = control.first

    def _set_row(self) -> None:
        c = self.c
        rows = c.rows[1 : c.nb - 1].copy(), c.corner[1 : c.nb - 1].copy()
        steps.set_row(c.state, c.t, c.tb, c.u)
        c.rows[1 : c.nb - 1], c.corner[1 : c.nb - 1] = rows

    def _record(self, ds: float) -> Record:
        c = self.c
        return Record(
            ds, c.b[: c.nb].copy(), c.tb[: c.nb].copy(), c.spectrum.copy(), 0.0, c.profile(c.u, c.b),
            extremes=c.extremes(c.u, c.b),
        )  # fmt: skip

    def _adapt(self) -> None:
        c = self.c
        if c.shares()[1] < _UNEVEN:
            return
        new = c.on_mesh(c.adapted_mesh(), c.scale)
        condition = Condition(new, self.kind)
        new.trial[:], new.trial_b[:] = new.u, new.b
        steps.set_row(new.state, new.t, new.tb, new.u)
        condition.start()
        if condition.solve(float(steps.height(new.state, new.u, new.b))):
            new.u[:], new.b[:] = new.trial, new.trial_b
            condition.renew()
            condition.tangent()
            new.t[:], new.tb[:] = new.solution, new.solution_b
            self.c, self.condition = new, condition

    def _go(self, row: int | None, value: float, guess: float) -> bool:
        """To a point a given step further, or with a border unknown of a given value; False if there is none."""
        c = self.c
        self._set_row()
        c.trial[:], c.trial_b[:] = c.u + guess * c.t, c.b + guess * c.tb
        if row is None:
            target = float(steps.height(c.state, c.u, c.b)) + guess
        else:
            c.hold(row)
            target = value
        before = c.trial_b[: c.nb].copy()
        if not self.condition.solve(target):
            return False
        if np.linalg.norm(c.trial_b[1 : c.nb] - before[1:]) > 0.5 * abs(guess) + 1e-9:
            return False
        self._set_row()
        size = self.condition.tangent()
        return bool(1.0 / size > np.cos(min(2.0 * self.control.angle, 1.4)))

    def _accept(self) -> None:
        c = self.c
        c.u[:], c.b[:] = c.trial, c.trial_b
        c.t[:], c.tb[:] = c.solution, c.solution_b
        self.condition.renew()

    def _where(self) -> str:
        values = self.c.values(self.c.b[:3]).tolist()
        return ", ".join(f"{k} = {v:.6g}" for k, v in zip(self.windows, values, strict=True))

    def _follow(self) -> tuple[list[Record], list[Point], Outcome, bool]:
        records, points = [self._record(0.0)], list[Point]()
        first = records[0]
        self.scanner = Scanner(self.kind, self.coefficients)
        self.scanner.begin(self._point(self.kind, 0.0))
        ds = self.control.first
        while True:
            c = self.c
            if len(records) >= self.ends.max_points:
                words = f"Stopped after {len(records)} points at {self._where()}; raise max_points to go on."
                return records, points, Outcome("points", words, True), False
            if not self._go(None, 0.0, ds):
                ds *= 0.5
                if ds < self.control.smallest and self._small(records):
                    words = f"The cycle shrinks to an equilibrium near {self._where()} and ends there."
                    return records, points, Outcome("hopf", words, True), False
                if ds < self.control.smallest:
                    words = (
                        f"The corrector failed at {self._where()} down to the smallest step "
                        f"{self.control.smallest:g}; try more intervals."
                    )
                    return records, points, Outcome("step too small", words, False), False
                continue
            angle = float(np.arccos(min(1.0, abs(self._cosine()))))
            q = c.trial_b[1:3]
            if (q < 0.0).any() or (q > 1.0).any():
                return (*self._frame(records, points, ds), False)
            if (shrunk := self._shrunk(records)) is not None:
                return records, points, shrunk, False
            points += self._events(len(records) - 1, ds)
            self._accept()
            records.append(self._record(ds))
            halt = self.ends.reached(points)
            if halt is not None:
                words = f"Stopped at {halt.label} near {self._where()}."
                return records, points, Outcome("stop", words, True), False
            if self.kind == "NS" and not _END < c.b[c.nb - 1] < np.pi - _END:
                name = "R1" if c.b[c.nb - 1] < 1.0 else "R2"
                words = f"The curve ends near a 1:{name[1]} resonance ({name}) at {self._where()}."
                if self._resonance(name):
                    records.append(self._record(ds))
                    self.scanner.values.append(np.nan)
                    words = f"The curve ends at a 1:{name[1]} resonance ({name}) at {self._where()}."
                points.append(self._point(name, float(len(records) - 1)))
                return records, points, Outcome("resonance", words, True), False
            if self._returned(first, records):
                return records, points, Outcome("closed", "The curve is closed: it returned to its start.", True), True
            growth = min(1.5, self.control.angle / angle) if angle > 0.0 else 1.5
            ds = min(max(ds * growth, self.control.smallest), self.control.largest)
            if len(records) % _EVERY == 0:
                self._adapt()

    def _shrunk(self, records: list[Record]) -> Outcome | None:
        """Whether the cycle shrank to an equilibrium: beyond, the curve goes over the same cycles again."""
        c = self.c
        moves = [u - u.mean(axis=0) for u in (c.u, c.trial)]
        if float(np.sum(moves[0] * moves[1])) > 0.0:
            return None
        # Everything is even in the amplitude there.
        sizes, ends = [float(np.sum(m**2)) for m in moves], [records[-1].b[:3], c.trial_b[:3]]
        if len(records) > 1 and len(records[-1].profile.phases) == len(records[-2].profile.phases):
            before = records[-2].profile.states / c.scale
            sizes[1], ends[1] = float(np.sum((before - before.mean(axis=0)) ** 2)), records[-2].b[:3]
        share = sizes[0] / (sizes[0] - sizes[1]) if sizes[0] != sizes[1] else 0.5
        b = ends[0] + share * (ends[1] - ends[0])
        at = ", ".join(f"{k} = {v:.6g}" for k, v in zip(self.windows, c.values(b).tolist(), strict=True))
        what = "generalised Hopf" if self.kind == "LPC" else "codimension-two Hopf"
        words = f"The cycle shrinks to an equilibrium near {at} (a {what} point, period {b[0]:.6g}) and ends there."
        return Outcome("hopf", words, True)

    def _resonance(self, name: str) -> bool:
        """To the end of a curve of pairs, where the multiplier is double: the curve is smooth in the angle's cosine."""
        c = self.c
        last, end = c.nb - 1, 0.0 if name == "R1" else np.pi
        angle, slope = float(c.b[last]), float(c.tb[last])
        angles, states, borders = [], [], []
        for offset in _OFFSETS:
            target = abs(end - offset)
            if slope == 0.0 or not self._go(last, target, (target - angle) / slope):
                break
            angles.append(target)
            states.append(c.trial.copy())
            borders.append(c.trial_b.copy())
        if len(angles) < 3:
            return False
        # With two eigenvectors (by symmetry) the curve would go on, smooth in the angle itself.
        best = np.inf
        for places, at in ((np.cos(angles), float(np.cos(end))), (np.array(angles), end)):
            weights, fewer = _weights(places, at), np.append(_weights(places[:-1], at), 0.0)
            miss = float(np.linalg.norm((weights - fewer) @ np.array(borders)[:, :3]))
            if miss < best:
                best = miss
                c.u[:] = np.tensordot(weights, np.array(states), 1)
                c.b[:] = weights @ np.array(borders)
        c.b[last] = end
        pair = np.argsort(np.abs(c.spectrum[1:] - np.cos(end)))[:2] + 1
        c.spectrum[pair] = np.cos(end)
        return True

    @staticmethod
    def _small(records: list[Record]) -> bool:
        """Whether the last cycle is a small part of the largest, and smaller than the one before."""
        sizes = [float(np.max(np.ptp(r.profile.states, axis=0))) for r in records]
        return len(sizes) > 2 and sizes[-1] < sizes[-2] and sizes[-1] < 0.1 * max(sizes)

    def _cosine(self) -> float:
        c = self.c
        a, b = c.tb[1:3], c.solution_b[1:3]
        size = np.linalg.norm(a) * np.linalg.norm(b)
        return float(a @ b / size) if size > 0.0 else 1.0

    def _frame(
        self, records: list[Record], points: list[Point], ds: float
    ) -> tuple[list[Record], list[Point], Outcome]:
        c = self.c
        q0, q1 = c.b[1:3].copy(), c.trial_b[1:3].copy()
        k = int(np.argmax(np.maximum(q1 - 1.0, -q1)))
        target = 1.0 if q1[k] > 1.0 else 0.0
        fraction = float((target - q0[k]) / (q1[k] - q0[k]))
        if fraction > 1e-9 and self._go(1 + k, target, fraction * ds):
            points += self._events(len(records) - 1, fraction * ds)
            self._accept()
            c.b[1 + k] = target
            records.append(self._record(fraction * ds))
        words = f"Reached the edge of the window at {self._where()}."
        return records, points, Outcome("window", words, True)

    def _events(self, index: int, ds: float) -> list[Point]:
        """Special points between the present point and the trial point, which stays in place."""
        c = self.c
        arrays = (c.trial, c.trial_b, c.solution, c.solution_b, c.spectrum)
        end = self._point(self.kind, 0.0, trial=True)
        kept = [a.copy() for a in arrays]

        def there(row: int | None, value: float, x: float) -> Point | None:
            return self._point(self.kind, 0.0, trial=True) if self._go(row, value, x * ds) else None

        last = c.nb - 1
        angles = (float(c.b[last]), float(c.trial_b[last])) if self.kind == "NS" else (0.0, 0.0)
        found = self.scanner.step(
            end, angles, lambda x: there(None, 0.0, x),
            lambda angle: there(last, angle, (angle - angles[0]) / (angles[1] - angles[0])),
        )  # fmt: skip
        for a, b in zip(arrays, kept, strict=True):
            a[:] = b
        return [replace(p, index=index + x) for x, p in found]

    def _point(self, label: str, index: float, trial: bool = False) -> Point:
        c = self.c
        u, b = (c.trial, c.trial_b) if trial else (c.u, c.b)
        profile: Profile = c.profile(u, b)
        return Point(
            c.at(b[:3]), profile.states[0].copy(), c.spectrum.copy(), label=label, free=tuple(self.windows),
            index=index, critical=self._critical(b), profile=profile, condition="cycle",
        )  # fmt: skip

    def _critical(self, b: FloatArray) -> complex:
        if self.kind == "NS":
            return complex(np.exp(1j * b[self.c.nb - 1]))
        return complex(-1.0 if self.kind == "PD" else 1.0)

    def _returned(self, first: Record, records: list[Record]) -> bool:
        if len(records) < 10:
            return False
        a, b = records[-2].b[1:3], records[-1].b[1:3]
        step = np.linalg.norm(b - a)
        along = (first.b[1:3] - a) @ (b - a) / max(float(step) ** 2, 1e-300)
        near = np.linalg.norm(a + along * (b - a) - first.b[1:3])
        same = abs(records[-1].b[0] / first.b[0] - 1.0) < 1e-2
        return bool(0.0 <= along < 1.0 and near < 0.05 * step and same and first.tb[1:3] @ (b - a) > 0.0)

    def branch(self) -> Branch:
        """Both directions of the curve."""
        begin = self.c, self.condition
        c = self.c
        kept = [x.copy() for x in (c.u, c.b, c.t, c.tb, c.spectrum)]
        records, points, outcome, closed = self._follow()
        values, note = self.scanner.values, self.scanner.note
        outcomes = (outcome, outcome)
        if not closed:
            self.c, self.condition = begin
            c = self.c
            c.u[:], c.b[:], c.t[:], c.tb[:], c.spectrum[:] = kept
            c.t *= -1.0
            c.tb *= -1.0
            steps.set_row(c.state, c.t, c.tb, c.u)
            c.trial[:], c.trial_b[:] = c.u, c.b
            self.condition.start()
            behind, others, back, _ = self._follow()
            n = len(behind)
            turned = [replace(r, tb=-r.tb) for r in reversed(behind[1:])]
            records = turned + records
            values = self._joined(self.scanner.values, values)
            points = [replace(p, index=n - 1 - p.index) for p in reversed(others)] + [
                replace(p, index=n - 1 + p.index) for p in points
            ]
            outcomes = (back, outcome)
        system: Collocation = self.c
        branch = branch_of(system.system, system, self.kind, records, points, outcomes, closed)
        critical = np.array([self._critical(r.b) for r in records])
        measures = dict(branch.measures)
        if self.kind == "NS":
            measures["theta"] = np.array([float(r.b[self.c.nb - 1]) for r in records])
        if self.coefficients and not note:
            measures["coefficient"] = np.array(values)
        unstable = np.array([_beyond(r, self.kind) for r in records], dtype=np.int64)
        return replace(branch, critical=critical, measures=measures, unstable=unstable, note=note)

    def _joined(self, behind: list[float], ahead: list[float]) -> list[float]:
        """The coefficient along both directions; a fold's has the sign of its vector, which is to be one all along."""
        turned = self.kind == "LPC" and behind[0] * ahead[0] < 0.0
        return [-v if turned else v for v in reversed(behind[1:])] + ahead


def _weights(places: FloatArray, at: float) -> FloatArray:
    """Lagrange's factors for the value at another place."""
    return np.array([np.prod([(at - q) / (p - q) for q in places if q != p]) for p in places])


def _beyond(r: Record, kind: str) -> int:
    """Multipliers outside the unit circle, without the critical ones."""
    mu = r.spectrum[1:]
    goal = {"LPC": 1.0, "PD": -1.0}.get(kind)
    critical = np.abs(np.abs(mu) - 1.0) if goal is None else np.abs(mu - goal)
    others = np.delete(mu, np.argsort(critical)[: 2 if kind == "NS" else 1])
    return int(np.sum(np.abs(others) > 1.0))
