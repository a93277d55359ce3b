"""Lyapunov exponents of flows and maps by the QR method, and the test whether a motion is regular or chaotic.

An orthonormal frame of tangent vectors is carried along with the orbit and made orthonormal again from time to time;
the mean logarithms of its stretching are the exponents. Averages are taken over blocks of the orbit, whose scatter
gives the error.

References
----------
Benettin, Galgani, Giorgilli, Strelcyn: Meccanica 15 (1980) 9-30. Dieci, Russell, Van Vleck: SIAM J. Numer. Anal. 34
(1997) 402. Das, Saiki, Sander, Yorke: Nonlinearity 30 (2017) 4111 (weighted averages tell regular from chaotic).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import flow_kernels as fk
from gan_bifurcation import flow_steps as fs
from gan_bifurcation.compiling import entry
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.integrator import integrate
from gan_bifurcation.kernels import FloatArray, TapeData, run_jacobian
from gan_bifurcation.rotation import weights
from gan_bifurcation.system import System

if TYPE_CHECKING:
    from gan_bifurcation.simulate import Orbit

__all__ = ["LyapunovExponents", "largest_exponents", "lyapunov_exponents"]

IntArray = NDArray[np.int64]

_BLOCKS: Final = 32
_STEPS: Final = 100_000
_DURATION: Final = 1000.0
# A flow's frame is made orthonormal so often in a block.
_PIECES: Final = 16
# A frame is stretched by no more than this logarithm from one look to the next, far above rounding.
_STRETCH: Final = 8.0
# Distances on a circle or torus grow at most in proportion to the time, not by this logarithm more.
_SENSITIVE: Final = 10.0
# Weighted averages agree to so many digits only where the motion is regular.
_REGULAR_DIGITS: Final = 9.0
_BOUND: Final = 1e100


@dataclass(frozen=True)
class LyapunovExponents:
    """Rates at which nearby orbits part, in e-foldings per iteration or per unit of time.

    Attributes
    ----------
    values : tuple of float
        Largest first.
    errors : tuple of float
        Standard errors, from the scatter of blocks of the orbit.
    digits : float
        To how many digits weighted averages of the states over the two halves of the orbit agree.
    chaotic : bool
        Whether the largest exponent is positive beyond its error and beyond the growth in proportion to the time that
        a circle or torus allows, and weighted averages do not converge as they do there.
    outcome : Outcome
        Why the orbit ended early, if it did.
    """

    values: tuple[float, ...]
    errors: tuple[float, ...]
    digits: float
    chaotic: bool
    outcome: Outcome

    @property
    def largest(self) -> float:
        return self.values[0]

    @property
    def dimension(self) -> float:
        """Kaplan and Yorke's dimension; the number of exponents where it takes all of them (some are missing)."""
        total = 0.0
        for k, value in enumerate(self.values):
            if total + value < 0.0:
                return k + total / abs(value)
            total += value
        return float(len(self.values))


@entry
def _orthonormal(t: FloatArray, rates: FloatArray) -> None:
    """Make the columns of `t` (n, k) orthonormal in place, adding the logarithms of their lengths to `rates`."""
    n, k = t.shape
    for c in range(k):
        before = after = 0.0
        for i in range(n):
            before += t[i, c] * t[i, c]
        for _ in range(2):
            for d in range(c):
                product = 0.0
                for i in range(n):
                    product += t[i, c] * t[i, d]
                for i in range(n):
                    t[i, c] -= product * t[i, d]
        for i in range(n):
            after += t[i, c] * t[i, c]
        # What is left of a vector that the others span is rounding: its exponent is minus infinity.
        if not after > 1e-30 * before or not after > 1e-280:
            rates[c] = -np.inf
            for i in range(n):
                t[i, c] = 0.0
            t[c, c] = 1.0
            continue
        length = np.sqrt(after)
        rates[c] += np.log(length)
        for i in range(n):
            t[i, c] /= length


