"""One direction of a trace: chunks of the tracer, what stops it, and its exact end on the window's frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation import _tracer
from gan_bifurcation.continuation.march import (
    Jump,
    StepControl,
    Strip,
    join,
    march,
    outcome_of,
    record,
    undetermined,
)
from gan_bifurcation.continuation.problem import CONDITION_OF, CurveProblem
from gan_bifurcation.errors import MisuseError, Outcome, unknown_name
from gan_bifurcation.evaluation import make_evaluator, value
from gan_bifurcation.observables import observable_tape
from gan_bifurcation.ranges import Range, as_range
from gan_bifurcation.switching import kink_at
from gan_bifurcation.system import System
from gan_bifurcation.tape import Tape

FloatArray = NDArray[np.float64]

# After a jump to a curve nearby: how many times shorter the steps are, and for how many points.
_SHORTER = 32.0
_CAREFUL = 128

# Labels of special points on curves.
CODIMENSION_TWO = ("CP", "GH", "GPD", "CH", "R1", "R2", "R3", "R4", "BT", "ZH", "HH", "LPPD", "LPNS", "PDNS", "NSNS")
# Labels of special points on branches of cycles.
OF_CYCLES = ("LPC", "BPC", "PD", "NS")


class Scanner(Protocol):
    """What looks for special points in a strip."""

    def scan(self, strip: Strip, offset: int) -> list[Point]:
        """Special points of a strip whose first point has this index; raises `Jump` between points of two curves."""
        ...


@dataclass(frozen=True)
class Ends:
    """What ends a trace besides the window: labels, bounds of states, the system's domain, the number of points."""

    labels: tuple[str, ...]
    bounds: Mapping[int, Range]
    domain: tuple[tuple[Tape, str], ...]
    max_points: int

    @classmethod
    def of(
        cls,
        system: System,
        stop: str | Sequence[str] | None,
        bounds: Mapping[str, Any] | None,
        max_points: int,
        names: Sequence[str] = (),
    ) -> "Ends":
        """What ends a trace; `names` are those of users' events."""
        if isinstance(max_points, bool) or not isinstance(max_points, int | np.integer) or max_points < 1:
            raise MisuseError(f"max_points must be a whole number, at least 1, got {max_points!r}.")
        known = {}
        for name, pair in (bounds or {}).items():
            if name not in system.states:
                raise unknown_name("state", name, system.states)
            known[system.states.index(name)] = as_range(pair)
        labels = (stop,) if isinstance(stop, str) else tuple(stop or ())
        possible = [*CONDITION_OF[system.kind], *OF_CYCLES, *CODIMENSION_TWO, "UZ", *names]
        for label in labels:
            if label not in possible and label.rstrip("0123456789") not in possible:
                raise unknown_name("label to stop at", label, possible)
        return cls(
            labels,
            known,
            tuple((observable_tape(system, [text]), reason) for text, reason in system.domain),
            max_points,
        )

    def first_outside(self, problem: CurveProblem, strip: Strip) -> tuple[int, str] | None:
        """The first point of a strip that is out of bounds or out of the domain, and why.

        A point of an iterate stands for its orbit: all of it has to lie in the domain.
        """
        if not self.bounds and not self.domain:
            return None
        x = problem.states(strip.u)
        guards = [(make_evaluator(tape.data, 1, 1, 0), reason) for tape, reason in self.domain]
        found, n = np.empty(1), problem.system.n
        once, later = make_evaluator(problem.system.tape.data, 1, n, 0), np.empty(n)
        for i in range(len(strip)):
            for k, window in self.bounds.items():
                if not window.low <= x[i, k] <= window.high:
                    return i, f"{problem.system.states[k]} left its bounds ({window.low:g}, {window.high:g})"
            z = problem.joint(strip.u[i])
            for step in range(problem.system.iterations if guards else 0):
                if step:
                    value(once, z, later)
                    z[:n] = later
                for guard, reason in guards:
                    value(guard, z, found)
                    if not found[0] >= 0.0:
                        return i, f"left the domain: {reason}"
        return None

    def reached(self, points: Sequence[Point]) -> Point | None:
        """The first special point that the trace was to stop at."""
        seen: dict[str, int] = {}
        for p in points:
            seen[p.label] = seen.get(p.label, 0) + 1
            if p.label in self.labels or f"{p.label}{seen[p.label]}" in self.labels:
                return p
        return None


