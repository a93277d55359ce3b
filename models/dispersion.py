"""The dispersion relation of a GAN: how each mode of the weighted Laplacian decays, in continuous and in discrete time.

Near its equilibrium a GAN is a damped wave: the discriminator's deviation phi and the generator's displacement move as
phi_tt + eta_d (b - gamma Delta_mu) phi_t = eta_g eta_d a**2 Delta_mu phi, mode by mode. A mode xi is exactly the R1
Dirac-GAN with f'(0) = a sqrt(xi) and the penalty b + gamma xi.

References
----------
Khrulkov, Babenko, Oseledets: Functional Space Analysis of Local GAN Convergence (ICML 2021), arXiv 2102.04448.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.models.gan_losses import as_floats, loss_constants
from gan_bifurcation.models.settings import whole_number

__all__ = ["SCHEMES", "Dispersion", "growth_factors", "imaginary_limit"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# R(z) of one-step methods on the flow, lowest power first; z is an eigenvalue of the flow times the step.
_POLYNOMIALS: Final[Mapping[str, tuple[float, ...]]] = {
    "simultaneous": (1.0, 1.0),
    "heun": (1.0, 1.0, 1 / 2),
    "rk3": (1.0, 1.0, 1 / 2, 1 / 6),
    "rk4": (1.0, 1.0, 1 / 2, 1 / 6, 1 / 24),
    "extragradient": (1.0, 1.0, 1.0),
}
# Two-step methods mu**2 - (1 + p z) mu + q z = 0, as (p, q).
_TWO_STEP: Final[Mapping[str, tuple[float, float]]] = {"optimistic": (2.0, 1.0), "adams_bashforth_2": (1.5, 0.5)}

SCHEMES: Final = (*_POLYNOMIALS, "implicit", *_TWO_STEP, "alternating")
_GOLDEN: Final = (math.sqrt(5) - 1) / 2
# Beyond the circle by more than rounding.
_ROUND: Final = 1e-12


@dataclass(frozen=True)
class Dispersion:
    """The constants of the wave equation, and what follows from them for the modes xi of a data set.

    Attributes
    ----------
    a, b : float
        Coupling and curvature of the loss (see `gan_bifurcation.models.gan_losses`).
    gamma : float
        Zero-centred gradient penalty, R1 and R2 together.
    eta_d, eta_g : float
        Learning rates: speeds in continuous time, steps in discrete time.

    Examples
    --------
    >>> vanilla = Dispersion(a=0.5, b=0.5)
    >>> vanilla.rate([1, 2, 3]), round(vanilla.rate([0.1]), 7)
    (0.25, 0.0563508)
    >>> vanilla.eigenvalues(1.0).round(6).tolist()
    [(-0.25+0.433013j), (-0.25-0.433013j)]
    """

    a: float = 1.0
    b: float = 0.0
    gamma: float = 0.0
    eta_d: float = 1.0
    eta_g: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("a", self.a), ("eta_d", self.eta_d), ("eta_g", self.eta_g)):
            if not (math.isfinite(value) and value > 0):
                raise MisuseError(f"A dispersion relation needs a positive '{name}', but got {value!r}.")
        for name, value in (("b", self.b), ("gamma", self.gamma)):
            if not (math.isfinite(value) and value >= 0):
                raise MisuseError(f"A dispersion relation needs '{name}' of 0 or more, but got {value!r}.")

    @classmethod
    def of_loss(cls, loss: str, *, gamma: float = 0.0, eta_d: float = 1.0, eta_g: float = 1.0) -> "Dispersion":
        """The dispersion relation of a loss by its name, see `gan_bifurcation.models.gan_losses.loss_constants`.

        >>> Dispersion.of_loss("lsgan").b
        2.0
        """
        a, b, _ = as_floats(loss_constants(loss))
        return cls(a, b, gamma, eta_d, eta_g)

    def scaled(self, step: float) -> "Dispersion":
        """The same with both rates multiplied by a step."""
        return replace(self, eta_d=self.eta_d * step, eta_g=self.eta_g * step)

    def damping(self, xi: ArrayLike) -> FloatArray:
        """d = b + gamma xi."""
        return self.b + self.gamma * _modes(xi)

    def stiffness(self, xi: ArrayLike) -> FloatArray:
        """q = eta_g eta_d a**2 xi."""
        return self.eta_g * self.eta_d * self.a**2 * _modes(xi)

    def matrix(self, xi: float) -> FloatArray:
        """The flow's matrix of one mode, in (phi, y) with y = sqrt(xi) u, shape (2, 2)."""
        slope = self.a * math.sqrt(float(_modes(xi)))
        return np.array([[-self.eta_d * float(self.damping(xi)), -self.eta_d * slope], [self.eta_g * slope, 0.0]])

    def eigenvalues(self, xi: ArrayLike) -> ComplexArray:
        """Eigenvalues of the flow, shape (..., 2): the slower one first, or the one that turns to the left."""
        return _flow(self.eta_d * self.damping(xi), self.stiffness(xi))

    def rate(self, xi: ArrayLike, *, unbounded: bool = False) -> float:
        """The rate of the slowest mode, min(-Re lambda).

        Parameters
        ----------
        xi : array
            The non-zero eigenvalues; the constant mode is left out of every rate.
        unbounded : bool
            Whether the spectrum goes on for ever: with a penalty its high modes have the rate eta_g a**2/gamma.
        """
        slowest = float((-self.eigenvalues(xi).real).min())
        return min(slowest, self.eta_g * self.a**2 / self.gamma) if unbounded and self.gamma > 0 else slowest

    def best_penalty(self, xi: ArrayLike, *, unbounded: bool = True) -> tuple[float, float]:
        """The penalty gamma with the largest rate, and this rate.

        Without curvature (b = 0) and with an unbounded spectrum it is a sqrt(2 eta_g/(eta_d xi_1)).

        >>> best, rate = Dispersion().best_penalty([1, 2, 3])
        >>> round(best**2, 6), round(rate**2, 6)
        (2.0, 0.5)
        """
        modes = np.atleast_1d(_modes(xi))
        scale = 2 * self.a * math.sqrt(self.eta_g / (self.eta_d * float(modes.min())))

        def rate(exponent: float) -> float:
            return replace(self, gamma=scale * math.exp(exponent)).rate(modes, unbounded=unbounded)

        # Each mode's rate rises to its critical damping and falls then, so that the least of them has one maximum; it
        # is a corner, where Brent's parabolas are of no use and golden sections are.
        low, high = -12.0, 3.0
        inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        at_inner, at_outer = rate(inner), rate(outer)
        while high - low > 1e-14 * max(1.0, abs(low)):
            if at_inner >= at_outer:
                high, outer, at_outer = outer, inner, at_inner
                inner = high - _GOLDEN * (high - low)
                at_inner = rate(inner)
            else:
                low, inner, at_inner = inner, outer, at_outer
                outer = low + _GOLDEN * (high - low)
                at_outer = rate(outer)
        without = replace(self, gamma=0.0).rate(modes)
        best = (low + high) / 2
        return (0.0, without) if without >= rate(best) else (scale * math.exp(best), rate(best))

    def critical_penalty(self, xi: float) -> float:
        """The penalty at which a mode stops to oscillate; negative if it never does."""
        mode = float(_modes(xi))
        return 2 * self.a * math.sqrt(self.eta_g / (self.eta_d * mode)) - self.b / mode

    def critical_ratio(self, xi: float) -> float:
        """The ratio eta_g/eta_d above which a mode oscillates: discriminator balancing."""
        return float(self.damping(xi)) ** 2 / (4 * self.a**2 * float(_modes(xi)))

    def oscillatory_band(self) -> tuple[float, float] | None:
        """The modes xi that oscillate lie between these two; None if none does.

        >>> Dispersion(a=0.5, b=0.5).oscillatory_band()
        (0.25, inf)
        >>> Dispersion(a=1.0, gamma=0.5).oscillatory_band()
        (0.0, 16.0)
        """
        wave = self.a * math.sqrt(self.eta_g / self.eta_d)
        if self.gamma == 0:
            return self.b**2 / (4 * wave**2), math.inf
        inside = wave**2 - self.b * self.gamma
        if inside <= 0:
            return None
        upper = (wave + math.sqrt(inside)) / self.gamma
        # The product of both bounds of sqrt(xi) is b/gamma.
        return (self.b / self.gamma / upper) ** 2, upper**2

    def multipliers(self, xi: ArrayLike, scheme: str, *, discriminator_steps: int = 1) -> ComplexArray:
        """Multipliers of one application of a scheme, shape (..., 2), or (..., 4) for schemes that remember.

        Parameters
        ----------
        xi : array
        scheme : str
            One of `SCHEMES`.
        discriminator_steps : int
            Of "alternating"; both orders have the same multipliers.
        """
        return growth_factors(
            self.eta_d * self.damping(xi), self.stiffness(xi), scheme, discriminator_steps=discriminator_steps
        )

    def stable(self, xi: ArrayLike, scheme: str, *, discriminator_steps: int = 1) -> bool:
        """Whether every mode decays under a scheme."""
        return self.slowest_factor(xi, scheme, discriminator_steps=discriminator_steps) < 1

    def slowest_factor(self, xi: ArrayLike, scheme: str, *, discriminator_steps: int = 1) -> float:
        """The largest modulus of a multiplier, over all modes; -1/log of it is the iterations to shrink by e."""
        return float(np.abs(self.multipliers(xi, scheme, discriminator_steps=discriminator_steps)).max())

    def meets_conditions(self, xi: ArrayLike, scheme: str) -> bool:
        """The closed conditions of stability, for "simultaneous" and "alternating" (one discriminator step)."""
        d, q = self.damping(xi), self.stiffness(xi)
        if scheme == "simultaneous":
            return bool(np.all(self.eta_g * self.a**2 * _modes(xi) < d) and np.all(2 * self.eta_d * d < 4 + q))
        if scheme == "alternating":
            return bool(np.all(d > 0) and np.all(2 * self.eta_d * d + q < 4))
        raise unknown_name("scheme with closed conditions", str(scheme), ("simultaneous", "alternating"))

    def largest_step(self, xi: ArrayLike, scheme: str, *, discriminator_steps: int = 1) -> float:
        """The largest factor of both rates up to which every mode decays; 0 if none does, inf if every factor will do.

        >>> round(Dispersion(a=0.5, b=0.5).largest_step([1, 2, 3, 4], "simultaneous"), 9)
        0.5
        """

        def decays(log_step: float) -> bool:
            made = self.scaled(math.exp(log_step))
            return made.slowest_factor(xi, scheme, discriminator_steps=discriminator_steps) < 1

        modes = np.atleast_1d(_modes(xi))
        speed = float(np.abs(self.eigenvalues(modes)).max())
        grid = np.linspace(-7.0, 7.0, 561) - math.log(speed)
        last = None
        for log_step in grid.tolist():
            if not decays(log_step):
                return 0.0 if last is None else math.exp(_edge(decays, last, log_step))
            last = log_step
        return math.inf


