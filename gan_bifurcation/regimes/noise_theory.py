"""Linear theory of training on minibatches: the covariance of what one step adds, and of where it all ends."""

from typing import Final, NamedTuple

import numpy as np
import sympy
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.expressions import symbol
from gan_bifurcation.kernels import TapeData, run_jacobian, run_value
from gan_bifurcation.lowering import build
from gan_bifurcation.regimes.noise_draws import Draw, Draws, Sampled, sampled_program
from gan_bifurcation.rules import Adam
from gan_bifurcation.system import System

__all__ = ["NoiseModel", "continuous_lyapunov", "discrete_lyapunov"]

FloatArray = NDArray[np.float64]

_MOST_DOUBLINGS: Final = 60
_NEWTON: Final = 12


@jit
def _over_rows(tape: TapeData, v: FloatArray, nodes: FloatArray, result: FloatArray) -> None:
    """Outputs of a tape whose first inputs are the columns of `nodes`, shape (rows, outputs)."""
    for row in range(nodes.shape[0]):
        for c in range(nodes.shape[1]):
            v[c] = nodes[row, c]
        run_value(tape, v, 0 if row == 0 else tape.prefix)
        for k in range(tape.outputs.shape[0]):
            result[row, k] = v[tape.outputs[k]]


@jit
def _gradients(tape: TapeData, v: FloatArray, g: FloatArray) -> None:
    run_jacobian(tape, v, g, 0, tape.code.shape[0])


class _Bodies:
    """What is averaged over the rows of one minibatch, on a tape of its own."""

    def __init__(self, draw: Draw, inputs: tuple[str, ...], extra: tuple[sympy.Symbol, ...]) -> None:
        self.draw = draw
        # Columns first, as if they were the states: all that does not depend on them is evaluated once.
        columns = tuple(column.name for column in draw.table.columns)
        names = (*columns, *inputs, *(s.name for s in extra))
        self.tape = build([], [drawn.mean.body for drawn in draw.means], names, len(columns))
        self.skip = len(columns)

    def covariance(self, z: FloatArray) -> FloatArray:
        """Of a minibatch of one row, at states, parameters and intermediate values `z`."""
        tape, table = self.tape, self.draw.table
        v = np.zeros(tape.slots)
        v[self.skip : len(tape.inputs)] = z
        v[len(tape.inputs) : len(tape.inputs) + len(tape.constants)] = tape.constants
        values = np.zeros((len(table.weights), len(tape.outputs)))
        _over_rows(tape.data, v, np.ascontiguousarray(table.nodes), values)
        probability = self.draw.probabilities
        centred = values - probability @ values
        return np.asarray(table.total_weight**2 * (centred.T * probability) @ centred)


class Stage(NamedTuple):
    """One application of a system: its value, derivatives by states and by errors of expectations, all other inputs."""

    f: FloatArray  # (n,)
    a: FloatArray  # (n, n)
    g: FloatArray  # (n, expectations)
    z: FloatArray  # states, parameters and intermediate values


def derivative_of(stages: list[Stage]) -> FloatArray:
    """The Jacobian of all stages, one after the other."""
    a = stages[0].a
    for stage in stages[1:]:
        a = stage.a @ a
    return a


