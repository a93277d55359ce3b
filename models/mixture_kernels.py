"""Compiled training loops of the two-Gaussian GAN: many runs side by side, each a lane of the rows of its block."""

from math import exp, inf, pi, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit, leaf
from gan_bifurcation.models.mixture_zeros import set_best_ends

FloatArray = NDArray[np.float64]

# Half of the normal density at zero: the weight of one of two modes.
_WEIGHT: Final = 0.5 / sqrt(2.0 * pi)
# exp(-x) for larger x is zero for all that it is added to.
_FARTHEST: Final = 700.0
_LOG2_E: Final = 1.4426950408889634
_LOG_2: Final = 0.693145751953125
_LOG_2_REST: Final = 1.42860682030941723212e-6
# exp(r) = 1 + 2 r P(r^2)/(Q(r^2) - r P(r^2)) on |r| <= log(2)/2 (Moshier, Cephes).
_P: Final = (1.26177193074810590878e-4, 3.02994407707441961300e-2, 9.99999999999999999910e-1)
_Q: Final = (
    3.00198505138664455042e-6, 2.52448340349684104192e-3, 2.27265548208155028766e-1, 2.00000000000000000005e0,
)  # fmt: skip


@leaf
def _densities(x: FloatArray, m: FloatArray, y: FloatArray, bits: Any, power: FloatArray) -> None:
    """Half the normal density at x - m, lane by lane, written so that it runs in vector registers."""
    for j in range(x.shape[0]):
        d = x[j] - m[j]
        q = -min(0.5 * d * d, _FARTHEST)
        n = np.rint(q * _LOG2_E)
        r = (q - n * _LOG_2) - n * _LOG_2_REST
        z = r * r
        p = r * ((_P[0] * z + _P[1]) * z + _P[2])
        y[j] = _WEIGHT + 2.0 * _WEIGHT * p / ((((_Q[0] * z + _Q[1]) * z + _Q[2]) * z + _Q[3]) - p)
        bits[j] = (np.int64(n) + 1023) << 52
    for j in range(x.shape[0]):
        y[j] *= power[j]


@leaf
def _look(
    ends: FloatArray, means: FloatArray, slope: FloatArray, pull: FloatArray, y: FloatArray, bits: Any,
    power: FloatArray, discriminator: bool, generator: bool,
) -> None:  # fmt: skip
    """F at the end points, the gradient of the loss by the generated means, or both.

    `means` has the two generated and the two true means in its rows.
    """
    lanes = ends.shape[1]
    if generator:
        pull[:] = 0.0
    for k in range(4):
        if discriminator:
            slope[k, :] = 0.0
        for i in range(4 if discriminator else 2):
            _densities(ends[k], means[i], y, bits, power)
            sign = 1.0 if k & 1 else -1.0
            if generator and i < 2:
                for j in range(lanes):
                    pull[i, j] += sign * y[j]
            if discriminator:
                weight = -1.0 if i < 2 else 1.0
                for j in range(lanes):
                    slope[k, j] += weight * y[j]


@leaf
def _climb(ends: FloatArray, slope: FloatArray, eta: float, ordering: int) -> None:
    """One step of the discriminator, put back in order: the nearest point that keeps it."""
    for j in range(ends.shape[1]):
        a, b = ends[0, j] - eta * slope[0, j], ends[1, j] + eta * slope[1, j]
        c, d = ends[2, j] - eta * slope[2, j], ends[3, j] + eta * slope[3, j]
        if ordering == 1:
            ends[0, j], ends[1, j] = (0.5 * (a + b), 0.5 * (a + b)) if a > b else (a, b)
            ends[2, j], ends[3, j] = (0.5 * (c + d), 0.5 * (c + d)) if c > d else (c, d)
        elif ordering == 2 and (a > b or b > c or c > d):
            # Pooling adjacent violators, as the largest of least means over blocks: sorted whatever is rounded.
            ab, bc, cd = 0.5 * (a + b), 0.5 * (b + c), 0.5 * (c + d)
            abc, bcd, abcd = (a + b + c) / 3.0, (b + c + d) / 3.0, 0.25 * (a + b + c + d)
            late_b, late_c = min(b, bc, bcd), min(c, cd)
            ends[0, j] = min(a, ab, abc, abcd)
            ends[1, j] = max(min(ab, abc, abcd), late_b)
            ends[2, j] = max(min(abc, abcd), min(bc, bcd), late_c)
            ends[3, j] = max(abcd, bcd, cd, d)
        else:
            ends[0, j], ends[1, j], ends[2, j], ends[3, j] = a, b, c, d


@jit
def train(
    states: Any, true: Any, eta_d: float, eta_g: float, steps: int, unrolled: int, persistent: bool, ordering: int,
    record: Any, stride: int,
) -> None:  # fmt: skip
    """Run every column of `states` (6, lanes) in place; `record` (rows, 6) keeps the path of the first, if it has rows.

    Without `unrolled`, both players step at once; with it, the generator sees the discriminator so many steps ahead.
    """
    lanes = states.shape[1]
    means, ends = np.empty((4, lanes)), states[2:]
    for i in range(2):
        means[i] = states[i]
        means[i + 2, :] = true[i]
    slope, pull, ahead, y = np.empty((4, lanes)), np.empty((2, lanes)), np.empty((4, lanes)), np.empty(lanes)
    bits = np.empty(lanes, dtype=np.int64)
    power = bits.view(np.float64)
    at = 0
    for step in range(steps + 1):
        if record.shape[0] > 0 and (step % stride == 0 or step == steps):
            for k in range(6):
                record[at, k] = means[k, 0] if k < 2 else ends[k - 2, 0]
            at += 1
        if step == steps:
            break
        if unrolled == 0:
            _look(ends, means, slope, pull, y, bits, power, True, True)
            _climb(ends, slope, eta_d, ordering)
        else:
            ahead[:] = ends
            for turn in range(unrolled):
                _look(ahead, means, slope, pull, y, bits, power, True, False)
                _climb(ahead, slope, eta_d, ordering)
                if turn == 0 and not persistent:
                    ends[:] = ahead
            if persistent:
                ends[:] = ahead
            _look(ahead, means, slope, pull, y, bits, power, False, True)
        for i in range(2):
            for j in range(lanes):
                means[i, j] -= eta_g * pull[i, j]
    for i in range(2):
        states[i] = means[i]


@jit
def follow(states: Any, true: Any, eta_g: float, steps: int, record: Any, stride: int) -> None:
    """The same with the optimal discriminator."""
    work, ends, mu = np.empty((5, 4)), np.empty(4), np.empty(2)
    for j in range(states.shape[1]):
        mu[0], mu[1] = states[0, j], states[1, j]
        set_best_ends(mu, true, work, ends)
        at = 0
        for step in range(steps + 1):
            if record.shape[0] > 0 and (step % stride == 0 or step == steps):
                for k in range(6):
                    record[at, k] = mu[k] if k < 2 else ends[k - 2]
                at += 1
            if step == steps:
                break
            for i in range(2):
                pull = 0.0
                for k in range(4):
                    if abs(ends[k]) < inf:
                        d = ends[k] - mu[i]
                        pull += (1.0 if k & 1 else -1.0) * _WEIGHT * exp(-0.5 * d * d)
                work[0, i] = pull
            for i in range(2):
                mu[i] -= eta_g * work[0, i]
            set_best_ends(mu, true, work, ends)
        for k in range(6):
            states[k, j] = mu[k] if k < 2 else ends[k - 2]