@entry
def _map_blocks(
    tape: TapeData, iterations: int, x: FloatArray, p: FloatArray, v: FloatArray, g: FloatArray, t: FloatArray,
    new: FloatArray, steps: IntArray, discard: int, record: FloatArray, rates: FloatArray,
) -> None:  # fmt: skip
    """Exponents of a map over blocks, for the orbits from the rows of `x` (cells, n), in place.

    `record` (cells, blocks * length, n) or without rows keeps the states; `rates` (cells, blocks, k) are sums over the
    `steps` (cells,) of a block.
    """
    cells, n = x.shape
    k = t.shape[1]
    blocks = rates.shape[1]
    for cell in range(cells):
        for i in range(p.shape[1]):
            v[n + i] = p[cell, i]
        for i in range(n):
            v[i] = x[cell, i]
            for c in range(k):
                t[i, c] = 1.0 if i == c else 0.1 / (1.0 + i + c)
        total = discard + blocks * steps[cell]
        for step in range(total):
            block = (step - discard) // steps[cell] if step >= discard else 0
            if step == discard:
                for b in range(k):
                    rates[cell, 0, b] = 0.0
            if step >= discard and step - discard < record.shape[1]:
                for i in range(n):
                    record[cell, step - discard, i] = v[i]
            for _ in range(iterations):
                for i in range(n):
                    for c in range(k):
                        g[i, c] = t[i, c]
                run_jacobian(tape, v, g, 0, tape.code.shape[0])
                for i in range(n):
                    for c in range(k):
                        t[i, c] = g[tape.outputs[i], c]
                    new[i] = v[tape.outputs[i]]
                for i in range(n):
                    v[i] = new[i]
            _orthonormal(t, rates[cell, block])
        for i in range(n):
            x[cell, i] = v[i]


def lyapunov_exponents(
    source: "System | Orbit",
    initial: Any = None,
    *,
    count: int | None = None,
    steps: int | None = None,
    duration: float | None = None,
    discard: float | None = None,
    tolerance: float = 1e-9,
) -> LyapunovExponents:
    """Lyapunov exponents along an orbit of a flow or a map.

    Parameters
    ----------
    source : System or Orbit
        Of an orbit, the system and its last state are taken.
    initial : mapping or array (n,), optional
        Where to start; the known equilibrium of a model is no good place, so a system needs one.
    count : int, optional
        How many exponents, the largest first; all by default.
    steps : int, optional
        Iterations of a map, 100000 by default.
    duration : float, optional
        Of a flow, 1000 by default.
    discard : float, optional
        What to leave out at the beginning, in steps or time; a tenth by default.
    tolerance : float
        Of the integration of a flow.

    Returns
    -------
    LyapunovExponents

    Raises
    ------
    MisuseError
        If a number does not fit, or the start of a system is missing.

    Notes
    -----
    One of the exponents of a flow's bounded orbit is zero unless the orbit ends at an equilibrium.

    Examples
    --------
    >>> logistic = System.from_equations("map", {"x": "r*x*(1 - x)"}, parameters={"r": 4.0})
    >>> found = lyapunov_exponents(logistic, {"x": 0.2}, steps=20000)
    >>> bool(abs(found.largest - np.log(2.0)) < 0.01), found.chaotic
    (True, True)
    """
    from gan_bifurcation.simulate import Orbit

    if not isinstance(source, System | Orbit):
        raise MisuseError(f"Lyapunov exponents are those of a System or an Orbit, got {type(source).__name__}.")
    system = source if isinstance(source, System) else source.system
    if initial is None:
        if isinstance(source, System):
            raise MisuseError(f"The exponents of '{system.name}' are those of an orbit: give an initial state.")
        initial = source.states[-1]
    x, n = system.state_vector(initial), system.n
    k = n if count is None else int(count)
    if not 1 <= k <= n:
        raise MisuseError(f"'{system.name}' has {n} exponents, but {k} were asked for.")
    is_map = system.kind == "map"
    if (duration if is_map else steps) is not None:
        wrong, right = ("duration", "steps") if is_map else ("steps", "duration")
        raise MisuseError(f"'{system.name}' is a {system.kind}: give {right}, not {wrong}.")
    for given in (steps, duration, discard):
        if given is not None and (isinstance(given, bool) or not isinstance(given, int | float | np.number)):
            raise MisuseError(f"steps, duration and discard are numbers, got {given!r}.")
    length = float((_STEPS if steps is None else steps) if is_map else (_DURATION if duration is None else duration))
    lead = 0.1 * length if discard is None else float(discard)
    if not (np.isfinite(length) and length >= (_BLOCKS if is_map else 1e-9) and 0.0 <= lead < np.inf):
        raise MisuseError(f"Expected a length of {_BLOCKS} steps or more, or a positive duration, got {length:g}.")
    if is_map:
        rates, states, unit = _of_map(system, x, k, int(length), int(lead))
    else:
        rates, states, unit = _of_flow(system, x, k, length, lead, tolerance)
    outcome = Outcome("completed", f"The exponents are averages over {len(rates)} blocks.", True)
    if not np.isfinite(states).all() or len(rates) < _BLOCKS:
        outcome = Outcome("not finite", "The orbit did not stay finite, so its exponents are not known.", False)
        nothing = (float("nan"),) * k
        return LyapunovExponents(nothing, nothing, 0.0, False, outcome)
    per_block = rates / unit
    values = per_block.mean(axis=0)
    with np.errstate(invalid="ignore"):
        errors = per_block.std(axis=0, ddof=1) / np.sqrt(len(rates))
    order = np.argsort(-values, kind="stable")
    digits = agreement(_on_circles(system, states))
    largest, error = float(values[order[0]]), float(np.nan_to_num(errors[order[0]]))
    total = unit * len(rates)
    chaotic = largest > 4.0 * error and largest * total > _SENSITIVE + np.log1p(total) and digits < _REGULAR_DIGITS
    return LyapunovExponents(
        tuple(values[order].tolist()), tuple(np.nan_to_num(errors[order]).tolist()), digits, bool(chaotic), outcome
    )


