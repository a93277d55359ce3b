"""Flows with kinks: which smooth piece holds, what happens where a switching function vanishes, and sliding.

Where both neighbouring fields lead onto the surface of a switching function the motion slides along it (Filippov);
where one leads on, it is crossed; where both lead away the start decides, as nothing else does.

References
----------
Filippov: Differential Equations with Discontinuous Righthand Sides (1988). Leine and Nijmeijer: Dynamics and
Bifurcations of Non-Smooth Mechanical Systems (2004), chapter 7, for the jump of tangent vectors.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import evaluation
from gan_bifurcation import flow_kernels as kernels
from gan_bifurcation import flow_steps as fs
from gan_bifurcation.switching import Frozen, frozen

if TYPE_CHECKING:
    from gan_bifurcation.system import System
    from gan_bifurcation.tape import Tape

FloatArray = NDArray[np.float64]

# A switching function this small against its own terms is on its surface.
_ON: Final = 1e-12
# So many switches between smooth pieces within this part of the time are chattering.
CHATTER: Final = 200
BRIEF: Final = 1e-9
# For events in one call.
_ROOM: Final = 8
# A step after a switch begins with this part of the last one, so that an early return is seen.
_CAREFUL: Final = 0.1


@dataclass(frozen=True)
class Course:
    """What is integrated at present, in the form that `flow_kernels.march` takes."""

    piece: Frozen
    p: FloatArray  # (1, parameters and modes)
    scratch: fs.Scratch
    guards: fs.Guards
    g: FloatArray


class Modes:
    """The modes along one orbit.

    Parameters
    ----------
    system : System
    events : sequence of str
        Texts of the caller's events.
    kinds : pair of sequences
        Their directions and actions.
    p : array (m,)
    directions : array (m, k)
        Parameter directions of the tangent vectors.
    size : int
        Of y, with tangent vectors.
    forward : float
        1, or -1 to go back in time.
    room : int
        For events in one call.
    """

    def __init__(
        self, system: "System", events: list[str], kinds: tuple[list[int], list[int]], p: FloatArray,
        directions: FloatArray, size: int, forward: float, room: int,
    ) -> None:  # fmt: skip
        self.system, self.events, self.kinds = system, events, kinds
        self.p, self.directions, self.size, self.forward, self.room = p, directions, size, forward, room
        self.piece = frozen(system, events)
        self.modes = np.ones(self.piece.switches)
        self._courses: dict[int, Course] = {}
        # Made once for each tape: a switch asks a dozen times.
        self._evaluators: dict[int, tuple[Tape, Any]] = {}

    @property
    def _inputs(self) -> FloatArray:
        return np.concatenate([self.p, self.modes])

    def start(self, y: FloatArray) -> Course:
        """The piece that holds at the start."""
        surface = -1
        values, slopes = self._follow(y, surface)
        for k in np.flatnonzero(self._on(y, values, slopes)).tolist():
            surface = self._settle(y, k, None) if surface < 0 else surface
        return self._course(surface, y)

    def switch(self, course: Course, index: int, y: FloatArray) -> Course:
        """Go over to the next piece at an event; tangent vectors in y jump accordingly.

        Parameters
        ----------
        index : int
            Of the guard that stopped the integration, past the caller's events.
        """
        n, switches = self.system.n, self.piece.switches
        before = self._field(course, y)
        _, slopes = self._watched(y)
        surface = course.piece.surface
        crossed = index
        if index >= switches:  # the field of one side leads off the surface again: that side holds
            crossed = surface
            self.modes[surface] = 1.0 if index == switches else -1.0
            surface = -1
        elif surface >= 0:
            # On another surface already: it goes on sliding there if it can.
            self.modes[index] = -self.modes[index]
            surface = self._settle(y, surface, None)
        else:
            surface = self._settle(y, index, -self.modes[index])
        values, slopes_now = self._follow(y, surface)
        for k in np.flatnonzero(self._on(y, values, slopes_now)).tolist():
            if k not in (crossed, surface) and surface < 0:
                surface = self._settle(y, k, self.modes[k])
        after_course = self._course(surface, y)
        jump = self._field(after_course, y) - before
        speed = float(slopes[crossed, :n] @ before)
        k = self.directions.shape[1]
        if k and abs(speed) > 1e-300 and np.any(jump):
            tangent = y[n:].reshape(n, k)
            # Aizerman and Gantmakher: T+ = T- + (f+ - f-) (dg T- + dg/dp P) / (dg f-).
            moved = slopes[crossed, :n] @ tangent + slopes[crossed, n : n + len(self.p)] @ self.directions
            y[n:] = (tangent + np.outer(jump, moved) / speed).ravel()
        return after_course

    def coincident(self, course: Course, y: FloatArray, time: float) -> list[tuple[int, float]]:
        """The caller's events that vanish at this very time as well, with the signs of their speeds."""
        values, slopes = self._all_watched(y)
        speed = slopes[:, : self.system.n] @ self._field(course, y)
        return [
            (q, float(np.sign(speed[q]) * self.forward))
            for q in range(len(self.events))
            if speed[q] != 0.0 and abs(values[q]) <= 1e-12 * abs(speed[q]) * max(abs(time), 1.0)
        ]

    # -- deciding -------------------------------------------------------------------------------------------------

    def _follow(self, y: FloatArray, surface: int) -> tuple[FloatArray, FloatArray]:
        """Set the modes by the functions' signs; a function may look at others, and jump where their modes change."""
        for _ in range(len(self.modes) + 1):
            values, slopes = self._watched(y)
            wrong = (values * self.modes < 0.0) & ~self._on(y, values, slopes)
            if surface >= 0:
                wrong[surface] = False
            if not np.any(wrong):
                break
            self.modes[wrong] *= -1.0
        return values, slopes

    def _settle(self, y: FloatArray, k: int, preferred: float | None) -> int:
        """Set the mode of a function that vanishes at y; returns k if the motion slides along its surface, or -1."""
        keep = self.modes[k]
        speeds, small = {}, 0.0
        for side in (1.0, -1.0):
            self.modes[k] = side
            field = self._field(self.piece, y)
            slope = self._watched(y)[1][k, : self.system.n]
            speeds[side] = float(slope @ field) * self.forward
            small = max(small, _ON * float(np.abs(slope) @ np.abs(field)))
        # A side can be entered if its own field does not lead back at once.
        open_to = [side for side in (1.0, -1.0) if side * speeds[side] >= -small]
        if not open_to:
            self.modes[k] = keep
            return k
        if len(open_to) == 2 and preferred is None:
            # Both sides lead away: the right-hand side as it is written, where sign(0) = 0, decides.
            own = self.system.rhs(y[: self.system.n], self.p)
            slope = self._watched(y)[1][k, : self.system.n]
            preferred = -1.0 if float(slope @ own) * self.forward < 0.0 else 1.0
        self.modes[k] = preferred if preferred in open_to else open_to[0]
        return -1

    def _rests(self, y: FloatArray, k: int) -> bool:
        """Whether a function that vanishes at y stays zero because the present piece does not move it at all."""
        # Where the speed is zero by chance, it is not so nearby.
        for shift in (0.0, 1.3e-3, -0.7e-3):
            near = y[: self.system.n] * (1.0 + shift) + shift * np.linspace(0.7, 1.3, self.system.n)
            if float(self._watched(near)[1][k, : self.system.n] @ self._field(self.piece, near)) != 0.0:
                return False
        return True

    def _on(self, y: FloatArray, values: FloatArray, slopes: FloatArray) -> NDArray[np.bool_]:
        scale = np.abs(slopes[:, : self.system.n]) @ np.maximum(np.abs(y[: self.system.n]), 1e-3)
        on: NDArray[np.bool_] = np.abs(values) <= _ON * scale
        return on

    # -- evaluation -----------------------------------------------------------------------------------------------

    def _course(self, surface: int, y: FloatArray) -> Course:
        piece = frozen(self.system, self.events, surface)
        extra = 2 if surface >= 0 else 0
        directions: list[float] = [*self.kinds[0], *([0] * piece.switches), *((1, -1) if extra else ())]
        if extra:
            # The speeds point off the surface where they change sign; backwards in time it is the other way round.
            directions[-2:] = [int(self.forward), -int(self.forward)]
        on = self._on(y, *self._watched(y))
        for k in range(piece.switches):
            if k == surface or (on[k] and self._rests(y, k)):
                # Zero all along: the sign of its rounding is no event.
                directions[len(self.events) + k] = np.nan
        first = len(self.events)
        if (made := self._courses.get(surface)) is not None:
            made.p[0] = self._inputs
            made.guards.direction[:] = directions
            made.guards.side[first : first + piece.switches] = self.modes
            return made
        actions = [*self.kinds[1], *([fs.STOP] * (piece.switches + extra))]
        room = self.room + 8 * fs.LOOKS * len(actions)
        g = np.zeros((piece.tape.slots, self.directions.shape[1]))
        g[self.system.n : self.system.n + len(self.p)] = self.directions
        guards = fs.make_guards(piece.watched, directions, actions, 1, room, self.size)
        guards.side[first : first + piece.switches] = self.modes
        made = Course(piece, self._inputs[None].copy(), fs.make_scratch(piece.tape, self.size), guards, g)
        self._courses[surface] = made
        return made

    def _field(self, course: "Course | Frozen", y: FloatArray) -> FloatArray:
        piece = course.piece if isinstance(course, Course) else course
        f = np.empty(self.system.n)
        z = np.concatenate([y[: self.system.n], self._inputs])
        evaluation.value(self._evaluator(piece.tape, self.system.n, 0), z, f)
        return f

    def _evaluator(self, tape: "Tape", outputs: int, derivatives: int) -> Any:
        if id(tape) not in self._evaluators:
            # The tape is kept with its number: another one could get its id later.
            self._evaluators[id(tape)] = tape, evaluation.make_evaluator(tape.data, 1, outputs, derivatives)
        return self._evaluators[id(tape)][1]

    def _watched(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Switching functions and their derivatives by all inputs."""
        values, slopes = self._all_watched(y)
        first = len(self.events)
        return values[first:], slopes[first:]

    def _all_watched(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        tape: Tape = self.piece.watched
        z = np.concatenate([y[: self.system.n], self._inputs])
        count = len(tape.outputs)
        values, slopes = np.empty(count), np.empty((count, len(z)))
        evaluation.jacobian(self._evaluator(tape, count, 1), z, values, slopes)
        return values, slopes


def careful(clock: fs.Clock) -> None:
    """Begin the next piece with a small step."""
    clock.real[0, 2] *= _CAREFUL


class Pieces:
    """An orbit that goes on from one smooth piece of a right-hand side to the next.

    Where it simply crosses a surface, compiled code goes over to the next piece; where it slides, leaves a surface, or
    meets several at once, `Modes` decides.

    Parameters
    ----------
    system : System
        A flow.
    y : array (n,)
    p : array (m,)
    """

    def __init__(self, system: "System", y: FloatArray, p: FloatArray) -> None:
        n, m = system.n, len(p)
        self.y = np.array(y, dtype=float)
        self._modes = Modes(system, [], ([], []), p.copy(), np.zeros((m, 0)), n, 1.0, _ROOM)
        self._first = m
        self._course = self._crossing(self._modes.start(self.y))

    def _crossing(self, course: Course) -> Course:
        if course.piece.surface < 0:
            switches = course.piece.switches
            course.guards.action[:switches] = fs.CROSS + self._first + np.arange(switches)
        return course

    def march(self, clock: fs.Clock, settings: fs.Settings, times: FloatArray, states: FloatArray) -> int:
        """Go on to the end of a clock of one orbit; returns how that ended, as `flow_kernels.march` says it.

        Parameters
        ----------
        states : array (1, times, n)
            What is written at the times.
        """
        count, row = clock.counts[0], self.y[None]
        recent: list[float] = []
        while True:
            before = int(count[0])
            course = self._course
            left = settings._replace(most_steps=settings.most_steps - before)
            kernels.march(
                course.piece.tape.data, course.p, row, clock, left, times, states, course.scratch, course.g,
                course.guards,
            )  # fmt: skip
            met = int(course.guards.which[0, int(count[5]) - 1]) if count[5] else -1
            count[5] = 0
            if course.piece.surface < 0:
                # What was crossed is seen by the guards' sides.
                self._modes.modes[:] = course.guards.side[: course.piece.switches]
                course.p[0, self._first :] = self._modes.modes
            if count[7] == kernels.FULL:
                continue
            if count[7] != kernels.STOPPED:
                return int(count[7])
            recent = [*recent[-CHATTER:], float(clock.real[0, 0])]
            chatters = len(recent) > CHATTER and recent[-1] - recent[0] <= BRIEF * abs(clock.real[0, 1])
            if chatters or int(count[0]) >= settings.most_steps:
                return kernels.STEP_LIMIT
            self._course = self._crossing(self._modes.switch(course, met, self.y))
            careful(clock)
