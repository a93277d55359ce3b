"""What a page says of one regime: its rates and multipliers at its representative point, and a run there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.problem import compute_spectrum
from gan_bifurcation.errors import GanBifurcationError
from gan_bifurcation.simulate import simulate
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

_MOST_STEPS: Final = 400
_FEWEST_STEPS: Final = 30
_TURNS: Final = 8.0
_DECAYS: Final = 6.0
_DISPLACEMENT: Final = 1e-2
# Beyond this many times its first size a run is only a vertical line.
_FAR: Final = 1e3
_SHOWN: Final = 4
_SAME: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Card:
    """A regime as a page shows it.

    Attributes
    ----------
    number : int
    facts : tuple of (str, str)
        What and how much, in words.
    times, values : array
        Of the run, of the state `state`; empty if none can be made.
    state : str
    spectrum : complex array
        At the equilibrium of the representative point; empty if there is none.
    """

    number: int
    facts: tuple[tuple[str, str], ...]
    times: FloatArray
    values: FloatArray
    state: str
    spectrum: NDArray[np.complex128]


def card(rmap: Any, face: Any) -> Card:
    """The card of a regime, computed at its representative point."""
    system = rmap.system.with_parameters(**face.point)
    equilibrium = _equilibrium(rmap, face)
    spectrum = np.zeros(0, dtype=complex) if equilibrium is None else compute_spectrum(system, equilibrium)
    times, values, state = _run(rmap, face, system, equilibrium)
    facts = [("at", ", ".join(f"{name} = {value:.6g}" for name, value in face.point.items()))]
    facts += _attractors(face, system.kind == "map")
    if len(spectrum):
        which = "multipliers" if system.kind == "map" else "eigenvalues"
        where = "" if face.verdict == "converges" else f" of the equilibrium{_beside(spectrum, system.kind)}"
        facts.append((which + where, in_words(spectrum, system.kind)))
    if len(times):
        length = (
            f"{times[-1]:.0f} step{'' if times[-1] == 1 else 's'}" if system.kind == "map" else f"time {times[-1]:.4g}"
        )
        span = f"{state} over {length}, from {values.min():.4g} to {values.max():.4g}"
        facts.append(("a run there", span))
    if face.note:
        facts.append(("note", face.note))
    return Card(face.number, tuple(facts), times, values, state, spectrum)


def _beside(spectrum: NDArray[np.complex128], kind: str) -> str:
    """What an equilibrium does where runs do something else."""
    attracts = np.max(np.abs(spectrum)) < 1.0 if kind == "map" else np.max(spectrum.real) < 0.0
    return ", which attracts what begins near it" if attracts else ", which does not attract"


def _equilibrium(rmap: Any, face: Any) -> FloatArray | None:
    """What training converges to; where it does something else, the equilibrium that branches lead to."""
    first = face.attractors[0]
    if (first.how == "spectrum" or first.verdict == "converges") and len(first.state) == rmap.system.n:
        return np.array(first.state)
    unit = rmap.window.to_unit([face.point[name] for name in rmap.window.names])
    found = rmap.sampler.equilibria(np.asarray(unit, dtype=float), first_only=True)
    return found[0] if found else None


def _attractors(face: Any, is_map: bool) -> list[tuple[str, str]]:
    found = []
    for number, a in enumerate(face.attractors[:_SHOWN]):
        words = str(a)
        if np.isfinite(a.radius):
            words += f"; {'slowest multiplier' if is_map else 'slowest eigenvalue'} {a.radius:.6g}"
        if np.isfinite(a.iterations) and a.verdict == "converges":
            words += f"; {a.iterations:.3g} {'iterations' if is_map else 'units of time'} to 1/e"
        if np.isfinite(a.amplitude):
            words += f"; amplitude {a.amplitude:.4g}"
        if np.isfinite(a.period):
            words += f"; period {a.period:.5g}"
        if np.isfinite(a.rotation):
            words += f"; rotation number {a.rotation:.6g}"
        if np.isfinite(a.share):
            words += f"; {100 * a.share:.3g} % of the starts"
        found.append(("what attracts" if number == 0 else "also", words))
        if a.reason and number == 0:
            found.append(("why", a.reason))
    return found


def in_words(spectrum: Sequence[complex] | NDArray[np.complex128], kind: str) -> str:
    """The leading multipliers or eigenvalues, pairs and equal ones together.

    >>> in_words([0.5, 0.5, 0.9 + 0.1j, 0.9 - 0.1j, -0.2], "map")
    '0.9 ± 0.1i (modulus 0.905539), 0.5 (2 times), -0.2'
    """
    values = np.asarray(spectrum, dtype=complex)
    values = values[np.argsort(-(np.abs(values) if kind == "map" else values.real), kind="stable")]
    shown: list[tuple[complex, int]] = []
    for z in values.tolist():
        if z.imag < -_SAME * (1.0 + abs(z)):
            continue
        same = next((k for k, (w, _) in enumerate(shown) if abs(w - z) <= _SAME * (1.0 + abs(z))), None)
        if same is None:
            shown.append((z, 1))
        else:
            shown[same] = (shown[same][0], shown[same][1] + 1)
    words = []
    for z, times in shown[:_SHOWN]:
        turning = abs(z.imag) > _SAME * (1.0 + abs(z))
        text = f"{z.real:.6g} ± {z.imag:.6g}i" if turning else f"{z.real:.6g}"
        text += f" (modulus {abs(z):.6g})" if turning and kind == "map" else ""
        words.append(text + (f" ({times} times)" if times > 1 else ""))
    return ", ".join(words) + (f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "")


def _run(rmap: Any, face: Any, system: System, equilibrium: FloatArray | None) -> tuple[FloatArray, FloatArray, str]:
    nothing = np.zeros(0), np.zeros(0), ""
    start = _start(rmap, face, equilibrium)
    if start is None:
        return nothing
    length = _length(rmap, face)
    try:
        if system.kind == "map":
            orbit = simulate(system, start, steps=int(length))
        else:
            orbit = simulate(system, start, duration=float(length), samples=_MOST_STEPS)
    except GanBifurcationError:
        # A page is written all the same.
        return nothing
    states = orbit.states[np.isfinite(orbit.states).all(axis=1)]
    size = np.max(np.abs(states), axis=1)
    far = np.flatnonzero(size > _FAR * max(float(size[0]), 1e-3))
    end = int(far[0]) + 1 if len(far) else len(states)
    states, times = states[:end], orbit.times[:end]
    own = [k for k, s in enumerate(system.states) if s in rmap.sampler.seen]
    column = max(own or range(system.n), key=lambda k: float(np.ptp(states[:, k])))
    return np.asarray(times, dtype=float), states[:, column], system.states[column]


def _start(rmap: Any, face: Any, equilibrium: FloatArray | None) -> FloatArray | None:
    """Where runs of the map start; on what oscillates, a point of it."""
    first = face.attractors[0]
    on_it = np.array(first.state)
    if face.verdict == "oscillates" and len(on_it) == rmap.system.n and np.isfinite(on_it).all():
        return on_it
    if rmap.sampler.initial is not None:
        return np.asarray(rmap.sampler.initial, dtype=float)
    if equilibrium is None:
        return None
    direction = np.random.default_rng([rmap.sampler.seed, face.number]).standard_normal(len(equilibrium))
    size = _DISPLACEMENT * (1.0 + float(np.max(np.abs(equilibrium))))
    return np.asarray(equilibrium + size * direction / np.linalg.norm(direction))


def _length(rmap: Any, face: Any) -> float:
    """Long enough to see what happens, short enough to see single turns."""
    first = face.attractors[0]
    most = float(rmap.sampler.steps)
    if face.verdict == "oscillates" and np.isfinite(first.period):
        wanted = _TURNS * float(first.period)
    elif np.isfinite(first.iterations):
        wanted = _DECAYS * float(first.iterations)
    else:
        wanted = most
    if rmap.system.kind == "map":
        wanted = max(_FEWEST_STEPS, min(wanted, _MOST_STEPS))
    return min(most, wanted)
