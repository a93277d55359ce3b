"""What a rule costs: gradient evaluations until the distance from the equilibrium has fallen to 1/e, close to it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_bifurcation.branch import Point
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.system import System

__all__ = ["TrainingCost", "training_cost"]


@dataclass(frozen=True)
class TrainingCost:
    """The cost of a rule at a fixed point, in gradient calls.

    Attributes
    ----------
    spectral_radius : float
        The largest modulus of the multipliers that count.
    iterations_to_1_over_e : float
        -1/log(spectral radius), inf where training does not converge.
    discriminator_calls, generator_calls : int
        Evaluations of either player's gradient in one iteration.
    total : float
        Calls of both players until 1/e.
    neutral : int
        Multipliers at 1 that were left out: directions along a manifold of fixed points.
    """

    spectral_radius: float
    iterations_to_1_over_e: float
    discriminator_calls: int
    generator_calls: int
    total: float
    neutral: int = 0


def training_cost(system_or_point: Any, *, ignore_manifold: bool = False) -> TrainingCost:
    """Iterations to 1/e at a fixed point, and what they cost, so that rules compare fairly.

    Parameters
    ----------
    system_or_point : System or Point
        A map made from a game and a rule, at its known equilibrium, or a fixed point of one.
    ignore_manifold : bool
        Leave out multipliers at 1 (to 1e-6): where the fixed points form a manifold, training converges across it.

    Returns
    -------
    TrainingCost

    Raises
    ------
    MisuseError
        If it is a flow, was not made from a game and a rule, or has no known equilibrium.

    Notes
    -----
    The second-order terms of consensus, symplectic adjustment and unrolling count as the gradient calls that the rule
    states in `Update.gradient_calls`.

    Examples
    --------
    >>> from gan_bifurcation.models import dirac_gan
    >>> from gan_bifurcation.rules import Alternating, system
    >>> cost = training_cost(system(dirac_gan(gamma=0.3), Alternating(5), eta_d=0.2, eta_g=0.2))
    >>> cost.discriminator_calls, cost.generator_calls, cost.total == 6 * cost.iterations_to_1_over_e
    (5, 1, True)
    """
    system = system_or_point.system if isinstance(system_or_point, Point) else system_or_point
    if not isinstance(system, System):
        raise MisuseError(f"A cost is that of a System or of a Point of one, but got a {type(system).__name__}.")
    if system.kind != "map":
        raise MisuseError(f"'{system.name}' is a flow, which takes no steps; choose a rule such as gb.Simultaneous().")
    if system.game is None or system.rule is None:
        raise MisuseError(f"'{system.name}' was not made from a game and a rule, so its gradient calls are not known.")
    if isinstance(system_or_point, Point):
        multipliers = np.asarray(system_or_point.spectrum, dtype=complex)
    else:
        guess = system.equilibrium_guess()
        if guess is None:
            raise MisuseError(f"No equilibrium of '{system.name}' is known; give gb.point(system, guess) instead.")
        multipliers = np.linalg.eigvals(system.jacobian(guess)[:, : system.n]).astype(complex)
    counted = multipliers[np.abs(multipliers - 1.0) > 1e-6] if ignore_manifold else multipliers
    radius = float(np.abs(counted).max(initial=0.0))
    iterations = math.inf if radius >= 1.0 else -1.0 / math.log(radius) if radius > 0.0 else 0.0
    calls = system.rule.assemble(system.game).gradient_calls
    discriminator, generator = (int(number) * system.iterations for number in calls)
    return TrainingCost(
        radius, iterations, discriminator, generator, iterations * (discriminator + generator),
        len(multipliers) - len(counted),
    )  # fmt: skip