@dataclass(frozen=True, eq=False)
class Run:
    """One direction: its points from the start on, its special points (index counted from the start), why it ended."""

    strip: Strip
    points: list[Point]
    outcome: Outcome
    closed: bool

    def then(self, forward: "Run") -> tuple[Strip, list[Point]]:
        """This run backwards, then another one from the same start."""
        n = len(self.strip)
        reverse = self.strip.slice(slice(None, 0, -1))
        reverse = Strip(reverse.u, -reverse.t, reverse.spectra, reverse.structural, -reverse.signs)
        points = [replace(p, index=n - 1 - p.index) for p in reversed(self.points)]
        points += [replace(p, index=n - 1 + p.index) for p in forward.points if not _same(p, points)]
        return join([reverse, forward.strip]), points


def _same(p: Point, others: Sequence[Point]) -> bool:
    """A point at the start itself is met by both directions."""
    return p.index < 1.0 and any(
        o.label == p.label
        and np.allclose(o.x, p.x, rtol=1e-8, atol=1e-9)
        and all(np.isclose(o.parameters[k], v, rtol=1e-8, atol=1e-12) for k, v in p.parameters.items())
        for o in others
    )


def begun(problem: CurveProblem, first: Strip) -> Outcome:
    """What is said of the side of a start from which a curve is followed in one direction only."""
    return Outcome("start", f"Started at {_where(problem, first.u[0])}.", True)


def _where(problem: CurveProblem, u: FloatArray) -> str:
    return ", ".join(f"{k} = {v:.6g}" for k, v in zip(problem.free, problem.values(u), strict=True))


def frame_hit(problem: CurveProblem, inside: FloatArray, outside: FloatArray) -> FloatArray | None:
    """The exact point where the curve meets the frame of the window, between a point inside and one outside."""
    q0, q1 = inside[problem.q_slice], outside[problem.q_slice]
    best: tuple[float, int, float] | None = None
    for k in range(len(q0)):
        for target in (0.0, 1.0):
            if (target == 0.0 and q1[k] < 0.0) or (target == 1.0 and q1[k] > 1.0):
                fraction = (target - q0[k]) / (q1[k] - q0[k]) if q1[k] != q0[k] else 0.0
                if best is None or fraction < best[0]:
                    best = (float(fraction), k, target)
    if best is None:
        return None
    fraction, k, target = best
    row = np.zeros(problem.size)
    row[problem.q_slice.start + k] = 1.0
    guess = inside + max(fraction, 0.0) * (outside - inside)
    if problem.k:
        problem.set_reference(problem.states(guess))
    u, ok = problem.newton(guess, row, target)
    if not ok or np.linalg.norm(u - guess) > 2.0 * np.linalg.norm(outside - inside):
        return None
    u[problem.q_slice.start + k] = target
    return u