def growth_factors(
    damped: ArrayLike, stiffness: ArrayLike, scheme: str, *, discriminator_steps: int = 1
) -> ComplexArray:
    """Multipliers of a scheme from the two numbers that they depend on.

    Parameters
    ----------
    damped : array
        eta_d (b + gamma xi).
    stiffness : array
        eta_g eta_d a**2 xi.
    scheme : str
        One of `SCHEMES`.
    discriminator_steps : int
        Of "alternating".

    Returns
    -------
    complex array (..., 2), or (..., 4) for schemes that remember

    Examples
    --------
    >>> growth_factors(0.0, 1.0, "optimistic").shape
    (4,)
    """
    if scheme not in SCHEMES:
        raise unknown_name("scheme", str(scheme), SCHEMES)
    if discriminator_steps != 1 and scheme != "alternating":
        raise MisuseError(f"'discriminator_steps' belongs to the scheme 'alternating', but got '{scheme}'.")
    d, q = np.asarray(damped, dtype=float), np.asarray(stiffness, dtype=float)
    if scheme == "alternating":
        return _alternating(d, q, discriminator_steps)
    z = _flow(d, q)
    if scheme in _POLYNOMIALS:
        return np.asarray(np.polynomial.polynomial.polyval(z, _POLYNOMIALS[scheme]))
    if scheme == "implicit":
        return np.asarray(1 / (1 - z))
    p, r = _TWO_STEP[scheme]
    pairs = _roots(1 + p * z, r * z)
    return pairs.reshape(*z.shape[:-1], 4)


