"""What is known of the two-Gaussian GAN in closed form: arrival times, rates on the symmetric slice, spectra."""

import cmath
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError

__all__ = [
    "arrival_time",
    "interval_eigenvalues",
    "largest_step",
    "merged_rate",
    "mixture_eigenvalues",
    "slice_crossing",
    "slice_rate",
    "symmetric_end",
]


def _density(x: float) -> float:
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def arrival_time(distance: float) -> float:
    """When the flow of one Gaussian with the optimal discriminator arrives at the truth: in finite time.

    d' = -sign(d) density(d/2) for the distance d of the means, so that the time is 2 pi erfi(d/sqrt(8)).

    >>> round(arrival_time(1.0), 7)
    2.6151072
    """
    from scipy.special import erfi

    return float(2.0 * math.pi * erfi(abs(distance) / math.sqrt(8.0)))


def interval_eigenvalues(half_width: float, *, eta_d: float = 1.0, eta_g: float = 1.0) -> tuple[complex, complex]:
    """Eigenvalues of the flow across the line of equilibria of one Gaussian and one interval.

    Roots of z^2 + 2 eta_g k z + 2 eta_g eta_d k^2 with k = s density(s).

    >>> [complex(round(z.real, 6), round(z.imag, 6)) for z in interval_eigenvalues(1.0)]
    [(-0.241971+0.241971j), (-0.241971-0.241971j)]
    """
    k = half_width * _density(half_width)
    root = cmath.sqrt((eta_g * k) ** 2 - 2.0 * eta_g * eta_d * k * k)
    return -eta_g * k + root, -eta_g * k - root


def largest_step(half_width: float) -> float:
    """The learning rate, the same for both players, below which simultaneous steps converge to such an interval.

    >>> round(largest_step(1.0), 7)
    4.1327314
    """
    return 1.0 / (half_width * _density(half_width))


def slice_crossing(u: float, m: float) -> float:
    """The positive zero of F for true means -m and m and generated ones -u and u; its limit where u = m or u = 0.

    It solves cosh(m x) exp(-m^2/2) = cosh(u x) exp(-u^2/2); x tanh(m x) = m where u = m.

    >>> round(slice_crossing(0.0, 1.0), 7), round(slice_crossing(1.0, 1.0), 7)
    (1.0850385, 1.1996786)
    """
    from scipy.optimize import brentq

    if not (m > 0.0 and u >= 0.0):
        raise MisuseError(f"The symmetric slice needs m > 0 and u >= 0, but got m = {m!r} and u = {u!r}.")

    def log_cosh(x: float) -> float:
        return x + math.log1p(math.exp(-2.0 * x)) - math.log(2.0)

    def beside(x: float) -> float:
        # Divided by the difference of the squares of the means, which keeps its sign where they meet.
        if abs(u - m) < 1e-6 * m:
            mean = 0.5 * (u + m)
            return x * math.tanh(mean * x) - mean
        return (log_cosh(m * x) - log_cosh(u * x) - 0.5 * (m * m - u * u)) / (m - u)

    return float(brentq(beside, 0.0, m + u + 2.0 / m + 2.0, xtol=1e-15, rtol=1e-14))


def slice_rate(u: float, m: float) -> float:
    """The velocity u' of the flow with the optimal discriminator in the symmetric slice, with eta_g = 1.

    >>> slice_rate(0.25, 0.5) > 0 > slice_rate(0.75, 0.5)
    True
    """
    x = slice_crossing(u, m)
    return math.copysign(0.5, m - u) * (_density(x - u) - _density(x + u))


def merged_rate(m: float) -> float:
    """How fast two modes that are almost one leave each other, symmetrically: x0 density(x0), u -> 0.

    >>> round(merged_rate(0.5), 7)
    0.2418652
    """
    x = slice_crossing(0.0, m)
    return x * _density(x)


def symmetric_end(a: float, m: float = 0.5) -> float:
    """The other end b of intervals [-b, -a] and [a, b] that hold the true means -m and m in equilibrium.

    The pull density(x - m) - density(x + m) is the same at both; its maximum, between, is where x tanh(m x) = m.

    >>> round(symmetric_end(0.6), 7)
    1.5639866
    """
    from scipy.optimize import brentq

    def pull(x: float) -> float:
        return _density(x - m) - _density(x + m)

    top = slice_crossing(m, m)
    if not 0.0 < a < top:
        raise MisuseError(f"The inner end must lie between 0 and {top:.6g}, where the pull is largest, but got {a!r}.")
    return float(brentq(lambda x: pull(x) - pull(a), top, top + 40.0, xtol=1e-15, rtol=1e-14))


def mixture_eigenvalues(
    ends: Sequence[float], true_means: Sequence[float] = (-0.5, 0.5), *, eta_d: float = 1.0, eta_g: float = 1.0
) -> NDArray[np.complex128]:
    """The four eigenvalues of the flow across the manifold of equilibria, largest first.

    At the true means J = [[-eta_g H, -eta_g B'], [eta_d B, 0]] with H diagonal and B of rank two, so that they are
    those of the quadratic problem z^2 + z eta_g H + eta_g eta_d B'B on the two means.

    Parameters
    ----------
    ends : four floats
        l1, r1, l2, r2 of an equilibrium.
    true_means : pair of float

    Examples
    --------
    >>> b = symmetric_end(0.6)
    >>> complex(mixture_eigenvalues((-b, -0.6, 0.6, b))[0].round(5))
    (-0.01488+0.12205j)
    """
    if len(ends) != 4 or len(true_means) != 2:
        raise MisuseError(f"Expected four end points and two means, but got {ends!r} and {true_means!r}.")
    # The density's derivative at each end, with the sign of an end on the left or right.
    slopes = np.array(
        [[(1 if k % 2 else -1) * -(x - m) * _density(x - m) / 2.0 for m in true_means] for k, x in enumerate(ends)]
    )
    damping = eta_g * np.diag(-slopes.sum(axis=0))
    stiffness = eta_g * eta_d * slopes.T @ slopes
    companion = np.block([[np.zeros((2, 2)), np.eye(2)], [-stiffness, -damping]])
    values = np.linalg.eigvals(companion).astype(np.complex128)
    return values[np.lexsort((-values.imag, np.abs(values.imag), -values.real.round(12)))]