class NoiseModel:
    """The linear theory of a system on minibatches; its parameters' values are given with each question.

    The right-hand side gets one more input for the error of each expectation; its derivative by them, which goes
    through all stages of a step, is what turns errors of expectations into errors of the next state.
    """

    @staticmethod
    def check(system: System) -> None:
        """Whether a rule and a game have a linear theory at all.

        Raises
        ------
        MisuseError
        """
        if isinstance(system.rule, Adam):
            raise MisuseError(
                "Adam divides by the root of a mean square that the noise itself makes, so there is no linear theory; "
                "use gb.simulate_noisy, or another rule."
            )
        if not system.smooth:
            raise MisuseError(
                f"'{system.name}' has kinks, across which noise carries training, so there is no linear theory; use "
                "gb.simulate_noisy."
            )

    def __init__(self, system: System, draws: Draws = "terms") -> None:
        self.check(system)
        self.system = system
        sampled = sampled_program(system, draws)
        drawn = [drawn for draw in sampled.drawn for drawn in draw.means]
        errors = [symbol(f"noise__{k}") for k in range(len(drawn))]
        image = {one: one.mean + error for one, error in zip(drawn, errors, strict=True)}
        assignments = [(s, e.xreplace(image)) for s, e in sampled.assignments]
        self.extra = _intermediates(sampled)
        outputs = [*(e.xreplace(image) for e in sampled.rhs), *self.extra]
        inputs = (*system.tape.inputs, *(error.name for error in errors))
        self.tape = build(assignments, outputs, inputs, system.n)
        self.bodies = [_Bodies(draw, system.tape.inputs, self.extra) for draw in sampled.drawn]
        self._seeds = np.zeros((self.tape.slots, len(inputs)))
        self._seeds[: len(inputs)] = np.eye(len(inputs))

    def stage(self, x: FloatArray, p: FloatArray) -> "Stage":
        """One application of the system at a state."""
        n, data = self.system.n, self.tape.data
        v, g = np.zeros(self.tape.slots), self._seeds
        v[:n], v[n : n + len(p)] = x, p
        v[data.n_inputs : data.n_inputs + len(data.constants)] = data.constants
        _gradients(data, v, g)
        outputs = data.outputs[:n]
        joint = n + len(p)
        return Stage(
            v[outputs], g[outputs, :n], g[outputs, joint:], np.concatenate([x, p, v[data.outputs[n:]]])
        )  # fmt: skip

    def stages(self, x: FloatArray, p: FloatArray) -> "list[Stage]":
        """All applications of the system's iterate."""
        found = [self.stage(x, p)]
        for _ in range(self.system.iterations - 1):
            found.append(self.stage(found[-1].f, p))
        return found

    def noise(self, stages: "list[Stage]") -> FloatArray:
        """The covariance Q of the last state on minibatches of one row, drawn anew in each stage."""
        q = np.zeros((self.system.n, self.system.n))
        for stage in stages:
            q = stage.a @ q @ stage.a.T
            first = 0
            for bodies in self.bodies:
                part = stage.g[:, first : first + len(bodies.draw.means)]
                first += len(bodies.draw.means)
                if np.any(part):
                    q += part @ bodies.covariance(stage.z) @ part.T
        return q

    def settled(self, x: FloatArray, p: FloatArray) -> "tuple[FloatArray, list[Stage]] | None":
        """A fixed point near `x` by Newton's method, and the stages there; None where there is none near."""
        n = self.system.n
        identity = np.eye(n) if self.system.kind == "map" else np.zeros((n, n))
        for _ in range(_NEWTON):
            stages = self.stages(x, p)
            a = derivative_of(stages)
            residual = stages[-1].f - x if self.system.kind == "map" else stages[-1].f
            if not (np.isfinite(residual).all() and np.isfinite(a).all()):
                return None
            try:
                step = np.linalg.solve(identity - a, residual)
            except np.linalg.LinAlgError:
                # Where fixed points come in manifolds, the nearest one.
                step = np.linalg.lstsq(identity - a, residual)[0]
            if np.linalg.norm(step) <= 1e-12 * (1.0 + np.linalg.norm(x)):
                return x, stages
            x = x + step
        return None

    def margin(self, a: FloatArray) -> float:
        """How far inside stability: one less the spectral radius, or minus the largest real part."""
        spectrum = np.linalg.eigvals(a)
        return float(1.0 - np.abs(spectrum).max() if self.system.kind == "map" else -spectrum.real.max())

    def covariance(self, a: FloatArray, q: FloatArray) -> FloatArray | None:
        """The stationary covariance of a linearisation that contracts; None where it hardly does."""
        return discrete_lyapunov(a, q) if self.system.kind == "map" else continuous_lyapunov(a, q)


def _intermediates(sampled: Sampled) -> tuple[sympy.Symbol, ...]:
    """Intermediate values that occur in what is averaged."""
    known = {s for s, _ in sampled.assignments}
    used: set[sympy.Symbol] = set()
    for draw in sampled.drawn:
        for drawn in draw.means:
            used |= drawn.mean.free_symbols & known
    return tuple(sorted(used, key=str))


def discrete_lyapunov(a: FloatArray, q: FloatArray) -> FloatArray | None:
    """S = A S A^T + Q by doubling, which is as exact near a multiplier -1 as anywhere; None without convergence.

    >>> discrete_lyapunov(np.array([[0.5]]), np.array([[3.0]])).tolist()
    [[4.0]]
    """
    s, power = q.copy(), a.copy()
    # Where it does not contract, squares of squares leave the range of numbers.
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(_MOST_DOUBLINGS):
            more = power @ s @ power.T
            s = s + more
            size = float(np.abs(s).max())
            if not size < np.inf:
                return None
            if float(np.abs(more).max()) <= 1e-17 * size:
                return np.asarray(0.5 * (s + s.T))
            power = power @ power
    return None


def continuous_lyapunov(a: FloatArray, q: FloatArray) -> FloatArray:
    """A S + S A^T + Q = 0.

    >>> continuous_lyapunov(np.array([[-2.0]]), np.array([[4.0]])).tolist()
    [[1.0]]
    """
    from scipy.linalg import solve_continuous_lyapunov

    s = np.asarray(solve_continuous_lyapunov(a, -q))
    return np.asarray(0.5 * (s + s.T))