def _flow(damped: FloatArray, q: FloatArray) -> ComplexArray:
    half = (damped / 2).astype(complex)
    root = np.sqrt(half**2 - q)
    minus = -half - root
    # The product of both is q: the slower one without cancellation.
    real = (root.real > 0) & (minus != 0)
    plus = np.where(real, q / np.where(real, minus, 1.0), -half + root)
    return np.stack([plus, minus], axis=-1)


def _alternating(damped: FloatArray, q: FloatArray, steps: int) -> ComplexArray:
    whole_number("discriminator_steps", steps, 1, 1000)
    kept = 1 - damped
    # [1 - kept**n]/(eta_d d), which is n without damping.
    total = np.sum([kept**k for k in range(steps)], axis=0)
    return _roots(1 + kept**steps - q * total, kept**steps)


def imaginary_limit(scheme: str) -> float:
    """The largest y such that a scheme does not amplify waves i y', y' <= y: 0 for never, inf for always.

    It is found on the multipliers and not looked up. y is a sqrt(eta_d eta_g xi) of a WGAN without penalty.

    >>> [round(imaginary_limit(scheme) ** 2, 9) for scheme in ("simultaneous", "rk3", "rk4", "alternating")]
    [0.0, 3.0, 8.0, 4.0]
    """
    if scheme not in SCHEMES:
        raise unknown_name("scheme", str(scheme), SCHEMES)

    def bounded(y: float) -> bool:
        return Dispersion().slowest_factor(y**2, scheme) <= 1 + _ROUND

    last = 0.0
    for y in np.linspace(0.0, 12.0, 481)[1:].tolist():
        if not bounded(y):
            return _edge(bounded, last, y) if last else 0.0
        last = y
    return math.inf


def _edge(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where a condition ends between two places, to the last digit."""
    for _ in range(80):
        middle = (inside + outside) / 2
        if middle in (inside, outside):
            break
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside


def _roots(total: NDArray[Any], product: NDArray[Any]) -> ComplexArray:
    """Both roots of mu**2 - total mu + product, shape (..., 2), without cancellation."""
    half = np.asarray(total, dtype=complex) / 2
    root = np.sqrt(half**2 - product)
    # The root that is larger in modulus first.
    larger = half + np.where((half.conj() * root).real >= 0, root, -root)
    other = np.where(larger != 0, product / np.where(larger != 0, larger, 1.0), half - root)
    return np.stack([larger, other], axis=-1)


def _modes(xi: ArrayLike) -> FloatArray:
    modes = np.asarray(xi, dtype=float)
    if not modes.size or not np.isfinite(modes).all() or not (modes > 0).all():
        raise MisuseError(f"Modes are positive eigenvalues of the weighted Laplacian, but got {modes.tolist()!r:.60}.")
    return modes