def follow(problem: CurveProblem, first: Strip, control: StepControl, scanner: Scanner, ends: Ends) -> Run:
    """March from a start in the direction of its tangent until something ends the curve."""
    strips, points = [first], []
    total = 1
    outcome = Outcome("start", "The trace did not leave its start.", False)
    closed = False
    steps = march(problem, first, control)
    careful = 0
    while (advance := next(steps, None)) is not None:
        chunk, reason = advance
        if len(chunk) > (room := max(1, ends.max_points - total)):
            chunk, reason = chunk.slice(slice(0, room)), _tracer.FULL
        finished = reason != _tracer.FULL
        pieces = [chunk]
        if reason == _tracer.LEFT_WINDOW:
            pieces = _cut_at_frame(problem, strips[-1], chunk)
        stitched = join([strips[-1].slice(slice(-1, None)), *pieces])
        chunk = stitched.slice(slice(1, None))
        if finished:
            last = (chunk if len(chunk) else strips[-1]).u[-1]
            outcome = outcome_of(reason, control, _where(problem, last))
        if not len(chunk):
            break
        if problem.condition == "none" and all(
            undetermined(problem, chunk.u[i], chunk.t[i]) for i in (-1, len(chunk) // 2, 0)
        ):
            outcome = Outcome(
                "singular",
                f"The trace ended near {_where(problem, strips[-1].u[-1])}: from there on the equations are singular "
                "in more directions than one, as on a manifold of equilibria; start at a point of it (gb.point).",
                False,
            )
            break
        out = ends.first_outside(problem, chunk)
        if out is not None:
            chunk, finished = chunk.slice(slice(0, out[0])), True
            stitched = stitched.slice(slice(0, out[0] + 1))
            outcome = Outcome("bounds", f"The trace ended near {_where(problem, stitched.u[-1])}: {out[1]}.", True)
        loop = _closes(problem, first, strips, stitched)
        if loop is not None:
            chunk, finished, closed = chunk.slice(slice(0, loop)), True, True
            chunk = join([chunk, first]) if loop else first
            stitched = join([strips[-1].slice(slice(-1, None)), chunk])
            outcome = Outcome("closed", "The curve is closed: it returned to its start.", True)
        try:
            found = scanner.scan(stitched, total - 1)
        except Jump as jump:
            # Two curves pass closer to each other than the steps could see: go on from before that with smaller ones.
            size = float(np.linalg.norm(stitched.u[jump.interval + 1] - stitched.u[jump.interval])) / _SHORTER
            stitched = stitched.slice(slice(0, jump.interval + 1))
            chunk = stitched.slice(slice(1, None))
            points += scanner.scan(stitched, total - 1) if len(chunk) else []
            if len(chunk):
                strips.append(chunk)
                total += len(chunk)
            if size < 10.0 * control.smallest:
                outcome = Outcome(
                    "step too small",
                    f"Two curves meet near {_where(problem, stitched.u[-1])}, closer than steps can tell apart; "
                    "start on the other side of it.",
                    False,
                )
                break
            careful = _CAREFUL
            steps = march(problem, stitched, replace(control, first=size, largest=size))
            closed = False
            continue
        points += found
        halt = ends.reached(points)
        if halt is not None:
            keep = int(np.floor(halt.index)) + 1 - total
            points = [p for p in points if p.index <= halt.index]
            final = _as_strip(problem, halt, stitched)
            strips += [chunk.slice(slice(0, max(keep, 0))), *([final] if final is not None else [])]
            outcome = Outcome("stop", f"Stopped at {halt.label} at {_where(problem, problem.pack(halt.x))}.", True)
            closed = False
            break
        if len(chunk):
            strips.append(chunk)
            total += len(chunk)
        if finished:
            break
        if careful > 0:
            careful -= len(chunk)
            if careful <= 0:
                steps = march(problem, strips[-1], control)
        if total >= ends.max_points:
            outcome = Outcome(
                "points",
                f"Stopped after {total} points at {_where(problem, chunk.u[-1])}; raise max_points to go on.",
                True,
            )
            break
        if scanner_stop := getattr(scanner, "end", None):
            outcome = scanner_stop
            break
    whole = join(strips)
    if outcome.code == "step too small" and (kink := kink_at(problem.system, problem.joint(whole.u[-1]).tolist())):
        outcome = Outcome(
            "kink",
            f"The equations have a kink near {_where(problem, whole.u[-1])}, where {kink} = 0: the curve breaks or "
            "turns there; start on the other side of it.",
            False,
        )
    return Run(whole, points, outcome, closed)


def _cut_at_frame(problem: CurveProblem, before: Strip, chunk: Strip) -> list[Strip]:
    """The chunk without its last point, which is outside the window, and in its place the exact hit on the frame."""
    kept = chunk.slice(slice(0, -1))
    inside = (kept if len(kept) else before).u[-1]
    if problem.q_slice.stop - problem.q_slice.start and np.linalg.norm(chunk.u[-1] - inside) > 0.0:
        q = inside[problem.q_slice]
        if not ((q == 0.0) | (q == 1.0)).any() or len(kept):
            u = frame_hit(problem, inside, chunk.u[-1])
            if u is not None and np.linalg.norm(u - inside) > 1e-12:
                hit = record(problem, u, chunk.t[-1])
                if hit is not None:
                    return [kept, hit]
    return [kept]


def _as_strip(problem: CurveProblem, point: Point, near: Strip) -> Strip | None:
    u = near.u[min(int(max(point.index, 0)), len(near) - 1)].copy()
    packed = problem.pack(point.x, values=point.parameters)
    u[: problem.system.n], u[problem.q_slice] = packed[: problem.system.n], packed[problem.q_slice]
    return record(problem, u, near.t[-1])


def _closes(problem: CurveProblem, first: Strip, strips: list[Strip], stitched: Strip) -> int | None:
    """How many points of the new chunk come before the curve passes through its start again; None if it does not."""
    travelled = sum(len(s) for s in strips)
    u0, t0 = first.u[0], first.t[0]
    along = (stitched.u - u0) @ t0
    for i in np.flatnonzero((along[:-1] < 0.0) & (along[1:] >= 0.0)).tolist():
        if travelled + i < 6:
            continue
        step = np.linalg.norm(stitched.u[i + 1] - stitched.u[i])
        fraction = along[i] / (along[i] - along[i + 1])
        near = stitched.u[i] + fraction * (stitched.u[i + 1] - stitched.u[i])
        # At the tip of a narrow loop the direction turns much from one point to the next.
        if np.linalg.norm(near - u0) < step and float(np.max(stitched.t[i : i + 2] @ t0)) > 0.7:
            solved, ok = problem.newton(near, t0, float(t0 @ u0))
            if ok and np.linalg.norm(solved - u0) < 1e-7 * (1.0 + np.linalg.norm(u0)):
                return i
    return None
