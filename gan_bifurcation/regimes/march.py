"""Many cells of a system run together, piece by piece: the same few calls for maps and for flows.

Time is counted in ticks. A tick of a map is one step; a tick of a flow is a fixed piece of time, so that its record is
an orbit of the map "flow for one tick".
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import flow_kernels as fk
from gan_bifurcation import flow_steps as fs
from gan_bifurcation import lanes
from gan_bifurcation.flow_modes import Pieces
from gan_bifurcation.observables import guarded_tape
from gan_bifurcation.simulate import outside
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Beyond the codes of `lanes.sweep`: a flow that needs too many steps.
STUCK: Final = -1
_MOST_STEPS: Final = 200_000
_CODES: Final = {fk.FINISHED: lanes.INSIDE, fk.TOO_LARGE: lanes.TOO_LARGE, fk.STEP_LIMIT: STUCK}
# Looks at a flow per window.
_LOOKS: Final = 64
# How often neighbouring orbits are drawn near again.
_PIECES: Final = 128


@dataclass(frozen=True, eq=False)
class Window:
    """What a piece of the orbits showed, for the cells that took part.

    Attributes
    ----------
    low, high : array (cells, n)
    step : array (cells, n)
        The change over the next tick (of a map) or over the last one (of a flow).
    """

    low: FloatArray
    high: FloatArray
    step: FloatArray


class Cells:
    """Orbits of one system from many initial states and parameters.

    Attributes
    ----------
    x : array (cells, n)
        Where they are.
    codes : int array (cells,)
        INSIDE, or why an orbit ended (the codes of `lanes.sweep`, and STUCK).
    ticks : int array (cells,)
        How far they came.
    effort : int array (cells,)
        Steps that the integrator took for the last piece of a flow: about ten for each turn.
    """

    def __init__(
        self, system: System, x: FloatArray, p: FloatArray, tick: float, bound: float, tolerance: float
    ) -> None:
        self.system, self.p, self.tick, self.bound, self.tolerance = system, p, tick, bound, tolerance
        self.x = np.array(x, dtype=float, order="C")
        self.codes = np.zeros(len(x), dtype=np.int64)
        self.ticks = np.zeros(len(x), dtype=np.int64)
        self.effort = np.zeros(len(x), dtype=np.int64)
        self._h = np.zeros(len(x))
        # Of flows with kinks: the smooth piece that each orbit is in.
        self._pieces: dict[int, Pieces] = {}
        self._tape = guarded_tape(system) if system.kind == "map" else system.tape

    def advance(self, cells: IntArray, ticks: int) -> Window:
        """Run some cells on; what they showed on the way."""
        if self.system.kind == "map":
            window, _ = self._sweep(cells, ticks, 0, 1)
            return window
        looks = min(_LOOKS, max(ticks, 2))
        states = self._march(cells, ticks, looks)
        step = (states[:, -1] - states[:, -2]) * (looks / ticks)
        return Window(states.min(axis=1), states.max(axis=1), step)

    def record(self, cells: IntArray, ticks: int, samples: int) -> FloatArray:
        """Run some cells on and keep their states (cells, n, samples) at even distances, the start not included."""
        return self.watch(cells, ticks, samples)[0]

    def watch(self, cells: IntArray, ticks: int, samples: int) -> tuple[FloatArray, Window]:
        """The same with what a map showed between them."""
        stride = max(ticks // samples, 1)
        if self.system.kind == "flow":
            states = np.ascontiguousarray(self._march(cells, ticks, samples)[:, 1:].transpose(0, 2, 1))
            return states, Window(states.min(axis=2), states.max(axis=2), np.zeros(states.shape[:2]))
        window, kept = self._sweep(cells, stride * samples, samples + 1, stride)
        return np.ascontiguousarray(kept[:, :, 1:]), window

    def apart(self, cells: IntArray) -> "Cells":
        """Some cells where they are now, to be run on while they stay here."""
        return Cells(self.system, self.x[cells], self.p[cells], self.tick, self.bound, self.tolerance)

    def stretch(self, cells: IntArray, size: FloatArray, ticks: IntArray) -> FloatArray:
        """How much small distances grow over the second half of so many ticks, as a logarithm.

        A second orbit starts beside each one, and is drawn near again many times on the way (Benettin). The cells
        themselves stay where they are.

        Parameters
        ----------
        cells : int array (k,)
        size : array (k, n)
            In which each state is measured.
        ticks : int array (k,)
        """
        is_map, n = self.system.kind == "map", self.system.n
        # Far above rounding, or the error of an integration that is made sharp for this, and small beside the size.
        apart = 1e-7 if is_map else 1e-5
        size = np.maximum(size, 1e-12 * size.max(axis=1, keepdims=True))
        away = np.tile(np.cos(np.arange(1.0, n + 1.0)), (len(cells), 1))
        away *= apart / np.abs(away).max(axis=1, keepdims=True)
        growth = np.zeros(len(cells))
        for piece in np.unique(ticks):
            here = np.flatnonzero(ticks == piece)
            x, p = self.x[cells[here]], self.p[cells[here]]
            pair = Cells(
                self.system, np.vstack([x, x + away[here] * size[here]]), np.vstack([p, p]), self.tick, self.bound,
                self.tolerance if is_map else 1e-11,
            )  # fmt: skip
            everyone = np.arange(2 * len(here))
            for k in range(_PIECES):
                pair.advance(everyone, max(int(piece) // _PIECES, 1))
                x, y = pair.x[: len(here)], pair.x[len(here) :]
                gap = (y - x) / size[here]
                length = np.maximum(np.abs(gap).max(axis=1), 1e-300)
                pair.x[len(here) :] = x + gap * size[here] * (apart / length)[:, None]
                if k >= _PIECES // 2:
                    growth[here] += np.log(length / apart)
        return growth

    def _sweep(self, cells: IntArray, ticks: int, rows: int, stride: int) -> tuple[Window, FloatArray]:
        n = self.system.n
        x, p = self.x[cells], self.p[cells]
        low, high, ahead = np.zeros((3, len(cells), n))
        exits = np.stack([self.ticks[cells], self.codes[cells]], axis=1)
        kept = np.zeros((len(cells), n, rows))
        scratch = lanes.make_lane_scratch(self._tape, n, len(cells))
        lanes.sweep(
            self._tape.by_kind, self.system.iterations, x, p, ticks, self.bound, scratch, low, high, ahead, exits, kept,
            stride,
        )  # fmt: skip
        self.x[cells], self.ticks[cells], self.codes[cells] = x, exits[:, 0], exits[:, 1]
        return Window(low, high, ahead - x), kept

    def _march(self, cells: IntArray, ticks: int, samples: int) -> FloatArray:
        system, n = self.system, self.system.n
        y, p = self.x[cells], self.p[cells]
        clock = fs.make_clock(len(cells), 0.0, ticks * self.tick)
        clock.real[:, 2] = self._h[cells]
        times = np.linspace(0.0, ticks * self.tick, samples + 1)
        states = np.zeros((len(cells), samples + 1, n))
        if system.switching_functions:
            codes = self._march_by_pieces(cells, y, p, clock, times, states)
        else:
            settings = fs.Settings(self.tolerance, self.tolerance, np.inf, self.bound, _MOST_STEPS)
            scratch = fs.make_scratch(system.tape, n)
            fk.march(system.tape.data, p, y, clock, settings, times, states, scratch, None, None)
            ended = clock.counts[:, 7]
            codes = np.select(
                [ended == fk.FINISHED, ended == fk.TOO_LARGE, ended == fk.STEP_LIMIT],
                [lanes.INSIDE, lanes.TOO_LARGE, STUCK],
                lanes.NOT_FINITE,
            )
        reached = clock.counts[:, 4]
        for cell in np.flatnonzero(reached < samples + 1):
            states[cell, reached[cell] :] = y[cell]
        taken = np.floor(clock.real[:, 0] / self.tick + 1e-9).astype(np.int64)
        if system.domain:
            out = outside(system, states.reshape(-1, n), np.repeat(p, samples + 1, axis=0)).reshape(len(cells), -1)
            for cell in np.flatnonzero(out.any(axis=1)):
                first = int(np.flatnonzero(out[cell])[0])
                codes[cell] = out[cell, first]
                y[cell] = states[cell, first]
                taken[cell] = first * ticks // samples
        self.x[cells], self._h[cells], self.codes[cells] = y, np.abs(clock.real[:, 2]), codes
        self.ticks[cells] += taken
        self.effort[cells] = clock.counts[:, 0]
        return states

    def _march_by_pieces(
        self, cells: IntArray, y: FloatArray, p: FloatArray, clock: fs.Clock, times: FloatArray, states: FloatArray
    ) -> IntArray:
        """One orbit after the other, from one smooth piece of the right-hand side to the next; returns the codes.

        Control of the step alone would leave an error of its own at every kink, and where an orbit slides along a
        surface it would go to and fro for ever.
        """
        codes = np.zeros(len(y), dtype=np.int64)
        for row, cell in enumerate(cells.tolist()):
            known = self._pieces.get(cell)
            if known is None or not np.array_equal(known.y, y[row]):
                known = Pieces(self.system, y[row], p[row])
            own = fs.Clock(clock.real[row : row + 1], clock.counts[row : row + 1])
            settings = fs.Settings(self.tolerance, self.tolerance, np.inf, self.bound, _MOST_STEPS)
            codes[row] = _CODES.get(known.march(own, settings, times, states[row : row + 1]), lanes.NOT_FINITE)
            y[row] = known.y
            self._pieces[cell] = known
        return codes
