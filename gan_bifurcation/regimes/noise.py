"""Noise of minibatches at an attractor: how far training stays from a fixed point that attracts it."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation import point as find_point
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.regimes.noise_draws import Draws, whole_batch
from gan_bifurcation.regimes.noise_runs import moments_about, whole
from gan_bifurcation.regimes.noise_theory import NoiseModel, derivative_of
from gan_bifurcation.system import System

__all__ = ["MeasuredSpread", "Spread", "measured_spread", "stationary_spread"]

FloatArray = NDArray[np.float64]
# Below this share of all noise a mode counts as one that noise does not reach.
_UNREACHED: Final = 1e-12
# Time constants of the slowest mode that are left out at the start of a measurement.
BURN: Final = 6.0
# And so many of them are run.
CONSTANTS: Final = 60.0


@dataclass(frozen=True, eq=False)
class Spread:
    """The stationary spread of training on minibatches about a fixed point, by linear theory.

    Attributes
    ----------
    point : Point
    batch : int
    covariance : array (n, n)
        Of the states about the fixed point.
    noise : array (n, n)
        Q: the covariance of what one step adds (of a flow: what one unit of time adds).
    jacobian : array (n, n)
        A, of the step (or of the flow).
    margin : float
        One less the spectral radius (or minus the largest real part): the distance from the border of stability.
    """

    point: Point
    batch: int
    covariance: FloatArray
    noise: FloatArray
    jacobian: FloatArray
    margin: float

    @property
    def standard_deviations(self) -> dict[str, float]:
        """Of each state."""
        return dict(zip(self.point.system.states, np.sqrt(self.variances).tolist(), strict=True))

    @property
    def variances(self) -> FloatArray:
        """Of each state, shape (n,); 0 where noise does not reach it but for rounding."""
        found = np.diag(self.covariance)
        return np.asarray(np.where(found > _UNREACHED * found.max(), found, 0.0))

    def radius(self, *states: str) -> float:
        """The root of the mean squared distance from the fixed point, in all states or in some."""
        return math.sqrt(float(chosen_states(self.point.system, states) @ self.variances))

    @cached_property
    def dominant_direction(self) -> dict[str, float]:
        """The direction of the largest spread, of length 1; its largest part is positive."""
        vector = np.linalg.eigh(self.covariance)[1][:, -1]
        vector = vector * np.sign(vector[np.argmax(np.abs(vector))])
        return dict(zip(self.point.system.states, vector.tolist(), strict=True))

    @property
    def dominant_share(self) -> float:
        """The part of the variance that lies in the dominant direction."""
        values = np.linalg.eigvalsh(self.covariance)
        total = float(values.sum())
        return float(values[-1]) / total if total > 0 else 0.0

    @cached_property
    def blow_up_exponent(self) -> float:
        """How the spread grows towards the border of stability, as distance**(-exponent).

        1/2 where noise reaches the mode that loses stability there: its variance is p* Q p / (1 - |multiplier|**2) with
        the adjoint eigenvector p. 0 where noise does not reach it; so it is at symmetric equilibria whose symmetry the
        noise keeps. Where two multipliers meet on the border (1:1 resonance) neither holds.
        """
        values, left = np.linalg.eig(self.jacobian.T)
        leading = int(np.argmax(np.abs(values) if self.point.system.kind == "map" else values.real))
        p = left[:, leading]
        reached = float((p.conj() @ self.noise @ p).real) / float((p.conj() @ p).real)
        return 0.5 if reached > _UNREACHED * float(np.trace(self.noise)) else 0.0


@dataclass(frozen=True, eq=False)
class MeasuredSpread:
    """The spread about a fixed point in simulated runs, beside the theory's.

    Attributes
    ----------
    theory : Spread
    runs, steps, seed : int
    variances, errors : array (n,)
        Mean squared distance from the fixed point in each state, and the standard error of that mean over runs.
    radius, radius_error : float
        The root of the mean squared distance, as `Spread.radius`, with its standard error.
    left : float
        The share of the runs that left the domain or grew beyond all bounds; they are not among the variances.
    """

    theory: Spread
    runs: int
    steps: int
    seed: int
    variances: FloatArray
    errors: FloatArray
    radius: float
    radius_error: float
    left: float

    @property
    def relative_errors(self) -> dict[str, tuple[float, float]]:
        """Of each state: measured over predicted standard deviation less one, and the standard error of that.

        Linear theory is exact to first order in 1/batch, so the first number tends to 0 with large minibatches.
        """
        found = {}
        predicted = self.theory.variances
        for k, name in enumerate(self.theory.point.system.states):
            if predicted[k] > 0 and self.variances[k] > 0:
                ratio = math.sqrt(self.variances[k] / predicted[k])
                found[name] = (ratio - 1.0, 0.5 * ratio * self.errors[k] / self.variances[k])
        return found


def stationary_spread(point: Point | System, batch: int, *, draws: Draws = "terms", step: float = 1.0) -> Spread:
    """How far training on minibatches stays from a fixed point that attracts it, by linear theory.

    Parameters
    ----------
    point : Point or System
        A fixed point of a map or an equilibrium of a flow; of a system, its known equilibrium.
    batch : int
        Rows of each minibatch.
    draws : "terms", "losses" or "steps"
        As of :func:`simulate_noisy`.
    step : float
        For a flow: the time for which a minibatch is used before the next one is drawn.

    Returns
    -------
    Spread

    Raises
    ------
    MisuseError
        If the game has no sampled form, or the point does not attract.

    Notes
    -----
    The covariance Q of one step is exact: that of the gradients over nodes and weights, divided by `batch`, carried
    through the stages of the rule by its derivative. S = A S A^T + Q for maps. A flow stands for its stochastic
    differential equation with the noise of steps of length `step`: A S + S A^T + step Q = 0. Noise that grows with the
    distance from the fixed point is neglected: S is exact to first order in 1/batch.

    Examples
    --------
    >>> from gan_bifurcation.models import dirac_gan
    >>> from gan_bifurcation.rules import Simultaneous, system
    >>> steps = system(dirac_gan(gamma=1.0, sigma=0.5), Simultaneous(), eta_d=0.1, eta_g=0.1)
    >>> stationary_spread(steps, batch=64).standard_deviations
    {'psi': 0.0096957, 'theta': 0.0094253}
    """
    at = as_point(point)
    if not (math.isfinite(step) and step > 0):
        raise MisuseError(f"The time between two minibatches is a number above 0, but got step={step!r}.")
    system = at.system
    size = whole_batch(batch)
    model = NoiseModel(system, draws)
    stages = model.stages(at.x, system.parameter_vector())
    a = derivative_of(stages)
    q = model.noise(stages) / size * (step if system.kind == "flow" else 1.0)
    covariance = model.covariance(a, q) if model.margin(a) > 0 else None
    if covariance is None:
        largest = 1.0 - model.margin(a) if system.kind == "map" else -model.margin(a)
        word = "the largest multiplier has modulus" if system.kind == "map" else "the largest real part is"
        raise MisuseError(
            f"There is no stationary spread about a point that does not attract: {word} {largest:.6g}; choose "
            "parameters at which it is stable."
        )
    return Spread(at, size, covariance, q, a, model.margin(a))


def measured_spread(
    point: Point | System, batch: int, *, runs: int = 16, steps: int | None = None, seed: int = 0,
    draws: Draws = "terms", workers: int | None = None,
) -> MeasuredSpread:  # fmt: skip
    """The spread about a fixed point in simulated runs that start there, with its sampling error.

    Parameters
    ----------
    point : Point or System
        As of :func:`stationary_spread`; a map.
    batch, runs, seed : int
    steps : int, optional
        Of each run; by default sixty time constants of the slowest mode, and 500 steps at least. The first six time
        constants are left out.
    draws : "terms", "losses" or "steps"
    workers : int, optional

    Returns
    -------
    MeasuredSpread

    Examples
    --------
    >>> from gan_bifurcation.models import dirac_gan
    >>> from gan_bifurcation.rules import Simultaneous, system
    >>> steps = system(dirac_gan(gamma=1.0, sigma=0.5), Simultaneous(), eta_d=0.1, eta_g=0.1)
    >>> found = measured_spread(steps, batch=64)
    >>> error, sampling = found.relative_errors["psi"]
    >>> abs(error) < 0.05
    True
    """
    at = as_point(point)
    if at.system.kind != "map":
        raise MisuseError(f"'{at.system.name}' is a flow; its spread is measured on a map, such as gb.Simultaneous().")
    count = whole(runs, "runs", 2, 100_000)
    theory = stationary_spread(at, batch, draws=draws)
    constant = 1.0 / theory.margin
    total = max(500, math.ceil(CONSTANTS * constant)) if steps is None else whole(steps, "steps", 2)
    burn = math.ceil(BURN * constant)
    if burn >= total // 2:
        raise MisuseError(
            f"{total} steps are too few for a stationary spread, which takes about {burn} to build up; give more than "
            f"{2 * burn}."
        )
    n = at.system.n
    seen = moments_about(
        at.system, at.x, total, burn, theory.batch, count, seed, draws, np.ones(n), np.inf, workers
    )  # fmt: skip
    if seen.finished.sum() < 2:
        raise MisuseError(
            f"Of {count} runs only {int(seen.finished.sum())} stayed near the point, so no spread can be measured; "
            "give a larger batch."
        )
    squares = np.einsum("rii->ri", seen.second[seen.finished])
    kept = len(squares)
    sums = squares.sum(axis=1)
    radius = math.sqrt(sums.mean())
    return MeasuredSpread(
        theory, count, total, seed, squares.mean(axis=0), squares.std(axis=0, ddof=1) / math.sqrt(kept),
        radius, 0.5 * sums.std(ddof=1) / math.sqrt(kept) / radius if radius > 0 else 0.0, 1.0 - kept / count,
    )  # fmt: skip


def as_point(point: Point | System) -> Point:
    """A fixed point, or the known equilibrium of a system."""
    found = find_point(point) if isinstance(point, System) else point
    if not isinstance(found, Point):
        raise MisuseError(
            f"A spread is that about a Point or the equilibrium of a System, got a {type(point).__name__}."
        )
    if found.profile is not None:
        raise MisuseError(f"The spread is known about fixed points and equilibria, but got a {found.kind}.")
    return found


def chosen_states(system: System, states: Any) -> FloatArray:
    """Ones where a state is among those chosen, shape (n,); all where none is."""
    for state in states:
        if state not in system.states:
            raise unknown_name("state", state, system.states)
    return np.array([1.0 if not states or name in states else 0.0 for name in system.states])
