"""The paper's own way to cost and gradient of the R/S/E/E least-squares GAN, by error-function integrals.

Kept for comparison with the paper; the model itself uses the shorter forms of `rsee_theory`.
"""

import math
from typing import Final, NamedTuple

from scipy.special import erfcx

from gan_bifurcation.models.rsee_theory import integrals

__all__ = [
    "Moments",
    "decomposed_cost",
    "decomposed_gradient",
    "first_moments",
    "key_integral",
    "mean_erf",
    "mean_squared_erf",
]

_ROOT_PI: Final = math.sqrt(math.pi)


class Moments(NamedTuple):
    """Expectations of erf(ax + b) and of its square over an exponential distribution, perhaps times x."""

    erf: float
    squared: float


def key_integral(a: float, b: float, c: float) -> float:
    """The mean of erf(ax + b) over the half line x > 0 of a normal density, between -1 and 1.

    The density is the one that the cost leads to: of mean d/a**2 and variance 1/(2 a**2), d = -(ab + c/2). The paper
    computes it by Monte Carlo integration.

    Parameters
    ----------
    a, b : float
        Discriminator, or b = eta for the generated points.
    c : float
        Rate of the exponential distribution, 1/g for the generated points.

    Examples
    --------
    >>> key_integral(2.2, -3.0, 0.5)
    -0.090451609022
    """
    # With t = ax the density is exp(-(t + b + k)**2)/sqrt(pi): a factor times the weight of A and B.
    k = c / (2.0 * a)
    found = integrals(b, k)
    return math.exp(-k * k - 2.0 * b * k) * (found.a - found.b)


def mean_erf(a: float, b: float, c: float) -> float:
    """IE1: the expectation of erf(ax + b), for x exponential with rate c.

    >>> mean_erf(2.2, -3.0, 0.5)
    0.024537664811
    """
    k = c / (2.0 * a)
    return math.erf(b) + _scaled_tail(b, k)


def mean_squared_erf(a: float, b: float, c: float) -> float:
    """IE2: the expectation of erf(ax + b)**2, by the key integral.

    >>> mean_squared_erf(2.2, -3.0, 0.5)
    0.81461351625
    """
    return math.erf(b) ** 2 + 4.0 * a / _ROOT_PI * math.exp(-b * b) * _i5(a, b, c)


def first_moments(a: float, b: float, c: float) -> Moments:
    """I9 and I10: the expectations of x erf(ax + b) and of x erf(ax + b)**2.

    >>> first_moments(2.2, -7.4, 1 / 1.5).squared
    1.326928775158
    """
    # d/dc of the expectation of f is (that of f)/c minus that of x f.
    k = c / (2.0 * a)
    found = integrals(b, k)
    tail = _scaled_tail(b, k)
    # d tail/dk = 2(b + k) tail - (2/sqrt(pi)) exp(-b**2), and k = c/(2a).
    slope = (2.0 * (b + k) * tail - 2.0 / _ROOT_PI * math.exp(-b * b)) / (2.0 * a)
    erf_moment = (math.erf(b) + tail) / c - slope
    # IE2 = erf(b)**2 + 4(A - B), with dA/dk = -2 A1 and dB/dk = -2 B1.
    squared = mean_squared_erf(a, b, c) / c + 4.0 * (found.a1 - found.b1) / a
    return Moments(erf_moment, squared)


def decomposed_cost(*, a: float, b: float, g: float, h: float, c: float) -> float:
    """The value as the paper adds it up.

    >>> decomposed_cost(a=2.2, b=-3.0, g=1.5, h=-2.0, c=0.5)
    1.344168409465
    """
    eta, rate = a * h + b, 1.0 / g
    data = 1.0 + 2.0 * mean_erf(a, b, c) + mean_squared_erf(a, b, c)
    made = 1.0 - 2.0 * mean_erf(a, eta, rate) + mean_squared_erf(a, eta, rate)
    return 0.25 * (data + made)


def decomposed_gradient(*, a: float, b: float, g: float, h: float, c: float) -> dict[str, float]:
    """The derivatives of the value as the paper adds them up.

    >>> decomposed_gradient(a=1.21, b=-1.0, g=0.35, h=-4.0, c=4.04)["g"]
    -0.00022353459
    """
    eta, rate = a * h + b, 1.0 / g
    data, made = _psi(a, b, c, 1.0), _psi(a, eta, rate, -1.0)
    ahead, behind = c * math.exp(-b * b) / _ROOT_PI, -math.exp(-eta * eta) / (g * _ROOT_PI)
    erf, squared = mean_erf(a, eta, rate), mean_squared_erf(a, eta, rate)
    first = first_moments(a, eta, rate)
    return {
        "a": ahead * data[1] + behind * (h * made[0] + made[1]),
        "b": ahead * data[0] + behind * made[0],
        "g": 0.25 * (2.0 * erf / g - squared / g - 2.0 * first.erf / g**2 + first.squared / g**2),
        "h": a * behind * made[0],
    }


def _i5(a: float, b: float, c: float) -> float:
    """int_0^oo erf(ax + b) exp(-a**2 x**2 + 2dx) dx with d = -(ab + c/2)."""
    slope = b + c / (2.0 * a)
    return _ROOT_PI / a * math.exp(slope * slope) * key_integral(a, b, c)


def _psi(a: float, b: float, c: float, sign: float) -> tuple[float, float]:
    """T_n + sign I5_n for n = 0 and 1, with T_n = int_0^oo x**n exp(-a**2 x**2 + 2dx) dx."""
    d = -(a * b + 0.5 * c)
    plain = _gauss(a, d)
    erf = _i5(a, b, c)
    # By parts; both brackets are total derivatives.
    first_plain = (0.5 + d * plain) / a**2
    first_erf = (
        0.5 * math.erf(b) + d * erf + a * math.exp(-b * b) / _ROOT_PI * _gauss(math.sqrt(2.0) * a, d - a * b)
    ) / a**2
    return plain + sign * erf, first_plain + sign * first_erf


def _gauss(alpha: float, beta: float) -> float:
    """int_0^oo exp(-alpha**2 x**2 + 2 beta x) dx."""
    return float(_ROOT_PI / (2.0 * alpha) * erfcx(-beta / alpha))


def _scaled_tail(b: float, k: float) -> float:
    """exp(k**2 + 2bk) erfc(b + k), which overflows nowhere."""
    if b + k > 0.0:
        return float(math.exp(-b * b) * erfcx(b + k))
    return math.exp(k * k + 2.0 * b * k) * math.erfc(b + k)
