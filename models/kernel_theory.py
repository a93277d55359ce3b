"""Known facts of a kernel GAN near one true point, for the flow: eigenvalues, regimes and borders in closed form.

One true point of mass p, n generated points of mass q each at it, total mass P = n q, mismatch Delta = p - P. Every
function takes ``k2``, the curvature -K''(0) of the kernel, where the papers have 1/sigma^2: for finitely many features
the formulas are exact with :func:`kernel_curvature`. ``mu = eta_g/eta_d``; the flow's time unit is eta_d = 1. Steps:
see :mod:`gan_bifurcation.models.kernel_steps`.

References
----------
Becker, Pandit, Rangan, Fletcher: Local Convergence of Gradient Descent-Ascent for Training Generative Adversarial
Networks (2023), arXiv 2305.08277 (s_a, s_b, s_c as in the authors' published notebook). What holds for several masses,
negative mismatch and general kernels was derived here and is tested against the full systems.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.game import Game
from gan_bifurcation.rules import Flow, system

__all__ = [
    "FlowEigenvalues",
    "best_regularisation",
    "flow_eigenvalues",
    "flow_eigenvalues_of_masses",
    "flow_hopf",
    "kernel_curvature",
    "oscillation_window",
    "runaway_regularisation",
    "saturated_curvature",
    "scaled_regularisation",
    "split_pair",
]


class FlowEigenvalues(NamedTuple):
    """Eigenvalues of the flow, for each coordinate; arrays where the arguments were.

    Attributes
    ----------
    regularisation : s_a, of all directions of the discriminator that the points do not feel
    relative : s_b, n - 1 times: the points move against each other (there is none if n = 1)
    mean_plus, mean_minus : s_c, complex: the points move together
    """

    regularisation: Any
    relative: Any
    mean_plus: Any
    mean_minus: Any


def flow_eigenvalues(
    *, lam: ArrayLike, p: ArrayLike, q: ArrayLike, k2: ArrayLike, mu: ArrayLike = 1.0, total: ArrayLike | None = None
) -> FlowEigenvalues:
    """s_a, s_b and s_c of points of equal mass at a true point.

    Parameters
    ----------
    lam, p, q, k2, mu : float or array
    total : float or array, optional
        P; that of one point, q, by default.

    Returns
    -------
    FlowEigenvalues

    Notes
    -----
    s_a = -lam, s_b = -mu q Delta k2/lam, s_c = -m +- sqrt(m^2 - mu q p k2) with m = (lam + mu q Delta k2/lam)/2: their
    trace is s_a + s_b and their determinant mu q p k2, so that they never vanish while p > 0.

    Examples
    --------
    >>> s = flow_eigenvalues(lam=0.5, p=1, q=0.8, k2=1)
    >>> complex(s.mean_plus).imag
    0.79492137976
    """
    lam, p, q, k2, mu = (np.asarray(a, dtype=float) for a in (lam, p, q, k2, mu))
    mismatch = p - (q if total is None else np.asarray(total, dtype=float))
    relative = -mu * q * mismatch * k2 / lam
    half_trace = (-lam + relative) / 2
    root = np.sqrt((half_trace**2 - mu * q * p * k2).astype(complex))
    return FlowEigenvalues(-lam, relative, half_trace + root, half_trace - root)


def flow_eigenvalues_of_masses(
    *, lam: float, p: float, q: Sequence[float], k2: float, mu: float = 1.0
) -> NDArray[np.complex128]:
    """The n + 1 eigenvalues, for each coordinate, of points of different masses q_j at a true point.

    They solve (s + lam) prod_j (s + mu q_j k) + mu k2 sum_j q_j^2 prod_{l != j} (s + mu q_l k) = 0, k = Delta k2/lam.

    Examples
    --------
    >>> s = flow_eigenvalues_of_masses(lam=0.3, p=0.9, q=[0.2, 0.2, 0.2], k2=1 / 0.49, mu=2.0)
    >>> sorted(round(float(x), 6) for x in s.real)
    [-0.816327, -0.816327, -0.558163, -0.558163]
    """
    k = (p - sum(q)) * k2 / lam
    poles = [np.array([1.0, mu * q_j * k]) for q_j in q]
    polynomial = np.array([1.0, lam])
    for pole in poles:
        polynomial = np.polymul(polynomial, pole)
    for j, q_j in enumerate(q):
        rest = np.array([mu * k2 * q_j**2])
        for pole in poles[:j] + poles[j + 1 :]:
            rest = np.polymul(rest, pole)
        polynomial = np.polyadd(polynomial, rest)
    return np.roots(polynomial).astype(complex)


def scaled_regularisation(*, lam: float, q: float, k2: float, mu: float = 1.0) -> float:
    """S = lam^2/(mu q k2), the one group that decides between regimes."""
    return lam**2 / (mu * q * k2)


def oscillation_window(*, p: float, total: float) -> tuple[float, float]:
    """The mean mode oscillates while sqrt(S) lies between these, |sqrt p - sqrt P| and sqrt p + sqrt P.

    In widths: sigma between these times sqrt(mu q)/lam.

    >>> low, high = oscillation_window(p=1, total=0.8)
    >>> round(low * 0.8**0.5, 6), round(high * 0.8**0.5, 6)  # sigma lam, the hyperbolas of the authors' heat map
    (0.094427, 1.694427)
    """
    return abs(math.sqrt(p) - math.sqrt(total)), math.sqrt(p) + math.sqrt(total)


def best_regularisation(*, p: float, q: float, total: float, k2: float, mu: float = 1.0) -> float:
    """lam_opt = sqrt(mu q Delta k2), where s_a = s_b: the fastest flow for a kernel; its rate is lam_opt itself.

    >>> round(best_regularisation(p=1, q=0.8, total=0.8, k2=1), 12)
    0.4
    """
    _expect(total < p, f"a total generated mass below p = {p:g}", f"{total:g}")
    return math.sqrt(mu * q * (p - total) * k2)


def saturated_curvature(*, lam: float, p: float, q: float, total: float, mu: float = 1.0) -> float:
    """From this k2 on, sigma <= sqrt(mu q Delta)/lam, the flow's rate is lam: a narrower kernel brings nothing."""
    _expect(total < p, f"a total generated mass below p = {p:g}", f"{total:g}")
    return lam**2 / (mu * q * (p - total))


