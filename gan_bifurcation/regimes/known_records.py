"""Trainings whose fate is known, with noise: what `judge` is measured on.

Games under rules whose multipliers or cycles are known in closed form, recorded as parameters or as losses, with noise
in what is recorded and, where it does not change the fate, in the gradients.
"""

import cmath
import math
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Step = Callable[[FloatArray], FloatArray]

LENGTHS: Final = (60, 200, 1000, 4000)
NOISES: Final = (0.0, 0.02, 0.1, 0.3)


class Known(NamedTuple):
    """A record, and the truth about it; nan where there is none."""

    record: FloatArray  # (samples, columns)
    kind: str
    period: float
    rate: float
    noise: float
    origin: str


def known_records(seed: int, count: int) -> Iterator[Known]:
    """As many records, of all kinds in turn.

    Parameters
    ----------
    seed : int
    count : int

    Examples
    --------
    >>> found = list(known_records(0, 12))
    >>> sorted({known.kind for known in found})
    ['converging', 'diverging', 'quasi-periodic', 'rotating', 'stalled']
    """
    rng = np.random.default_rng(seed)
    makers = (_penalised, _bilinear, _ring, _two_modes, _saturated, _simultaneous, _monotone, _flipping)
    for k in range(count):
        yield makers[k % len(makers)](rng, int(rng.choice(LENGTHS)), float(rng.choice(NOISES)))


def _run(step: Step, start: FloatArray, samples: int, rng: np.random.Generator, kick: float = 0.0) -> FloatArray:
    states = np.empty((samples, len(start)))
    z = start
    for k in range(samples):
        states[k] = z
        z = step(z)
        if kick:
            z = z + kick * rng.normal(size=len(z))
    return states


def _seen(states: FloatArray, rng: np.random.Generator, noise: float, loss: bool) -> FloatArray:
    """The record: parameters, or both players' losses of a product of weights, with offsets, scales and noise."""
    half = states.shape[1] // 2
    if loss:
        product = (states[:, :half] * states[:, half:]).sum(axis=1)
        seen = np.column_stack([np.logaddexp(0.0, -product) + math.log(2.0), -np.logaddexp(0.0, -product)])
    else:
        seen = states
    spread = np.maximum(seen.std(axis=0), 1e-12)
    seen = seen + noise * spread * rng.normal(size=seen.shape)
    # Scales and offsets of practice differ by orders.
    scaled: FloatArray = seen * 10.0 ** rng.uniform(-3, 3, seen.shape[1]) + rng.normal(size=seen.shape[1])
    return scaled


def _start(rng: np.random.Generator, n: int = 2) -> FloatArray:
    z = rng.normal(size=n)
    unit: FloatArray = z / np.linalg.norm(z)
    return unit


def _turned(trace: float, determinant: float) -> tuple[float, float]:
    """Period and rate of a map with this trace and determinant."""
    root = cmath.sqrt(trace**2 / 4.0 - determinant)
    z = max(trace / 2.0 + root, trace / 2.0 - root, key=abs)
    turn = abs(cmath.phase(z))
    return (2.0 * math.pi / turn if turn > 1e-9 else math.nan), -math.log(abs(z))


def _penalised(rng: np.random.Generator, samples: int, noise: float) -> Known:
    """Linear game with an R1 penalty, alternating steps: spirals in; kicks keep it from resting."""
    turns = rng.uniform(4.0, 40.0) if samples > 100 else rng.uniform(4.0, 8.0)
    h = 2.0 * math.sin(math.pi * turns / samples)
    lost = rng.uniform(2.5, 6.0)
    gamma = min(2.0 * lost / (samples * h), 0.6)

    def step(z: FloatArray) -> FloatArray:
        psi = z[0] + h * (z[1] - gamma * z[0])
        return np.array([psi, z[1] - h * psi])

    period, rate = _turned(2.0 - h * gamma - h * h, 1.0 - h * gamma)
    loss = bool(rng.random() < 0.2)
    states = _run(step, _start(rng), samples, rng, 0.1 * noise * h if rng.random() < 0.5 else 0.0)
    if loss:
        period, rate = period / 2.0, 2.0 * rate
    return Known(_seen(states, rng, noise, loss), "converging", period, rate, noise, "R1, alternating")


def _bilinear(rng: np.random.Generator, samples: int, noise: float) -> Known:
    """Alternating steps on the bilinear game: goes round for ever."""
    turns = rng.uniform(4.0, min(60.0, samples / 5.0))
    h = 2.0 * math.sin(math.pi * turns / samples)

    def step(z: FloatArray) -> FloatArray:
        psi = z[0] + h * z[1]
        return np.array([psi, z[1] - h * psi])

    loss = bool(rng.random() < 0.3)
    states = _run(step, _start(rng), samples, rng)
    period = samples / turns / (2.0 if loss else 1.0)
    return Known(_seen(states, rng, noise, loss), "rotating", period, math.nan, noise, "bilinear, alternating")