def agreement(states: FloatArray) -> float:
    """To how many digits weighted averages over the halves of an orbit (N, n) agree, in units of its range."""
    half = len(states) // 2
    size = np.ptp(states, axis=0)
    moving = size > 1e-12 * max(float(size.max()), 1e-300)
    if half < 8 or not moving.any() or size.max() == 0.0:
        return 16.0
    centred = (states[:, moving] - states[:, moving].mean(axis=0)) / size[moving]
    w = weights(half)
    worst = 0.0
    for part in (centred, centred**2):
        worst = max(worst, float(np.abs(w @ part[:half] - w @ part[-half:]).max()))
    return float(-np.log10(max(worst, 1e-16)))


def _on_circles(system: System, states: FloatArray) -> FloatArray:
    """States with angles as points on circles, so that those that wind have averages."""
    columns = []
    for i, state in enumerate(system.states):
        if state in system.periods:
            angle = 2.0 * np.pi / system.periods[state] * states[:, i]
            columns += [np.cos(angle), np.sin(angle)]
        else:
            columns.append(states[:, i])
    return np.column_stack(columns)


def _of_map(system: System, x: FloatArray, k: int, steps: int, discard: int) -> tuple[FloatArray, FloatArray, float]:
    length = max(steps // _BLOCKS, 1)
    record = np.zeros((1, min(_BLOCKS * length, 200_000), system.n))
    rates = _map_rates(system, x[None], system.parameter_vector()[None], k, np.array([length]), discard, record)
    return rates[0], record[0], float(length)


def _map_rates(
    system: System, x: FloatArray, p: FloatArray, k: int, length: IntArray, discard: int, record: FloatArray,
    blocks: int = _BLOCKS,
) -> FloatArray:  # fmt: skip
    """Sums over blocks of so many steps (cells,) for many cells: (cells, blocks, k)."""
    n, tape = system.n, system.tape
    rates = np.zeros((len(x), blocks, k))
    _map_blocks(
        tape.data, system.iterations, np.array(x, dtype=float, order="C"), np.ascontiguousarray(p), fs.loaded(tape),
        np.zeros((tape.slots, k)), np.zeros((n, k)), np.zeros(n), np.asarray(length, dtype=np.int64), discard, record,
        rates,
    )  # fmt: skip
    return rates


def _of_flow(
    system: System, x: FloatArray, k: int, duration: float, discard: float, tolerance: float
) -> tuple[FloatArray, FloatArray, float]:
    stiffness = float(np.linalg.norm(system.jacobian(x)[:, : system.n], 2))
    per_block = max(_PIECES, int(np.ceil(stiffness * duration / _BLOCKS / _STRETCH)))
    pieces = _BLOCKS * per_block
    unit = duration / pieces
    t = np.zeros((system.n, k))
    t[np.arange(k), np.arange(k)] = 1.0
    if discard > 0.0:
        lead = integrate(system, x, discard, tolerance=tolerance, bound=_BOUND)
        x = lead.final_state
        if not lead.outcome:
            return np.zeros((0, k)), np.full((1, system.n), np.nan), unit
    rates, states = np.zeros((_BLOCKS + 1, k)), []
    times = np.linspace(0.0, unit, max(2, 4096 // pieces), endpoint=False)
    for piece in range(-per_block, pieces):
        # The frame needs a block to turn into the directions that belong to the exponents.
        found = integrate(system, x, unit, tangent=t, times=times, tolerance=tolerance, bound=_BOUND)
        if not found.outcome or found.final_tangent is None:
            return np.zeros((0, k)), np.full((1, system.n), np.nan), unit
        x, t = found.final_state, np.ascontiguousarray(found.final_tangent)
        _orthonormal(t, rates[piece // per_block + 1])
        if piece >= 0:
            states.append(found.states)
    return rates[1:], np.concatenate(states), unit * per_block


def largest_exponents(
    system: System, x: FloatArray, p: FloatArray, length: FloatArray, tolerance: float = 1e-8
) -> tuple[FloatArray, FloatArray]:
    """The largest exponent of many orbits, and its standard error, over so many steps or so much time each.

    Parameters
    ----------
    system : System
    x, p : array (cells, n), (cells, m)
    length : array (cells,)
        In iterations, or time.

    Returns
    -------
    values, errors : array (cells,)
    """
    blocks, n = 8, system.n
    if system.kind == "map":
        unit = np.maximum(np.asarray(length) // blocks, 1).astype(np.int64)
        rates = _map_rates(system, x, p, 1, unit, int(unit.max(initial=1)), np.zeros((len(x), 0, n)), blocks)[:, :, 0]
        per = rates / unit[:, None]
    else:
        per = np.zeros((len(x), blocks))
        scratch, g = fs.make_scratch(system.tape, 2 * n), np.zeros((system.tape.slots, 1))
        settings = fs.Settings(tolerance, tolerance, np.inf, _BOUND, 200_000)
        nothing = np.zeros(0)
        for cell in range(len(x)):
            unit_of = float(length[cell]) / blocks / 4.0
            y = np.concatenate([x[cell], np.cos(np.arange(1.0, n + 1.0))])[None].copy()
            for piece in range(-4, 4 * blocks):
                clock = fs.make_clock(1, 0.0, unit_of)
                fk.march(
                    system.tape.data, p[cell : cell + 1], y, clock, settings, nothing, np.zeros((1, 0, 2 * n)), scratch,
                    g, None,
                )  # fmt: skip
                size = float(np.linalg.norm(y[0, n:]))
                if clock.counts[0, 7] != fk.FINISHED or not 0.0 < size < np.inf:
                    per[cell] = np.nan
                    break
                y[0, n:] /= size
                if piece >= 0:
                    per[cell, piece // 4] += np.log(size) / (4.0 * unit_of)
    return per.mean(axis=1), per.std(axis=1, ddof=1) / np.sqrt(blocks)
