"""The judgement itself: orbits are run in windows, cells that are decided drop out, the rest is recorded and looked at.

The order of the questions matters and is the same for every cell:

1. Has it left the domain, or become too large or not a number?  It diverges.
2. Is it within the tolerance of an equilibrium (found by Newton's method) whose spectrum attracts?  It converges.
3. At the end of the budget: does it approach such an equilibrium steadily, as fast as the spectrum says?  It converges.
4. Does it come back again and again, with a settled amplitude?  It oscillates.
5. Does it hardly move, or ever more slowly, with no equilibrium that attracts?  It stalls.
6. Otherwise the budget was too short, which counts as diverging with low confidence.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import lanes
from gan_bifurcation.regimes.endings import name_endings
from gan_bifurcation.regimes.limits import Spectra, find_limits, spectra
from gan_bifurcation.regimes.march import STUCK, Cells, Window
from gan_bifurcation.regimes.oscillation import CIRCLE, CYCLE, SENSITIVE, UNRESOLVED, look_closer
from gan_bifurcation.regimes.recurrence import Swing, swing, winding
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Round an equilibrium that neither attracts nor repels, and what such an orbit looks like.
CENTRE: Final = "centre"
_ROUND: Final = (CYCLE, CIRCLE, UNRESOLVED)
# As wide as the name of any ending.
DETAIL: Final = "<U40"

KINDS: Final = ("converges", "oscillates", "stalls", "diverges")

_WINDOWS: Final = 8  # in the first half of the budget
_SAMPLES: Final = 2048
_FLOW_TICKS: Final = 4096
_RECORD_NUMBERS: Final = 2_000_000
_NEUTRAL: Final = 1e-7
_SETTLED: Final = 0.1
# A flow is run on where it came back seldom, so that fewer returns will do to begin with.
_CROSSINGS: Final = {"map": 6, "flow": 4}
_LOGARITHMIC: Final = 0.65
# Of a converging run: many equilibria side by side attract together.
CONTINUUM: Final = "The orbit reached one of a continuum of equilibria that attracts as a whole."
# A record by strides shows less than this part of what there is only where they fall in with a cycle, or at the start.
_HIDDEN: Final = 2.0
# Turns over which neighbouring orbits are compared.
_LONG: Final = 40.0


@dataclass(frozen=True)
class Options:
    """Budget (iterations or time), tolerance in units of the orbit's range, bound on the size of a state."""

    budget: float
    tolerance: float
    bound: float


@dataclass(frozen=True, eq=False)
class _Limit:
    """What Newton's method found from somewhere, for some cells."""

    found: BoolArray
    x: FloatArray
    spectra: Spectra
    stable: BoolArray
    neutral: BoolArray

    @property
    def growth(self) -> FloatArray:
        """Logarithmic growth per tick by the spectrum; the radius is already that of a flow's tick."""
        return np.log(np.maximum(self.spectra.radius, 1e-300))


class Columns:
    """The verdicts while they are made."""

    def __init__(self, cells: int, n: int) -> None:
        nan = np.full(cells, np.nan)
        self.kind = np.full(cells, "", dtype="<U10")
        self.detail = np.full(cells, "", dtype=DETAIL)
        self.reason = np.full(cells, "", dtype=object)
        self.rate, self.period, self.rotation, self.exponent = nan.copy(), nan.copy(), nan.copy(), nan.copy()
        self.multiplier = nan.astype(complex)
        self.has_rotating_modes = np.zeros(cells, dtype=bool)
        self.amplitude, self.limit = np.zeros((cells, n)), np.zeros((cells, n))
        self.steps: FloatArray = np.zeros(cells)
        self.confidence = np.zeros(cells)

    @property
    def open(self) -> BoolArray:
        undecided: BoolArray = self.kind == ""
        return undecided

    def set(self, cells: IntArray, kind: str, detail: str, reason: str, confidence: float) -> None:
        self.kind[cells], self.detail[cells] = kind, detail
        self.reason[cells], self.confidence[cells] = reason, confidence


