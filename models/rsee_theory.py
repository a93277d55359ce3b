"""What is known of the R/S/E/E least-squares GAN: cost, gradient, second derivatives in closed form, the plateau.

The integrals A and B of the model are bivariate normal probabilities, so that everything reduces to Owen's T function:
a second way to every number, with nothing in common with the quadrature that training uses.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc, erfcx, hyp2f1, ndtr, owens_t

from gan_bifurcation.errors import MisuseError

__all__ = [
    "Integrals",
    "closed_integrals",
    "cost",
    "flow_jacobian",
    "gradient",
    "integrals",
    "kullback_leibler",
    "logistic_mean_square",
    "optimal_discriminator",
    "plateau_shift",
]

FloatArray = NDArray[np.float64]

_ROOT_PI: Final = math.sqrt(math.pi)
_ROOT_TWO: Final = math.sqrt(2.0)
# Gauss and Legendre's rule on panels, from 9 before the maximum of the integrands to 7 behind it.
_RULE: Final = np.polynomial.legendre.leggauss(20)
_PANEL: Final = 0.75
_REACH: Final = (9.0, 7.0)


class Integrals(NamedTuple):
    """A, B and their first moments A1, B1, for one shift and one k.

    A(b, k) = 1/(2 sqrt(pi)) int_0^oo [1 + erf(b + t)] exp(-(b + t)**2 - 2kt) dt, B the same with [1 - erf], and A1, B1
    with a further factor t. All are positive.
    """

    a: float
    b: float
    a1: float
    b1: float


def integrals(shift: float, k: float) -> Integrals:
    """The four integrals by Gauss and Legendre's rule on panels that follow the integrand: positive terms only.

    Parameters
    ----------
    shift : float
        b for the data, eta = a h + b for the generated points.
    k : float
        k1 = c/(2a) for the data, k2 = 1/(2ag) for the generated points.

    Examples
    --------
    >>> integrals(-3.0, 0.5 / 4.4).a1
    0.7739357608815
    """
    _check(shift, k)
    start = max(0.0, -shift - _REACH[0])
    end = max(0.0, -shift) + _REACH[1]
    # A large k makes a boundary layer of width 1/(2k).
    width = min(_PANEL, 2.0 / k)
    panels = math.ceil((end - start) / width)
    nodes, weights = _RULE
    edges = np.linspace(start, end, panels + 1)
    half = 0.5 * np.diff(edges)[:, None]
    t = (edges[:-1, None] + half * (nodes + 1.0)).ravel()
    u = shift + t
    bell = (half * weights).ravel() * np.exp(-u * u - 2.0 * k * t) / (2.0 * _ROOT_PI)
    below, above = bell * erfc(-u), bell * erfc(u)
    return Integrals(float(below.sum()), float(above.sum()), float(t @ below), float(t @ above))


def closed_integrals(shift: float, k: float) -> Integrals:
    """The same in closed form, by Owen's T function.

    Differences of numbers of order one lose what is smaller than 1e-16 exp(k**2 + 2 k shift) in the far tails.

    Examples
    --------
    >>> closed_integrals(-1.0, 4.04 / 2.42).a
    0.020710700633687
    """
    _check(shift, k)
    b = shift
    factor = math.exp(k * k + 2.0 * b * k)
    lower = -_ROOT_TWO * (b + k)
    a = factor * _bivariate(lower, -k, 1.0 / _ROOT_TWO)
    other = factor * _bivariate(lower, k, -1.0 / _ROOT_TWO)
    bell = math.exp(-b * b)
    # exp(k**2/2 + 2bk) erfc(sqrt2 (b + k/2)) without overflow: the exponents of erfcx cancel.
    z = _ROOT_TWO * (b + 0.5 * k)
    tail = float(math.exp(-2.0 * b * b) * erfcx(z)) if z > 0.0 else math.exp(0.5 * k * k + 2.0 * b * k) * math.erfc(z)
    a1 = (bell * math.erfc(-b) / 2.0 + tail / (2.0 * _ROOT_TWO)) / (2.0 * _ROOT_PI) - (b + k) * a
    b1 = (bell * math.erfc(b) / 2.0 - tail / (2.0 * _ROOT_TWO)) / (2.0 * _ROOT_PI) - (b + k) * other
    return Integrals(a, other, a1, b1)


def cost(*, a: float, b: float, g: float, h: float, c: float, closed: bool = False) -> tuple[float, float]:
    """The value's two parts: E D(x)**2 of the data and E (1 - D)**2 of the generated points.

    Parameters
    ----------
    a, b : float
        Discriminator, a > 0.
    g, h : float
        Generator, g > 0.
    c : float
        Rate of the data.
    closed : bool
        By Owen's T function instead of the integral.

    Examples
    --------
    >>> sum(cost(a=2.2, b=-3.0, g=1.5, h=-2.0, c=0.5))
    1.344168409465
    """
    eta, k1, k2, of = _prepared(a, b, g, h, c, closed)
    return math.erfc(-b) ** 2 / 4 + 2.0 * of(b, k1).a, math.erfc(eta) ** 2 / 4 - 2.0 * of(eta, k2).b


def gradient(*, a: float, b: float, g: float, h: float, c: float, closed: bool = False) -> dict[str, float]:
    """The derivatives of the value by a, b, g and h; those by g and h are negative everywhere.

    Examples
    --------
    >>> gradient(a=2.2, b=-3.0, g=1.5, h=-2.0, c=0.5)
    {'a': 0.1180367581, 'b': 0.0689963202, 'g': -0.1696310114, 'h': -0.0811692013}
    """
    eta, k1, k2, of = _prepared(a, b, g, h, c, closed)
    data, made = of(b, k1), of(eta, k2)
    by_eta = -4.0 * k2 * made.b
    by_scale = -4.0 * k2 / a * made.b1
    return {
        "a": 4.0 * k1 / a * data.a1 + by_scale + h * by_eta,
        "b": 4.0 * k1 * data.a + by_eta,
        "g": a / g * by_scale,
        "h": a * by_eta,
    }


def flow_jacobian(*, a: float, b: float, g: float, h: float, c: float) -> FloatArray:
    """The Jacobian of the flow b' = J_b, h' = -J_h with a and g fixed.

    Examples
    --------
    >>> flow_jacobian(a=2.2, b=-3.0, g=1.5, h=-2.0, c=0.5).tolist()
    [[0.0128858988, -0.0245967277], [0.0245967277, 0.0541128009]]
    """
    eta, k1, k2, of = _prepared(a, b, g, h, c, False)
    # dA/db = 2kA - exp(-b**2) erfc(-b)/(2 sqrt(pi)), and with B and erfc(b) likewise.
    slope_a = 2.0 * k1 * of(b, k1).a - math.exp(-b * b) * math.erfc(-b) / (2.0 * _ROOT_PI)
    slope_b = 2.0 * k2 * of(eta, k2).b - math.exp(-eta * eta) * math.erfc(eta) / (2.0 * _ROOT_PI)
    bb, bh, hh = 4.0 * k1 * slope_a - 4.0 * k2 * slope_b, -4.0 * k2 * a * slope_b, -4.0 * k2 * a * a * slope_b
    return np.array([[bb, bh], [-bh, -hh]])


def kullback_leibler(*, g: float, h: float, c: float) -> float:
    """Kullback and Leibler's divergence of the generated from the true distribution; infinite for h > 0.

    >>> kullback_leibler(g=2.0, h=0.0, c=0.5), kullback_leibler(g=2.0, h=0.1, c=0.5)
    (0.0, inf)
    """
    _positive(g=g, c=c)
    # Beyond h = 0 some data lie where nothing is generated.
    return math.log(g * c) - 1.0 + (1.0 - h * c) / (g * c) if h <= 0.0 else math.inf


def logistic_mean_square(*, a: float, b: float, c: float) -> float:
    """E D(x)**2 for D = 1/(1 + a exp(-bx)) with b > 0, x exponential with rate c: a hypergeometric function.

    >>> logistic_mean_square(a=1.0, b=1.0, c=1.0)
    0.5
    """
    _positive(a=a, b=b, c=c)
    return float(hyp2f1(2.0, c / b, 1.0 + c / b, -a))


def optimal_discriminator(x: Any, *, g: float, h: float, c: float) -> FloatArray:
    """The discriminator that is best against a generator: p/(p + q), of the densities of data and generated points.

    It is 1/(1 + exp((c - 1/g) x + h/g)/(g c)) where both densities are positive; no error function and, but for h < 0,
    no logistic function is equal to it everywhere.

    >>> optimal_discriminator([0.0, 1.0, 5.0], g=2.0, h=0.0, c=0.5).tolist()
    [0.5, 0.5, 0.5]
    """
    _positive(g=g, c=c)
    x = np.asarray(x, dtype=float)
    true = np.where(x >= 0.0, c * np.exp(-c * np.maximum(x, 0.0)), 0.0)
    made = np.where(x >= h, np.exp(-np.maximum(x - h, 0.0) / g) / g, 0.0)
    both = true + made
    return np.asarray(np.divide(true, both, out=np.full(x.shape, 0.5), where=both > 0.0))


def plateau_shift(time: Any, *, k1: float) -> Any:
    """Where b is after a long time on the plateau, to leading order: sqrt(log(4 k1 t/sqrt(pi))).

    There the generator is frozen, and b' = 2 k1 exp(-b**2)/(sqrt(pi) (b + k1)): a drift that never ends.

    Parameters
    ----------
    time : float or array
        Time of the flow, or steps times the learning rate; 4 k1 t must exceed sqrt(pi).
    k1 : float

    Examples
    --------
    >>> plateau_shift(1000.0, k1=0.5 / 4.4)
    2.3551928
    """
    _positive(k1=k1)
    size = 4.0 * k1 * np.asarray(time, dtype=float) / _ROOT_PI
    if not np.all(size > 1.0):
        raise MisuseError(f"The plateau's law holds for times beyond {_ROOT_PI / 4.0 / k1:g}; give later ones.")
    shift = np.sqrt(np.log(size))
    return shift if shift.ndim else float(shift)


def _prepared(a: float, b: float, g: float, h: float, c: float, closed: bool) -> tuple[float, float, float, Any]:
    _positive(a=a, g=g, c=c)
    return a * h + b, c / (2.0 * a), 1.0 / (2.0 * a * g), closed_integrals if closed else integrals


def _bivariate(h: float, k: float, rho: float) -> float:
    """P(X < h, Y < k) of standard normal variables of correlation rho, with k not 0."""
    r = math.sqrt(1.0 - rho * rho)
    if h == 0.0:
        # Owen's slope is infinite there, of the sign of k; the two halves of the jump cancel with the case hk > 0.
        first, same = math.copysign(0.25, k), k > 0.0
        return float(0.5 * (0.5 + ndtr(k)) - first - owens_t(k, -rho / r) - (0.0 if same else 0.5))
    value = 0.5 * (ndtr(h) + ndtr(k)) - owens_t(h, (k - rho * h) / (h * r)) - owens_t(k, (h - rho * k) / (k * r))
    return float(value - (0.0 if h * k > 0.0 else 0.5))


def _check(shift: float, k: float) -> None:
    if not (math.isfinite(shift) and abs(shift) < 1e6 and 0.0 < k < 1e6):
        raise MisuseError(f"The integrals need a finite shift and a positive k below 1e6, got {shift!r} and {k!r}.")


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (value > 0.0 and math.isfinite(value)):
            raise MisuseError(f"'{name}' is a positive number here, but got {value!r}.")
