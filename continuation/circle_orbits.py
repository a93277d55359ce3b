"""Circles from simulated orbits, and frames of a circle of which nothing but the states is known."""

from typing import Any, Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gan_bifurcation.continuation.circle_frames import Frames
from gan_bifurcation.continuation.circle_newton import Circle, CircleProblem
from gan_bifurcation.continuation.circle_waves import SIZES, derivative, resampled, shifted
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.profiles import Profile
from gan_bifurcation.rotation import angles, of_angles, spectrum_at
from gan_bifurcation.simulate import Orbit

FloatArray = NDArray[np.float64]

# Largest dense eigenvalue problem: nodes times states.
_FINER: Final = 2
_LARGEST: Final = 720
_MODES: Final = 120
# Periods up to this are looked for.
_LONGEST: Final = 200


def circle_of_orbit(orbit: Any, discard: float) -> ProfileStart:
    """See `orbit_to_circle`."""
    if not isinstance(orbit, Orbit):
        raise MisuseError(
            f"orbit_to_circle takes an orbit such as gb.simulate(system, start, steps=20_000), got "
            f"{type(orbit).__name__}."
        )
    if not 0.0 <= discard < 1.0:
        raise MisuseError(f"discard is the part of the orbit to leave out, from 0 to below 1, got {discard!r}.")
    system = orbit.system
    if not orbit.outcome.converged:
        raise MisuseError(f"The orbit has not settled on a circle: {orbit.outcome.message}")
    if system.kind != "map":
        raise MisuseError(
            "An invariant circle is one of a map, but the orbit is of a flow; take orbit_to_cycle, or for a torus an "
            "orbit of its return map, as gb.simulate(gb.poincare(flow, 'x'), start, steps=2000)."
        )
    if np.any(np.diff(orbit.times) != 1.0):
        raise MisuseError("Every step of the orbit is needed; simulate without samples=.")
    states = orbit.states[int(discard * len(orbit.states)) :]
    spread = float(np.max(np.ptp(states, axis=0)))
    if not spread > 1e-9 * (1.0 + float(np.max(np.abs(states)))):
        raise MisuseError("The orbit has settled on a fixed point, not on a circle.")
    period = _period(states, spread)
    if period:
        raise MisuseError(
            f"The orbit repeats every {period} steps, so it is locked and on no circle of its own; follow its points "
            f"with gb.point(gb.iterate(system, {period}), orbit.states[-1]), or simulate at other parameters."
        )
    rho = of_angles(angles(states))
    modes = min(_MODES, len(states) // 16)
    coefficients = spectrum_at(states, rho.value, modes)
    back = spectrum_at(states, -rho.value, modes)
    if np.sum(np.abs(back[1:])) > np.sum(np.abs(coefficients[1:])):
        coefficients = back
    sizes = np.max(np.abs(coefficients), axis=1)[1:]
    # Newton's method needs a guess only: what is small, or noise, can stay away.
    needed = int(np.max(np.flatnonzero(sizes > 1e-6 * sizes.max()), initial=0)) + 1
    if sizes[-modes // 8 :].max() > 1e-4 * sizes.max() or rho.error > 1e-4:
        raise MisuseError(
            f"The orbit is not on a smooth invariant circle (rotation number {rho.value:.6g}, uncertain by "
            f"{rho.error:.1e}): it may be periodic, chaotic or not settled; simulate longer, or at other parameters."
        )
    size = next((s for s in SIZES if s > 3 * needed), SIZES[-1])
    full = np.zeros((size // 2 + 1, system.n), dtype=complex)
    kept = min(len(full), needed + 1)
    full[:kept] = coefficients[:kept]
    u = np.fft.irfft(full * size, n=size, axis=0)
    return ProfileStart(system, Profile(np.arange(size) / size, u, rotation_number=rho.value))


def _period(states: FloatArray, spread: float) -> int:
    """The least number of steps after which the end of an orbit repeats itself; 0 if it does not."""
    most = min(_LONGEST, len(states) // 2)
    apart = np.max(np.abs(states[-1 - most : -1][::-1] - states[-1]), axis=1)
    for q in (np.flatnonzero(apart < 1e-9 * spread) + 1).tolist():
        if np.max(np.abs(states[q:][-2 * q :] - states[:-q][-2 * q :])) < 1e-9 * spread:
            return int(q)
    return 0


def reduced(problem: CircleProblem, profile: Profile, q: FloatArray) -> Circle:
    """A circle with frames that bring its linearisation to constant form, from an eigenvalue problem with few nodes.

    The operator v(t) -> A(t - rho) v(t - rho) has, with each multiplier, its products with e^{2 pi i k rho}; the
    smoothest eigenfunctions that are independent at every node make the frames.

    Raises
    ------
    MisuseError
        If there are none: the linearisation is not reducible to constant real form.
    """
    n, rho = problem.system.n, profile.rotation_number
    # Eigenfunctions are about as smooth as the circle.
    most = _FINER * len(profile.phases)
    size = max((s for s in SIZES if s * n <= _LARGEST and s <= most), default=SIZES[0])
    u = resampled(np.array(profile.states), size)
    _, a, _ = problem.evaluate(u, q)
    shift = shifted(np.eye(size), -rho)
    operator = np.einsum("jk,kab->jakb", shift, a).reshape(size * n, size * n)
    values, functions = scipy.linalg.eig(operator)
    shapes = functions.T.reshape(-1, size, n)
    modes = np.abs(np.fft.fft(shapes, axis=1)) ** 2
    orders = np.abs(np.fft.fftfreq(size, 1.0 / size))
    energy = modes.sum(axis=2)
    rough = (energy @ orders) / energy.sum(axis=1)
    along = derivative(u)
    columns = [along / np.sqrt(np.mean(np.sum(along**2, axis=1)))]
    blocks: list[FloatArray] = [np.ones((1, 1))]
    for k in np.argsort(rough, kind="stable"):
        if len(columns) == n:
            break
        shape, value = shapes[k], values[k]
        shape = (
            shape
            * np.exp(-1j * np.angle(shape.flat[np.argmax(np.abs(shape))]))
            / np.sqrt(np.mean(np.abs(shape) ** 2) * n)
        )
        if np.max(np.abs(shape.imag)) < 1e-6 * np.max(np.abs(shape)) and abs(value.imag) < 1e-6 * abs(value) + 1e-12:
            new, block = [shape.real], np.array([[value.real]])
        elif value.imag > 0.0 and len(columns) + 2 <= n:
            new, block = [shape.real, shape.imag], np.array([[value.real, value.imag], [-value.imag, value.real]])
        else:
            continue
        trial = np.stack([*columns, *new], axis=2)
        trial = trial / np.linalg.norm(trial, axis=1, keepdims=True).clip(1e-300)
        if np.linalg.svd(trial, compute_uv=False)[:, -1].min() > 1e-4:
            columns += new
            blocks.append(block)
    if len(columns) < n:
        raise MisuseError(
            "The linearisation along this circle was not brought to constant form (a multiplier that reverses "
            "orientation, or too few modes); start at a Neimark-Sacker point, or nearer to it."
        )
    frames = resampled(np.stack(columns, axis=2), len(profile.phases))
    return Circle(np.array(profile.states), rho, q, Frames(frames, np.asarray(scipy.linalg.block_diag(*blocks))))


def framed(problem: CircleProblem, profile: Profile, q: FloatArray) -> Circle:
    """A circle with frames if there are some, and otherwise with ones that say nothing."""
    try:
        return reduced(problem, profile, q)
    except MisuseError:
        n = problem.system.n
        u = np.array(profile.states)
        columns = np.broadcast_to(np.eye(n), (len(u), n, n)).copy()
        return Circle(u, profile.rotation_number, q, Frames(columns, np.eye(n)))