def judge_cells(
    system: System, x: FloatArray, p: FloatArray, seen: BoolArray, options: Options
) -> dict[str, NDArray[Any]]:
    """Verdicts on the orbits from the rows of `x` with the parameters in the rows of `p`, as columns by name."""
    judge = _Judge(system, x, p, seen, options)
    judge.run()
    name_endings(system, p, judge.columns)
    return vars(judge.columns)


class _Judge:
    def __init__(self, system: System, x: FloatArray, p: FloatArray, seen: BoolArray, options: Options) -> None:
        self.system, self.p, self.seen, self.options = system, p, seen, options
        self.is_map = system.kind == "map"
        self.ticks = int(options.budget) if self.is_map else _FLOW_TICKS
        self.tick = 1.0 if self.is_map else options.budget / self.ticks
        # The integration of a flow must not tremble on the scale of the verdict's tolerance.
        self.orbits = Cells(system, x, p, self.tick, options.bound, 1e-5 * min(options.tolerance, 1e-4))
        self.columns = Columns(len(x), system.n)
        self.low, self.high = self.orbits.x.copy(), self.orbits.x.copy()
        self.fastest = np.zeros_like(self.low)
        self.turns = np.array([system.periods.get(state, np.inf) for state in system.states])

    # -- the first half: windows --------------------------------------------------------------------------------------

    def run(self) -> None:
        cells = np.arange(len(self.p))
        first = self.orbits.advance(cells, 1)
        self._seen(cells, first)
        self.fastest[:] = np.maximum(first.high - first.low, np.abs(first.step))
        self._drop_diverged(cells)
        last_try = np.full(len(cells), np.inf)
        length = self.ticks // (2 * _WINDOWS)
        for window in range(_WINDOWS):
            cells = np.flatnonzero(self.columns.open)
            if len(cells) == 0:
                break
            seen = self.orbits.advance(cells, length - 1 if window == 0 else length)
            self._seen(cells, seen)
            self._drop_diverged(cells)
            speed = (np.abs(seen.step) / self._scale(cells)).max(axis=1)
            self.fastest[cells] = np.maximum(self.fastest[cells], np.abs(seen.step))
            promising = (speed < 0.05) & ((speed < 0.3 * last_try[cells]) | (window % 3 == 2))
            tried = cells[promising & self.columns.open[cells]]
            last_try[cells[promising]] = speed[promising]
            if len(tried):
                self._converged(tried, self._limit(tried, self.orbits.x[tried]))
        cells = np.flatnonzero(self.columns.open)
        samples = min(self.ticks // 2, _SAMPLES)
        batch = max(1, _RECORD_NUMBERS // (samples * self.system.n))
        for k in range(0, len(cells), batch):
            self._second_half(cells[k : k + batch], samples)
        self.columns.steps[:] = self.orbits.ticks * self.tick

    def _seen(self, cells: IntArray, window: Window) -> None:
        self.low[cells] = np.minimum(self.low[cells], window.low)
        self.high[cells] = np.maximum(self.high[cells], window.high)

    def _scale(self, cells: IntArray) -> FloatArray:
        """The range of each state so far, but not less than a small part of its size or of the other states."""
        low, high = self.low[cells], self.high[cells]
        size = np.maximum(np.abs(low), np.abs(high))
        # An angle that winds has been everywhere after a turn.
        scale: FloatArray = np.maximum(np.minimum(high - low, self.turns), 1e-3 * np.minimum(size, self.turns))
        floor = np.maximum(1e-9 * scale.max(axis=1, keepdims=True), 1e-300)
        return np.maximum(scale, np.where(floor > 1e-250, floor, 1.0))

    def _drop_diverged(self, cells: IntArray) -> None:
        codes = self.orbits.codes[cells]
        for code in np.unique(codes):
            here = cells[codes == code]
            if code == lanes.INSIDE:
                continue
            if code == STUCK:
                reason = "No decision in the budget: the flow is too fast or too stiff for it."
                self.columns.set(here, "diverges", "no decision", reason, 0.2)
            elif code == lanes.NOT_FINITE:
                self.columns.set(here, "diverges", "not finite", "The state is not finite any more.", 1.0)
            elif code == lanes.TOO_LARGE:
                reason = f"A state grew beyond {self.options.bound:g}."
                self.columns.set(here, "diverges", "too large", reason, 1.0)
            else:
                reason = f"It left the domain: {self.system.domain[code - lanes.LEFT_DOMAIN][1].rstrip('.')}."
                self.columns.set(here, "diverges", "left the domain", reason, 1.0)
            self.columns.limit[here] = self.orbits.x[here]

    # -- equilibria ---------------------------------------------------------------------------------------------------

    def _limit(self, cells: IntArray, guesses: FloatArray) -> _Limit:
        x, jacobians, found = find_limits(self.system, guesses, self.p[cells], self._scale(cells))
        usable = found & np.isfinite(jacobians).all(axis=(1, 2))
        jacobians = np.where(usable[:, None, None], jacobians, np.eye(self.system.n) * 2.0)
        spectrum = spectra(jacobians, self.seen, self.is_map)
        if self.is_map:
            size, one = spectrum.radius, 1.0
        else:
            # As a map: the multipliers over one tick.
            size, one = np.exp(np.minimum(spectrum.radius * self.tick, 700.0)), 1.0
            spectrum = spectrum._replace(radius=size)
        neutral = usable & (np.abs(size - one) < _NEUTRAL * (1.0 if self.is_map else min(self.tick, 1.0)))
        return _Limit(usable, x, spectrum, usable & (size < one) & ~neutral, neutral)

    def _distance(self, cells: IntArray, limit: _Limit) -> FloatArray:
        distance: FloatArray = (np.abs(self.orbits.x[cells] - limit.x) / self._scale(cells)).max(axis=1)
        return distance

    def _converged(self, cells: IntArray, limit: _Limit) -> None:
        there = limit.stable & (self._distance(cells, limit) < self.options.tolerance)
        self._converges(cells, limit, there, "The orbit reached an equilibrium that attracts.", 1.0)

    def _converges(self, cells: IntArray, limit: _Limit, which: BoolArray, reason: str, confidence: float) -> None:
        here = cells[which]
        slowest = limit.spectra.slowest[which]
        turning = (np.abs(slowest.imag) > 1e-9 * np.abs(slowest)) | (self.is_map & (slowest.real < 0.0))
        self.columns.set(here, "converges", "monotone", reason, confidence)
        self.columns.detail[here[turning]] = "spiralling"
        self._local(cells, limit, which)
        self.columns.limit[here] = limit.x[which]

    def _local(self, cells: IntArray, limit: _Limit, which: BoolArray) -> None:
        here, slowest = cells[which], limit.spectra.slowest[which]
        rate = -np.log(np.maximum(np.abs(slowest), 1e-300)) if self.is_map else -slowest.real
        self.columns.rate[here], self.columns.multiplier[here] = rate, slowest
        self.columns.has_rotating_modes[here] = limit.spectra.rotating[which]

    # -- the second half: the record ----------------------------------------------------------------------------------

    def _second_half(self, cells: IntArray, samples: int) -> None:
        ticks = self.ticks - _WINDOWS * (self.ticks // (2 * _WINDOWS))
        records, window = self.orbits.watch(cells, ticks, samples)
        self._drop_diverged(cells)
        stays = self.columns.open[cells]
        cells, records, stride = cells[stays], records[stays], max(ticks // samples, 1)
        self._seen(cells, Window(window.low[stays], window.high[stays], window.step[stays]))
        # Seen by strides, a cycle whose period divides them stands still: such cells are seen step by step.
        hidden = (window.high - window.low)[stays] > _HIDDEN * np.ptp(records, axis=2)
        hidden = self.is_map & (stride > 1) & hidden.any(axis=1)
        if hidden.any():
            again = self.orbits.record(cells[hidden], samples, samples)
            self._drop_diverged(cells[hidden])
            inside = self.columns.open[cells[hidden]]
            self._conclude(cells[hidden][inside], again[inside], 1)
        cells = cells[~hidden]
        self._conclude(cells, records[~hidden], stride, stride == 1)
        cells = cells[self.columns.open[cells]]
        if len(cells):
            # Turns that nearly fall in with the strides look like slow growth or drift.
            again = self.orbits.record(cells, samples, samples)
            self._drop_diverged(cells)
            inside = self.columns.open[cells]
            self._conclude(cells[inside], again[inside], 1)

    def _conclude(self, cells: IntArray, records: FloatArray, stride: int, last: bool = True) -> None:
        """Decide by records at strides; if it is not the `last` look, what is not clear stays open."""
        if len(cells) == 0:
            return
        here = self._limit(cells, self.orbits.x[cells])
        self._converged(cells, here)
        stays = self.columns.open[cells]
        if not stays.any():
            return
        here = _pick(here, stays)
        cells, records = cells[stays], records[stays]
        self.columns.limit[cells] = self.orbits.x[cells]
        scale = self._scale(cells)
        self._winds(cells, records, stride)
        stays = self.columns.open[cells]
        if not stays.any():
            return
        here, cells, records, scale = _pick(here, stays), cells[stays], records[stays], scale[stays]
        moves = swing(records, scale)
        self.columns.amplitude[cells] = moves.amplitude
        middle = self._limit(cells, 0.5 * (moves.low.min(axis=2) + moves.high.max(axis=2)))
        for limit in (here, middle):
            self._approaches(cells, moves, scale, limit, records.shape[2] * stride)
        self._rests(cells, moves, scale)
        self._recurs(cells, records, scale, moves, middle, stride)
        self._hardly_moves(cells, records, scale, moves, here, middle, stride)
        left = self.columns.open[cells]
        if not last:
            return
        # What swings irregularly is now larger, now smaller.
        steady = _trend(moves, scale, middle.x).clean
        growing = left & (moves.growth > 0.02) & middle.found & ~middle.stable & steady
        more = "give more steps" if self.is_map else "run longer"
        # It may end on something bounded further out, as beside every supercritical bifurcation.
        reason = f"It was still leaving an equilibrium that does not attract at the end of the budget: {more}."
        self.columns.set(cells[growing], "diverges", "growing", reason, 0.5)
        left &= ~growing
        reason = f"No decision in the budget: {more}."
        self.columns.set(cells[left], "diverges", "no decision", reason, 0.2)

    def _winds(self, cells: IntArray, records: FloatArray, stride: int) -> None:
        """Angles that go round and round at a settled rate oscillate, however far they come."""
        if not np.isfinite(self.turns).any():
            return
        found = winding(records, self.turns)
        round_ones = cells[found.winds]
        if len(round_ones) == 0:
            return
        spacing = stride * self.tick
        amplitude = np.where(np.isfinite(self.turns), np.minimum(np.ptp(records, axis=2), self.turns), 0.0)
        amplitude = np.where(np.isfinite(self.turns), amplitude, np.ptp(records, axis=2))[found.winds]
        rate = found.rate[found.winds] / spacing
        self.columns.set(round_ones, "oscillates", "winding", "", 0.9)
        for cell, angle in zip(round_ones.tolist(), found.angle[found.winds].tolist(), strict=True):
            name = self.system.states[angle]
            self.columns.reason[cell] = f"The angle {name} turns round and round at a settled mean rate."
        self.columns.period[round_ones] = 1.0 / rate
        if self.is_map:
            self.columns.rotation[round_ones] = rate
        self.columns.amplitude[round_ones] = amplitude
        self.columns.limit[round_ones] = self.orbits.x[round_ones]
        ticks = 2 ** np.ceil(np.log2(np.maximum(_LONG / rate / self.tick, 1024.0))).astype(np.int64)
        wild = found.irregular[found.winds]
        if wild.any():
            growth = self.orbits.stretch(round_ones[wild], amplitude[wild], ticks[wild])
            for cell, g, length in zip(round_ones[wild].tolist(), growth, ticks[wild], strict=True):
                if g > SENSITIVE:
                    self.columns.detail[cell] = "chaotic"
                    self.columns.exponent[cell] = g / (0.5 * length * self.tick)

    def _approaches(self, cells: IntArray, moves: Swing, scale: FloatArray, limit: _Limit, ticks: int) -> None:
        """Steady approach, as fast as the spectrum of the limit says or, where that is neutral, at least steady."""
        trend = _trend(moves, scale, limit.x)
        expected = -limit.growth * ticks
        steady = self.columns.open[cells] & limit.found & trend.clean & (trend.total < -0.02)
        attracted = steady & limit.stable & (-trend.total > 0.1 * expected)
        self._converges(cells, limit, attracted, "The orbit approaches an equilibrium that attracts, but slowly.", 0.8)
        turning = limit.spectra.rotating & (trend.total < -0.05)
        drawn = steady & limit.neutral & turning & ~attracted
        reason = "The orbit approaches an equilibrium slower than exponentially: its linearisation is neutral."
        self._converges(cells, limit, drawn, reason, 0.5)

    def _rests(self, cells: IntArray, moves: Swing, scale: FloatArray) -> None:
        """The state does not move any more, yet no isolated attracting equilibrium was found there."""
        still = self.columns.open[cells] & ((moves.amplitude / scale).max(axis=1) < 1e-6)
        if not still.any():
            return
        rest = cells[still]
        jacobians = np.array([self.system.jacobian(self.orbits.x[c], self.p[c])[:, : self.system.n] for c in rest])
        found = spectra(jacobians, self.seen, self.is_map)
        # Neutral modes that the generator does not see, such as the constant of a critic, are harmless: a continuum of
        # equilibria that attracts. A generator that nothing pulls is on a plateau.
        attracts = (found.beside < (1.0 if self.is_map else 0.0)) & (found.neutral > 0) & (found.visible == 0)
        limit = _Limit(attracts, self.orbits.x[rest], found._replace(slowest=found.across), attracts, attracts)
        self._converges(rest, limit, attracts, CONTINUUM, 0.9)
        plateau = (found.beside < (1.0 if self.is_map else 0.0)) & (found.visible > 0)
        reason = "It rests where nothing pulls it: on a plateau or on one of a continuum of equilibria."
        self.columns.set(rest[plateau], "stalls", "plateau", reason, 0.9)
        reason = "The orbit rests on an equilibrium that does not attract."
        self.columns.set(rest[~attracts & ~plateau], "stalls", "at rest", reason, 0.9)

    def _recurs(
        self, cells: IntArray, records: FloatArray, scale: FloatArray, moves: Swing, middle: _Limit, stride: int
    ) -> None:
        # Growth as the spectrum of the equilibrium inside says is no saturated oscillation, however slow it is.
        expected = middle.growth * records.shape[2] * stride
        trend = _trend(moves, scale, middle.x)
        linear = middle.found & trend.clean & (expected > 0.0) & (trend.total > np.maximum(0.5 * expected, 1e-3))
        settled = (np.abs(moves.growth) < _SETTLED) & (moves.drift < 0.25) & ~linear
        large = (moves.amplitude / scale).max(axis=1) > 1e-2 * self.options.tolerance
        chosen = np.flatnonzero(
            self.columns.open[cells] & settled & large & (moves.crossings >= _CROSSINGS[self.system.kind])
        )
        if len(chosen) == 0:
            return
        picked = cells[chosen]
        found = look_closer(self.orbits, picked, records[chosen], moves.of(chosen), stride)
        fixed = (found.detail == CYCLE) & (found.period == 1.0) & self.is_map
        self.columns.set(
            picked, "oscillates", "", "The orbit comes back again and again with a settled amplitude.", 0.9
        )
        self.columns.detail[picked] = found.detail
        self.columns.period[picked], self.columns.rotation[picked] = found.period, found.rotation
        self.columns.exponent[picked] = found.exponent
        self.columns.confidence[picked] = found.confidence
        self._local(cells, middle, np.isin(np.arange(len(cells)), chosen) & middle.found)
        self._centres(picked, _pick(middle, np.isin(np.arange(len(cells)), chosen)), moves.amplitude[chosen])
        # A period of one step is an approach to a point where Newton's method did not end.
        self.columns.kind[picked[fixed]] = ""
        self.columns.period[picked[fixed]] = self.columns.rotation[picked[fixed]] = np.nan

    def _centres(self, cells: IntArray, middle: _Limit, amplitude: FloatArray) -> None:
        """Round an equilibrium whose modes neither grow nor decay, a run that kept its distance all along."""
        slowest = middle.spectra.slowest
        turns = middle.found & middle.neutral & (np.abs(slowest.imag) > 1e-6 * np.abs(slowest))
        kept = (amplitude > 0.98 * (self.high[cells] - self.low[cells])).all(axis=1)
        here = cells[turns & kept & np.isin(self.columns.detail[cells], _ROUND)]
        self.columns.set(here, "oscillates", CENTRE, "It goes round a centre: how far from it, its start decides.", 0.9)

    def _hardly_moves(
        self, cells: IntArray, records: FloatArray, scale: FloatArray, moves: Swing, here: _Limit, middle: _Limit,
        stride: int,
    ) -> None:  # fmt: skip
        quarter = max(records.shape[2] // 4, 1)
        late = (np.abs(records[:, :, -1] - records[:, :, -1 - quarter]) / scale).max(axis=1)
        early = (np.abs(records[:, :, quarter] - records[:, :, 0]) / scale).max(axis=1)
        slower = late <= 1.05 * early
        per_tick = late / (quarter * stride)
        fastest = (self.fastest[cells] / scale).max(axis=1)
        size = np.maximum(np.maximum(np.abs(self.low[cells]), np.abs(self.high[cells])), 1e-300)
        tiny = (moves.amplitude / size).max(axis=1) < 0.05
        goal = (here.found & ~here.neutral) | (middle.found & ~middle.neutral)
        # A plateau that flattens exponentially is climbed by a logarithm of time, which has no limit but stalls all the
        # same: from t to 5t/4 it moves by log(5/4), from 7t/4 to 2t by log(8/7), 0.6 of that.
        logarithmic = (late < _LOGARITHMIC * early) & (moves.crossings <= 1) & (per_tick < 0.1 * fastest)
        hardly = tiny | (per_tick < 0.01 * fastest) | logarithmic
        stalled = self.columns.open[cells] & slower & ~goal & hardly
        reason = "It drifts ever more slowly, and there is no equilibrium that attracts it."
        self.columns.set(cells[stalled], "stalls", "drifts", reason, 0.7)


@dataclass(frozen=True, eq=False)
class _Trend:
    total: FloatArray  # logarithmic change of the distance over the record
    clean: BoolArray  # steady: no wobble, and not coming to an end


def _trend(moves: Swing, scale: FloatArray, centre: FloatArray) -> _Trend:
    """How the distance from a point changes from segment to segment of the records."""
    away = np.maximum(np.abs(moves.low - centre[:, :, None]), np.abs(moves.high - centre[:, :, None]))
    parts = (away / scale[:, :, None]).max(axis=1)
    logs = np.log(np.maximum(parts, 1e-300))
    t = np.arange(logs.shape[1]) - 0.5 * (logs.shape[1] - 1)
    rise = logs @ t / max(t @ t, 1.0)
    total = rise * logs.shape[1]
    rest = logs - logs.mean(axis=1, keepdims=True) - rise[:, None] * t
    wobble = np.sqrt((rest**2).mean(axis=1))
    half = logs.shape[1] // 2
    first, second = logs[:, half - 1] - logs[:, 0], logs[:, -1] - logs[:, half]
    steady = (first * second > 0.0) & (np.abs(second) > 0.4 * np.abs(first))
    return _Trend(total, steady & (wobble < 0.15 * np.abs(total)))


def _pick(limit: _Limit, which: BoolArray) -> _Limit:
    return _Limit(
        limit.found[which], limit.x[which], limit.spectra.of(which), limit.stable[which], limit.neutral[which]
    )
