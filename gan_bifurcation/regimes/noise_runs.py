"""Training on minibatches: many runs of one rule, each with its own random numbers, compiled."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.kernels import TapeData, load_constants, run_value
from gan_bifurcation.lanes import INSIDE, LEFT_DOMAIN, NOT_FINITE, TOO_LARGE
from gan_bifurcation.regimes.noise_draws import Draws, Sampled, sampled_program, whole_batch
from gan_bifurcation.simulate import map_outcome
from gan_bifurcation.system import System

__all__ = ["Moments", "NoisyRuns", "moments_about", "simulate_noisy"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_MOST_NUMBERS: Final = 50_000_000
_MOST_RUNS: Final = 100_000
_BOUND: Final = 1e100


class Urn(NamedTuple):
    """What minibatches are drawn from, of all tables of a tape one after the other (Vose's alias method)."""

    first: IntArray  # (tables,): the number of the table's first row
    rows: IntArray  # (tables,)
    start: IntArray  # (tables,): where its nodes begin
    keep: FloatArray  # of each row, the probability to keep it
    other: IntArray  # of each row, the row to take otherwise
    nodes: FloatArray


class Watch(NamedTuple):
    """What is looked at during a run without keeping its states."""

    centre: FloatArray  # (n,)
    chosen: FloatArray  # (n,): ones where a state counts in the distance from the centre
    radius: float
    burn: int  # steps before the sums begin
    products: FloatArray  # (n, n): sums of products of distances from the centre
    sums: FloatArray  # (n,)


def _urn(sampled: Sampled, order: list[int]) -> Urn:
    first, rows, start, keep, other, nodes = [], [], [], [], [], []
    row = place = 0
    for k in order:
        draw = sampled.drawn[k]
        probability, alias = _aliases(draw.probabilities)
        first.append(row)
        rows.append(len(alias))
        start.append(place)
        keep.append(probability)
        other.append(alias)
        nodes.append(draw.table.nodes.ravel())
        row += len(alias)
        place += draw.table.nodes.size
    return Urn(
        np.array(first, dtype=np.int64), np.array(rows, dtype=np.int64), np.array(start, dtype=np.int64),
        np.concatenate(keep), np.concatenate(other), np.concatenate(nodes),
    )  # fmt: skip


def _aliases(probabilities: FloatArray) -> tuple[FloatArray, IntArray]:
    keep = probabilities * len(probabilities)
    other = np.arange(len(keep))
    small = [k for k in range(len(keep)) if keep[k] < 1.0]
    large = [k for k in range(len(keep)) if keep[k] >= 1.0]
    while small and large:
        poor, rich = small.pop(), large[-1]
        other[poor] = rich
        keep[rich] -= 1.0 - keep[poor]
        if keep[rich] < 1.0:
            small.append(large.pop())
    # What is left over differs from one by rounding.
    keep[[*small, *large]] = 1.0
    return keep, other


@jit
def _draw(tape: TapeData, urn: Urn, generator: Any) -> None:
    """Write new rows over all tables of the tape; the weights stay."""
    for t in range(tape.layout.shape[0]):
        offset, batch, width = tape.layout[t, 0], tape.layout[t, 1], tape.layout[t, 2]
        count = urn.rows[t]
        for b in range(batch):
            u = generator.random() * count
            i = min(int(u), count - 1)
            row = urn.first[t] + i
            if u - i >= urn.keep[row]:
                i = urn.other[row]
            for c in range(width - 1):
                tape.tables[offset + b * width + 1 + c] = urn.nodes[urn.start[t] + i * (width - 1) + c]


@jit
def _run(
    tape: TapeData, iterations: int, x: FloatArray, p: FloatArray, steps: int, urn: Urn, generator: Any,
    record: FloatArray, stride: int, watch: Watch,
) -> tuple[int, int, int]:  # fmt: skip
    """One run from `x` (n,), in place; steps taken, how it ended, and the first step beyond the radius (-1: none)."""
    n = x.shape[0]
    v = np.zeros(tape.n_inputs + tape.constants.shape[0] + tape.code.shape[0])
    load_constants(tape, v)
    for i in range(n):
        v[i] = x[i]
    for i in range(p.shape[0]):
        v[n + i] = p[i]
    beyond = -1
    # The bounds of the domain are asked for with the next step, so that the last state is looked at once more.
    for step in range(steps + 1):
        if step % stride == 0 and step // stride < record.shape[0]:
            for i in range(n):
                record[step // stride, i] = x[i]
        distance = 0.0
        for i in range(n):
            distance += watch.chosen[i] * (x[i] - watch.centre[i]) ** 2
        if beyond < 0 and not distance <= watch.radius**2:
            beyond = step
        if step > watch.burn:
            for i in range(n):
                a = x[i] - watch.centre[i]
                watch.sums[i] += a
                for j in range(i + 1):
                    watch.products[i, j] += a * (x[j] - watch.centre[j])
        for _ in range(iterations):
            _draw(tape, urn, generator)
            run_value(tape, v, 0)
            for q in range(n, tape.outputs.shape[0]):
                if not v[tape.outputs[q]] >= 0.0:
                    return step, LEFT_DOMAIN + q - n, beyond
            if step == steps:
                break
            for i in range(n):
                y = v[tape.outputs[i]]
                if not abs(y) <= _BOUND:
                    return step, (TOO_LARGE if abs(y) <= np.inf else NOT_FINITE), beyond
                # Not into the inputs yet, of which an output may be one.
                x[i] = y
            for i in range(n):
                v[i] = x[i]
    return steps, INSIDE, beyond


@dataclass(frozen=True, eq=False)
class NoisyRuns:
    """Runs of a system on minibatches.

    Attributes
    ----------
    system : System
    batch : int
        Rows of each minibatch.
    seed : int
    times : array (N,)
        The steps at which states were kept; the first is 0.
    states : array (runs, N, n)
        NaN after the end of a run that stopped early.
    final_states : array (runs, n)
    outcomes : tuple of Outcome
        Of each run: whether it was run to its end, or why it stopped.
    """

    system: System
    batch: int
    seed: int
    times: FloatArray
    states: FloatArray
    final_states: FloatArray
    outcomes: tuple[Outcome, ...]

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Which runs were run to their end, shape (runs,)."""
        return np.array([bool(outcome) for outcome in self.outcomes])


def simulate_noisy(
    system: System,
    initial: Any,
    steps: int,
    *,
    batch: int,
    runs: int = 1,
    seed: int = 0,
    draws: Draws = "terms",
    samples: int | None = None,
    workers: int | None = None,
) -> NoisyRuns:
    """Train on minibatches: in each step every expectation is taken over rows that are drawn afresh.

    Parameters
    ----------
    system : System
        A map made from a game whose losses are expectations (`gb.Mean`) and an explicit rule.
    initial : mapping of state to float, or array (n,) or (runs, n)
    steps : int
    batch : int
        Rows of each minibatch, drawn with replacement, with the tables' weights as probabilities.
    runs : int
    seed : int
        Run i has the same random numbers whatever the number of runs and workers.
    draws : "terms", "losses" or "steps"
        What has minibatches of its own wherever a step evaluates gradients: each term of each player's loss (real and
        generated points are independent), each table of each player's loss, or each table (both players see the same).
    samples : int, optional
        About how many states of each run to keep, evenly spaced; by default all.
    workers : int, optional
        Threads; by default one for each processor.

    Returns
    -------
    NoisyRuns

    Raises
    ------
    MisuseError
        If the game has no sampled form, or a number does not fit.

    Notes
    -----
    Weights of a table that sum to W stand for W times a mean. A place of the step at which gradients are evaluated
    twice (as second derivatives in consensus optimisation) has one minibatch; another place, such as the generator's in
    alternating steps, has another one.

    Examples
    --------
    >>> from gan_bifurcation.models import dirac_gan
    >>> from gan_bifurcation.rules import Alternating, system
    >>> steps = system(dirac_gan(gamma=1.0, sigma=0.5), Alternating(), eta_d=0.1, eta_g=0.1)
    >>> simulate_noisy(steps, {"psi": 0, "theta": 1}, 500, batch=16, runs=3).states.shape
    (3, 501, 2)
    """
    count = whole(steps, "steps", 0)
    runs = whole(runs, "runs", 1, _MOST_RUNS)
    stride = 1 if samples is None else max(1, count // (whole(samples, "samples", 2) - 1))
    rows = count // stride + 1
    if runs * rows * system.n > _MOST_NUMBERS:
        raise MisuseError(f"{runs} runs with {rows} states are too many to keep; ask for fewer, as samples=100.")
    start = _starts(system, initial, runs)
    record = np.full((runs, rows, system.n), np.nan)
    watches = [_nothing(system.n) for _ in range(runs)]
    ends = _all_runs(system, start, count, batch, seed, draws, record, stride, watches, workers)
    outcomes = tuple(map_outcome(system, code, step) for step, code, _ in ends.tolist())
    return NoisyRuns(system, int(batch), int(seed), np.arange(0.0, count + 1.0, stride)[:rows], record, start, outcomes)


@dataclass(frozen=True, eq=False)
class Moments:
    """What simulation says of the spread about a state, each number of one run.

    Attributes
    ----------
    second : array (runs, n, n)
        Means of products of distances from the state.
    mean : array (runs, n)
        Mean distances from it.
    exits : int array (runs,)
        The first step beyond the radius; -1 for none.
    finished : bool array (runs,)
        False for a run that left the domain or grew beyond bounds.
    """

    second: FloatArray
    mean: FloatArray
    exits: IntArray
    finished: NDArray[np.bool_]


def moments_about(
    system: System, x: FloatArray, steps: int, burn: int, batch: int, runs: int, seed: int, draws: Draws,
    chosen: FloatArray, radius: float, workers: int | None,
) -> Moments:  # fmt: skip
    """Run from a state and keep the moments of the distance from it, without the states."""
    n = system.n
    watches = [Watch(x.copy(), chosen, radius, burn, np.zeros((n, n)), np.zeros(n)) for _ in range(runs)]
    start = np.repeat(x[None], runs, axis=0)
    ends = _all_runs(system, start, steps, batch, seed, draws, np.zeros((runs, 0, n)), 1, watches, workers)
    lower = np.array([watch.products for watch in watches]) / (steps - burn)
    second = lower + np.tril(lower, -1).transpose(0, 2, 1)
    mean = np.array([watch.sums for watch in watches]) / (steps - burn)
    return Moments(second, mean, ends[:, 2], ends[:, 1] == INSIDE)


def _all_runs(
    system: System, start: FloatArray, steps: int, batch: int, seed: int, draws: Draws, record: FloatArray, stride: int,
    watches: list[Watch], workers: int | None,
) -> IntArray:  # fmt: skip
    if system.kind != "map":
        raise MisuseError(f"'{system.name}' is a flow, which takes no steps; choose a rule such as gb.Simultaneous().")
    sampled = sampled_program(system, draws)
    tape = sampled.tape(whole_batch(batch))
    # The placeholder rows of a table hold its number.
    urn = _urn(sampled, [int(nodes[0, 0]) for nodes, _ in tape.tables])
    p = system.parameter_vector()
    children = np.random.SeedSequence(whole(seed, "seed", 0)).spawn(len(start))

    def one(k: int) -> tuple[int, int, int]:
        # The tables are written to, so each run has its own.
        data = tape.data._replace(tables=tape.data.tables.copy())
        generator = np.random.Generator(np.random.PCG64DXSM(children[k]))
        ended: tuple[int, int, int] = _run(
            data, system.iterations, start[k], p, steps, urn, generator, record[k], stride, watches[k]
        )
        return ended

    threads = min(len(start), (os.cpu_count() or 1) if workers is None else whole(workers, "workers", 1))
    with ThreadPoolExecutor(threads) as pool:
        return np.array(list(pool.map(one, range(len(start)))), dtype=np.int64)


def _nothing(n: int) -> Watch:
    return Watch(np.zeros(n), np.zeros(n), np.inf, np.iinfo(np.int64).max, np.zeros((n, n)), np.zeros(n))


def _starts(system: System, initial: Any, runs: int) -> FloatArray:
    if isinstance(initial, np.ndarray) and initial.ndim == 2:
        if initial.shape != (runs, system.n) or not np.isfinite(initial).all():
            raise MisuseError(
                f"Initial states of {runs} runs are finite numbers of shape ({runs}, {system.n}), got {initial.shape}."
            )
        return np.array(initial, dtype=float, order="C")
    return np.repeat(system.state_vector(initial)[None], runs, axis=0)


def whole(value: Any, name: str, least: int, most: int = 2**62) -> int:
    """A whole number of the user's between two bounds."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
        bounds = f"from {least} on" if most == 2**62 else f"from {least} to {most}"
        raise MisuseError(f"'{name}' is a whole number {bounds}, but got {value!r}.")
    return int(value)
