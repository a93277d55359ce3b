"""Curves of homoclinic orbits in two parameters: `trace` follows a point labelled Hom."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.homoclinic_equations import Ends as Saddle
from gan_bifurcation.continuation.homoclinic_equations import Equations
from gan_bifurcation.continuation.march import StepControl
from gan_bifurcation.continuation.run import Ends
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

DEFAULT_CONTROL: Final = StepControl(first=1e-2, smallest=1e-7, largest=0.15, angle=0.3)
# The orbit is a small part of the largest one of the curve: it shrinks to an equilibrium.
_SMALL: Final = 0.02
# A leading eigenvalue is a small part of the other: the saddle comes close to a saddle-node.
_UNEVEN: Final = 1e-2


def saddle_quantity(saddle: Saddle) -> float:
    """The sum of the real parts of the two leading eigenvalues."""
    down, up = saddle.leading
    return float(down.real + up.real)


def words(saddle: Saddle) -> str:
    """What cycles come from the orbit (Shilnikov's theorems)."""
    down, up = saddle.leading
    stable, unstable = saddle.counts
    sigma = saddle_quantity(saddle)
    if (down.imag and sigma > 0.0 and not up.imag) or (up.imag and sigma < 0.0 and not down.imag) or (
        down.imag and up.imag
    ):  # fmt: skip
        return "saddle-focus with infinitely many saddle cycles beside the orbit (Shilnikov)"
    if sigma < 0.0:
        return "saddle quantity < 0: one stable cycle" if unstable == 1 else "saddle quantity < 0: one saddle cycle"
    return "saddle quantity > 0: one unstable cycle" if stable == 1 else "saddle quantity > 0: one saddle cycle"


def point_of(
    equations: Equations, u: FloatArray, name: str = "", label: str = "Hom", note: str = "", index: float = np.nan
) -> Point:
    """A solution as a point: its state and eigenvalues are those of the saddle, its profile is the orbit."""
    saddle = equations.ends(u)
    form: dict[str, Any] = {"saddle_quantity": saddle_quantity(saddle), "criticality": words(saddle)}
    residual = float(np.max(np.abs(equations.residual(u)[0])))
    return Point(
        equations.at(u), equations.saddle(u), saddle.eigenvalues, label=label, name=name, normal_form=form,
        residual=residual, free=tuple(equations.free), note=note, index=index, condition="homoclinic",
        profile=equations.profile(u),
    )  # fmt: skip


def trace(
    start: Point | ProfileStart, windows: dict[str, Range], at: Sequence[float], ends: Ends, events: Sequence[Event],
    control: StepControl | None, coefficients: bool,
) -> Branch:  # fmt: skip
    """The curve of a homoclinic orbit in two parameters; see :func:`gan_bifurcation.trace`.

    Raises
    ------
    MisuseError
        If there are not two free parameters, or Newton's method does not converge to the orbit.
    """
    del coefficients
    if len(windows) != 2 or not isinstance(start, Point):
        raise MisuseError(
            "A homoclinic orbit is followed in two parameters, from a point labelled Hom; name two, such as "
            "{'a': (0, 1), 'b': (0, 1)}."
        )
    if at or events:
        raise MisuseError("at= and events= are conditions on branches; a curve of homoclinic orbits takes none.")
    return _Curve(start, windows, ends, control or DEFAULT_CONTROL).branch()


@dataclass(frozen=True, eq=False)
class _Record:
    """A point of the curve."""

    q: FloatArray
    saddle: FloatArray
    ends: Saddle
    profile: Any
    distance: float
    size: float

    @property
    def sigma(self) -> float:
        return saddle_quantity(self.ends)

    @property
    def slowest(self) -> float:
        return min(abs(z.real) for z in self.ends.leading)


class _Curve:
    """A curve on its way."""

    def __init__(self, start: Point, windows: dict[str, Range], ends: Ends, control: StepControl) -> None:
        assert start.profile is not None
        self.windows, self.ends, self.control = windows, ends, control
        self.e = Equations(start.system, windows, start.profile, start.x, start.parameters)
        if sum(self.e.counts) != self.e.n:
            raise MisuseError("The equilibrium of the start is no hyperbolic saddle; take a point labelled Hom.")
        for index in (-1, -2):
            row = np.zeros(self.e.size)
            row[index] = 1.0
            u = self.e.newton(self.e.u, row, float(self.e.u[index]))
            if u is not None:
                break
        else:
            raise MisuseError("Newton's method did not converge to the homoclinic orbit of the start.")
        self.e.u = u
        self.t = self.e.tangent(u, row)
        self._settle()

    def _settle(self) -> None:
        """Other ends and another mesh where these serve better."""
        for _ in range(4):
            new = self.e.adapted(self.t)
            if new is None:
                return
            e, t = new
            u = e.newton(e.u, e.weights * t, float((e.weights * t) @ e.u))
            if u is None:
                return
            e.u = u
            self.e, self.t = e, e.tangent(u, e.weights * t)

    def _record(self) -> _Record:
        e = self.e
        size = float(np.max(np.ptp(e.states(e.u), axis=0)))
        return _Record(e.u[-2:].copy(), e.saddle(e.u), e.ends(e.u), e.profile(e.u), max(e.distances(e.u)), size)

    def _where(self) -> str:
        return ", ".join(f"{k} = {v:.6g}" for k, v in self.e.values(self.e.u).items())

    def _follow(self) -> tuple[list[_Record], list[Point], Outcome]:
        records, points = [self._record()], list[Point]()
        ds = self.control.first
        while True:
            e = self.e
            if len(records) >= self.ends.max_points:
                words_ = f"Stopped after {len(records)} points at {self._where()}; raise max_points to go on."
                return records, points, Outcome("points", words_, True)
            row = e.weights * self.t
            u = e.newton(e.u + ds * self.t, row, float(row @ e.u) + ds, most=8)
            t = None
            if u is not None:
                try:
                    t = e.tangent(u, row)
                except np.linalg.LinAlgError:
                    t = None
            cosine = float(np.sum(e.weights * t * self.t)) if t is not None else 0.0
            if u is None or t is None or cosine < np.cos(2.0 * self.control.angle):
                ds *= 0.5
                if ds < self.control.smallest:
                    return records, points, self._stuck(records)
                continue
            if (u[-2:] < 0.0).any() or (u[-2:] > 1.0).any():
                return (*self._frame(records, points, u),)
            e.u, self.t = u, t
            records.append(self._record())
            points += self._neutral(records)
            over = self._over(records)
            if over is not None:
                return records, points, over
            angle = float(np.arccos(min(1.0, cosine)))
            ds = min(ds * min(1.5, self.control.angle / max(angle, 1e-3)), self.control.largest)
            self._settle()

    def _frame(
        self, records: list[_Record], points: list[Point], u: FloatArray
    ) -> tuple[list[_Record], list[Point], Outcome]:
        e = self.e
        k = int(np.argmax(np.maximum(u[-2:] - 1.0, -u[-2:])))
        target = 1.0 if u[-2 + k] > 1.0 else 0.0
        row = np.zeros(e.size)
        row[-2 + k] = 1.0
        fraction = (target - e.u[-2 + k]) / (u[-2 + k] - e.u[-2 + k])
        hit = e.newton(e.u + fraction * (u - e.u), row, target)
        if hit is not None:
            hit[-2 + k] = target
            e.u = hit
            records.append(self._record())
            points += self._neutral(records)
        return records, points, Outcome("window", f"Reached the edge of the window at {self._where()}.", True)

    def _neutral(self, records: list[_Record]) -> list[Point]:
        """Where the saddle quantity vanished between the last two points, by regula falsi on the parameters."""
        a, b = records[-2].sigma, records[-1].sigma
        size = max(abs(z.real) for r in records[-2:] for z in r.ends.leading)
        if a * b >= 0.0 or min(abs(a), abs(b)) < 1e-9 * size:
            return []
        e, k = self.e, int(np.argmax(np.abs(records[-1].q - records[-2].q)))
        row = np.zeros(e.size)
        row[-2 + k] = 1.0
        low, high, u = records[-2].q[k], records[-1].q[k], e.u.copy()
        for _ in range(30):
            x = low - a * (high - low) / (b - a)
            moved = e.newton(u, row, float(x))
            if moved is None:
                return []
            u = moved
            here = saddle_quantity(e.ends(u))
            if abs(here) < 1e-10 * size:
                break
            # Illinois: the end that stays counts for half.
            if here * b > 0.0:
                high, b, a = x, here, 0.5 * a
            else:
                low, a, b = x, here, 0.5 * b
        index = len(records) - 2 + float((x - records[-2].q[k]) / (records[-1].q[k] - records[-2].q[k]))
        note = "The saddle quantity vanishes: cycles beside it change their stability, and folds of cycles begin here."
        return [point_of(e, u, label="NSS", note=note, index=index)]

    def _over(self, records: list[_Record]) -> Outcome | None:
        """Whether the curve ends: at an equilibrium, or where the saddle becomes a saddle-node."""
        last = records[-1]
        slow = [r.slowest for r in records]
        if last.size < _SMALL * max(r.size for r in records) and last.slowest < 0.5 * max(slow):
            words_ = (
                f"The orbit shrinks to an equilibrium near {self._where()}: a Bogdanov-Takens point, where it ends."
            )
            return Outcome("BT", words_, True)
        down, up = (abs(z.real) for z in last.ends.leading)
        if min(down, up) < _UNEVEN * max(down, up) and last.slowest < 0.1 * max(slow):
            words_ = (
                f"The saddle comes close to a saddle-node at {self._where()} (its eigenvalues are {-down:.3g} and "
                f"{up:.3g}); homoclinic orbits to saddle-nodes are not followed."
            )
            return Outcome("saddle-node", words_, True)
        return None

    def _stuck(self, records: list[_Record]) -> Outcome:
        if records[-1].size < 5.0 * _SMALL * max(r.size for r in records):
            words_ = f"The orbit shrinks to an equilibrium near {self._where()}, where it ends."
            return Outcome("BT", words_, True)
        words_ = (
            f"The corrector failed at {self._where()} down to the smallest step {self.control.smallest:g}; the saddle "
            "may cease to be one, or the orbit break in two."
        )
        return Outcome("step too small", words_, False)

    def branch(self) -> Branch:
        """Both directions of the curve."""
        from gan_bifurcation.continuation.trace import _numbered

        e, t, u = self.e, self.t.copy(), self.e.u.copy()
        ahead, points, outcome = self._follow()
        self.e, self.t = e, -t
        self.e.u = u
        behind, others, back = self._follow()
        n = len(behind)
        records = behind[:0:-1] + ahead
        indexed = [(n - 1 - p.index, p) for p in others] + [(n - 1 + p.index, p) for p in points]
        special = [replace(p, index=i) for i, p in sorted(indexed, key=lambda entry: entry[0])]
        names = self.e.system.states
        low = np.array([r.profile.states.min(axis=0) for r in records])
        high = np.array([r.profile.states.max(axis=0) for r in records])
        measures = {
            "saddle_quantity": np.array([r.sigma for r in records]),
            "duration": np.array([r.profile.period for r in records]),
            "distance": np.array([r.distance for r in records]),
            **{f"min_{s}": low[:, k] for k, s in enumerate(names)},
            **{f"max_{s}": high[:, k] for k, s in enumerate(names)},
        }
        spectrum = np.array([r.ends.eigenvalues for r in records])
        ranges = list(self.windows.values())
        values = np.array([[w.from_unit(float(q)) for w, q in zip(ranges, r.q, strict=True)] for r in records])
        return Branch(
            self.e.system, tuple(self.windows), "Hom", values,
            np.array([r.saddle for r in records]), spectrum, np.sum(spectrum.real > 0.0, axis=1).astype(np.int64),
            tuple(_numbered(special)), (back, outcome), False, measures, condition="homoclinic",
            profiles=tuple(r.profile for r in records),
        )  # fmt: skip