def _ring(rng: np.random.Generator, samples: int, noise: float) -> Known:
    """Simultaneous steps of the non-saturating GAN, near their ring of radius sqrt(2 h), from inside or outside."""
    samples = max(samples, 200)
    h = float(rng.uniform(0.2, 0.6)) if samples > 300 else 0.6

    def sigmoid(t: float) -> float:
        return 1.0 / (1.0 + math.exp(-t)) if t > -500.0 else 0.0

    def step(z: FloatArray) -> FloatArray:
        t = z[0] * z[1]
        return np.array([z[0] + h * z[1] * sigmoid(-t), z[1] - h * z[0] * sigmoid(t)])

    radius = math.sqrt(2.0 * h)
    # To first order the ring is approached at the rate h**2/2: long records may start away from it.
    away = rng.uniform(0.6, 1.5) if samples * h * h > 30.0 else rng.uniform(0.97, 1.03)
    states = _run(step, _start(rng) * radius * away, samples, rng, 0.02 * noise * radius)
    angle = np.unwrap(np.arctan2(states[:, 1], states[:, 0]))
    half = samples // 2
    period = 2.0 * math.pi * (samples - 1 - half) / abs(angle[-1] - angle[half])
    return Known(_seen(states, rng, noise, False), "rotating", period, math.nan, noise, "non-saturating ring")


def _two_modes(rng: np.random.Generator, samples: int, noise: float) -> Known:
    """Two bilinear games at once, whose frequencies have no simple ratio."""
    samples = max(samples, 200)
    turns = rng.uniform(8.0, min(40.0, samples / 12.0))
    ratio = float(rng.choice([(math.sqrt(5) - 1) / 2, math.sqrt(2) - 1, math.sqrt(3), math.e / 2]))
    steps = [2.0 * math.sin(math.pi * turns * factor / samples) for factor in (1.0, ratio)]
    size = rng.uniform(0.5, 1.0)

    def step(z: FloatArray) -> FloatArray:
        psi = z[:2] + steps * z[2:]
        return np.concatenate([psi, z[2:] - steps * psi])

    a, b = _start(rng), _start(rng) * size
    states = _run(step, np.array([a[0], b[0], a[1], b[1]]), samples, rng)
    # As a network's weights are seen: each a mixture of the modes.
    mixed = states @ rng.normal(size=(4, 3))
    return Known(_seen(mixed, rng, noise, False), "quasi-periodic", math.nan, math.nan, noise, "two bilinear modes")


def _saturated(rng: np.random.Generator, samples: int, noise: float) -> Known:
    """A discriminator that is sure of itself: gradients vanish and nothing moves."""
    seen = rng.normal(size=2) + max(noise, 0.01) * rng.normal(size=(samples, 2))
    return Known(
        seen * 10.0 ** rng.uniform(-3, 3, 2), "stalled", math.nan, math.nan, noise, "saturated, minibatch noise"
    )


def _simultaneous(rng: np.random.Generator, samples: int, noise: float) -> Known:
    """A linear spiral outwards, as of simultaneous steps."""
    turns = rng.uniform(4.0, min(40.0, samples / 6.0))
    angle = 2.0 * math.pi * turns / samples
    gained = rng.uniform(1.5, 6.0)
    h, growth = math.tan(min(angle, 1.2)), gained / samples
    # Simultaneous steps grow by this factor; a growth of its own keeps long records from overflowing.
    radius = math.hypot(1.0, h)

    def step(z: FloatArray) -> FloatArray:
        moved = np.array([z[0] + h * z[1], z[1] - h * z[0]]) / radius
        grown: FloatArray = math.exp(growth) * moved
        return grown

    states = _run(step, _start(rng), samples, rng)
    period = 2.0 * math.pi / math.atan(h)
    return Known(_seen(states, rng, noise, False), "diverging", period, growth, noise, "spiral outwards")


def _monotone(rng: np.random.Generator, samples: int, noise: float) -> Known:
    """An overdamped game: comes in without turning, or leaves."""
    lost = rng.uniform(3.0, 10.0)
    leaves = bool(rng.random() < 0.3)
    rates = np.array([lost, 3.0 * lost]) / samples
    t = np.arange(samples)[:, None]
    ways = np.vstack([_start(rng), 0.3 * _start(rng)])
    states = np.exp(rates[:1] * t) * ways[:1] if leaves else np.exp(-rates * t) @ ways
    kind = "diverging" if leaves else "converging"
    return Known(_seen(states, rng, noise, False), kind, math.nan, float(rates[0]), noise, "without turning")


def _flipping(rng: np.random.Generator, samples: int, noise: float) -> Known:
    """Steps beyond a flip: two places in turn."""
    r = float(rng.uniform(3.1, 3.4))

    def step(z: FloatArray) -> FloatArray:
        moved: FloatArray = r * z * (1.0 - z)
        return moved

    states = _run(step, np.array([rng.uniform(0.2, 0.8)]), samples, rng)
    return Known(_seen_one(states, rng, noise), "rotating", 2.0, math.nan, noise, "flip")


def _seen_one(states: FloatArray, rng: np.random.Generator, noise: float) -> FloatArray:
    seen: FloatArray = states + noise * states.std() * rng.normal(size=states.shape)
    return seen
