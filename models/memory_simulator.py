"""Training of points against a kernel discriminator with the discriminator eliminated: exact, for any distance.

The features on a circle cannot show an escape, since a point that leaves comes round again. Here the discriminator is
the sum of what it remembers of all past positions: no truncation, at a cost that grows as the square of the number of
steps.

References
----------
Becker, Pandit, Rangan, Fletcher: Instability and Local Minima in GAN Training with Kernel Discriminators (2022),
arXiv 2208.09938, equation after (125).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.compiling import jit
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.models.kernel_profiles import gaussians, positive_numbers

__all__ = ["MemoryRun", "simulate_memory_form"]

FloatArray = NDArray[np.float64]
Order = Literal["alternating", "simultaneous"]

# Bounds what is allocated: positions of all steps.
_MOST_NUMBERS = 100_000_000


@dataclass(frozen=True, eq=False)
class MemoryRun:
    """Positions of the generated points during training.

    Attributes
    ----------
    points : float array (steps + 1, n, d)
        Positions before the first step and after each; shorter if they ceased to be finite.
    outcome : Outcome
        ``"completed"`` or ``"not finite"``.
    """

    points: FloatArray
    outcome: Outcome

    def covariance(self) -> FloatArray:
        """Covariance of the cloud at each step (all points alike), shape (steps + 1, d, d)."""
        centred = self.points - self.points.mean(axis=1, keepdims=True)
        return np.asarray(np.einsum("tni,tnj->tij", centred, centred) / self.points.shape[1])


def simulate_memory_form(
    start: ArrayLike,
    *,
    steps: int,
    eta_d: float,
    eta_g: float,
    lam: float,
    sigma: float | Sequence[float] = 1.0,
    weights: Sequence[float] | None = None,
    true_points: ArrayLike = 0.0,
    p: float | Sequence[float] | None = None,
    q: float | Sequence[float] | None = None,
    order: Order = "alternating",
) -> MemoryRun:
    """Train generated points against the exact Gaussian kernel discriminator, which starts at zero.

    Parameters
    ----------
    start : array (n,) or (n, d), or one number
        Generated points at the start; in one dimension a flat array will do.
    steps : int
    eta_d, eta_g : float
        Learning rates of the discriminator and of the generated points.
    lam : float
        Regularisation; zero is allowed.
    sigma : float or sequence of float
        Width of the kernel, or several widths of a mixture.
    weights : sequence of float, optional
        Weights of the widths; all 1/len by default.
    true_points : array (N,) or (N, d), or one number
        Positions of the true points; the origin by default.
    p, q : float or sequence of float, optional
        Masses of the true and the generated points, one for each or one for all; 1/N and 1/n by default.
    order : "alternating" or "simultaneous"
        Whether the points see the discriminator after its step (the authors' simulation) or before it.

    Returns
    -------
    MemoryRun

    Raises
    ------
    MisuseError
        If numbers or shapes do not fit.

    Notes
    -----
    With h = eta_d lam and K the kernel, one step of alternating training is::

        x_j+ = x_j + eta_g q_j [ W_k sum_i p_i grad1 K(x_j, t_i) - eta_d sum_{s<=k} (1-h)^(k-s) sum_l q_l grad1 K(x_j,
        x_l^s) ] W_k  = (1 - (1-h)^(k+1))/lam = eta_d sum_{s<=k} (1-h)^(k-s)

    and the sums end at s = k - 1 where the steps are simultaneous. Positions carry their rounding errors along, so that
    a far point runs away as in exact arithmetic, until its jumps are so wide that the kernel itself is zero in floating
    point.

    Examples
    --------
    >>> run = simulate_memory_form(0.1, steps=2, eta_d=1.0, eta_g=0.1, lam=1.0)
    >>> run.points.shape
    (3, 1, 1)
    """
    points = _positions("start", start)
    n, d = points.shape
    truth = _positions(
        "true_points", np.zeros((1, d)) if np.ndim(true_points) == 0 and true_points == 0.0 else true_points
    )
    if truth.shape[1] != d:
        raise MisuseError(
            f"The true points have {truth.shape[1]} coordinates and the generated ones {d}; give them alike."
        )
    kernel = gaussians(sigma, weights)
    p_masses = _masses("p", p, len(truth))
    q_masses = _masses("q", q, n)
    for name, rate in (("eta_d", eta_d), ("eta_g", eta_g), ("lam", lam)):
        positive_numbers(name, [rate], zero=True)
    if order not in ("alternating", "simultaneous"):
        raise MisuseError(f"The order of the steps is 'alternating' or 'simultaneous', but got {order!r}.")
    if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps * n * d <= _MOST_NUMBERS:
        raise MisuseError(f"'steps' must be a whole number from 1 to {_MOST_NUMBERS // (n * d)}, but got {steps!r}.")
    history = np.empty((steps + 1, n, d))
    history[0] = points
    scales = np.array([[w / s**2, -0.5 / s**2] for s, w in zip(kernel.widths, kernel.weights, strict=True)])
    finite = int(
        _train(history, truth, p_masses, q_masses, scales, eta_d, eta_g, 1.0 - eta_d * lam, order == "alternating")
    )
    if finite < steps + 1:
        message = f"A generated point ceased to be finite at step {finite}; lower a learning rate."
        return MemoryRun(history[:finite], Outcome("not finite", message, False))
    return MemoryRun(history, Outcome("completed", f"All {steps} steps were taken.", True))


def _positions(name: str, value: ArrayLike) -> FloatArray:
    array = np.array(value, dtype=float, ndmin=1)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.size == 0 or not np.all(np.isfinite(array)):
        raise MisuseError(f"'{name}' must be finite positions of shape (points,) or (points, d), but got {value!r}.")
    return array


def _masses(name: str, value: float | Sequence[float] | None, count: int) -> FloatArray:
    if value is None:
        return np.full(count, 1.0 / count)
    numbers = positive_numbers(name, [value] * count if np.ndim(value) == 0 else value, zero=True)
    if len(numbers) != count:
        raise MisuseError(f"Got {len(numbers)} masses '{name}' for {count} points; give one for each, or one for all.")
    return np.array(numbers)


@jit
def _gain(square: float, scales: Any) -> float:
    """sum of w_a/sigma_a^2 exp(-square/(2 sigma_a^2)): grad1 K(x, y) is minus this times x - y."""
    total = 0.0
    for a in range(scales.shape[0]):
        total += scales[a, 0] * math.exp(scales[a, 1] * square)
    return total


@jit
def _train(
    history: Any, truth: Any, p: Any, q: Any, scales: Any, eta_d: float, eta_g: float, decay: float, alternating: bool
) -> int:
    steps: int = history.shape[0] - 1
    n, d = history.shape[1], history.shape[2]
    # What each position lacks after rounding. A point far from all others is repelled by its own trace, exponentially
    # from a push of exp(-distance^2/(2 sigma^2)), which is below the rounding of its position and yet decides that it
    # runs away.
    r = np.zeros(d)
    rest = np.zeros((steps + 1, n, d))
    force = np.zeros(d)
    pull = 0.0  # W of the Notes
    for k in range(steps):
        last = k if alternating else k - 1
        if last >= 0:
            pull = decay * pull + eta_d
        for j in range(n):
            for c in range(d):
                force[c] = 0.0
            for i in range(truth.shape[0]):
                square = 0.0
                for c in range(d):
                    r[c] = (history[k, j, c] - truth[i, c]) + rest[k, j, c]
                    square += r[c] * r[c]
                gain = pull * p[i] * _gain(square, scales)
                for c in range(d):
                    force[c] -= gain * r[c]
            remembered = eta_d
            for s in range(last, -1, -1):
                for m in range(n):
                    square = 0.0
                    for c in range(d):
                        r[c] = (history[k, j, c] - history[s, m, c]) + (rest[k, j, c] - rest[s, m, c])
                        square += r[c] * r[c]
                    gain = remembered * q[m] * _gain(square, scales)
                    for c in range(d):
                        force[c] += gain * r[c]
                remembered *= decay
            for c in range(d):
                # The sum and its rounding error (Knuth's two-sum).
                old, move = history[k, j, c], rest[k, j, c] + eta_g * q[j] * force[c]
                new = old + move
                shift = new - old
                history[k + 1, j, c] = new
                rest[k + 1, j, c] = (old - (new - shift)) + (move - shift)
                if not math.isfinite(new):
                    return k + 1
    return steps + 1