def flow_hopf(*, p: float, q: float, total: float, k2: float, mu: float = 1.0) -> tuple[float, float]:
    """Hopf point of the mean mode where generated mass is in excess: lam_H = sqrt(mu q |Delta| k2), omega = sqrt(mu q p
    k2).

    The mean mode is stable for lam > lam_H; the relative modes, if there are any, are unstable for every lam.

    >>> lam, omega = flow_hopf(p=0.5, q=0.8, total=0.8, k2=1)
    >>> round(lam, 6), round(omega, 6)
    (0.489898, 0.632456)
    """
    _expect(total > p > 0, f"a total generated mass above p = {p:g} > 0", f"{total:g}")
    return math.sqrt(mu * q * (total - p) * k2), math.sqrt(mu * q * p * k2)


def runaway_regularisation(*, q: float, k2: float, mu: float = 1.0) -> float:
    """A generated point far from all true points runs away for lam < sqrt(mu k2) q: its own trace repels it."""
    return math.sqrt(mu * k2) * q


def split_pair(*, p: float, total: float, sigma: float) -> float:
    """Two generated points of equal mass near a lighter true point rest at +- sigma sqrt((2/3) ln(P/p)).

    The pair leaves the true point in a pitchfork at P = p. Exact Gaussian kernel; does not depend on lam and the rates.
    """
    _expect(total >= p > 0, f"a total generated mass of at least p = {p:g} > 0", f"{total:g}")
    return sigma * math.sqrt(2 / 3 * math.log(total / p))


def kernel_curvature(game: Game, **parameters: float) -> float:
    """K2 = sum over features of phi_k'(0)^2: what takes the place of 1/sigma^2 for the features of a kernel GAN.

    Parameters
    ----------
    game : Game
        Of :func:`gan_bifurcation.models.kernel_gan`.
    **parameters : float
        Values other than the game's.

    Returns
    -------
    float

    Examples
    --------
    >>> from gan_bifurcation.models.kernel_gan import kernel_gan
    >>> round(kernel_curvature(kernel_gan(sigma=0.5)), 6)
    4.0
    """
    flow = system(game, Flow(), **parameters)
    if "q1" not in flow.parameters or game.generator.states[0] not in ("x1", "x1_1"):
        raise MisuseError(f"A kernel's curvature is that of a kernel_gan, but got the game '{game.name}'.")
    # The gradient of feature k is what the first point feels of its weight.
    row = flow.jacobian(np.zeros(flow.n))[len(game.discriminator.states), : len(game.discriminator.states)]
    slopes = row / (flow.parameters["q1"] * flow.parameters["eta_g"])
    return float(slopes @ slopes)


def _expect(holds: bool, expected: str, got: str) -> None:
    if not holds:
        raise MisuseError(f"There is no such point: expected {expected}, but got {got}.")
