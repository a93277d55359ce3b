"""What training ends in at a point of the window, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.problem import CurveProblem
from gan_bifurcation.regimes.endings import ENDED, named_equilibria
from gan_bifurcation.regimes.limits import spectra
from gan_bifurcation.regimes.solving import linearised
from gan_bifurcation.regimes.verdicts import Verdict
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

# A run of less confidence than this has not come to a decision.
DECIDED: Final = 0.6
# Closer to the border of stability than this is on it.
_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class Attractor:
    """What training ends in, as plain values.

    Attributes
    ----------
    verdict : str
        converges, oscillates, stalls or diverges.
    detail : str
        monotone or spiralling; cycle, circle, ...; or the reason.
    how : "spectrum" or "simulation"
    radius : float
        Of an equilibrium: largest modulus of its multipliers (maps), largest real part of its eigenvalues (flows); NaN
        otherwise.
    rate : float
        Exponential rate per iteration (flows: per time) of the slowest mode that the generator's states see.
    iterations : float
        Iterations (flows: time) to 1/e at that rate.
    rotating : bool
        Whether some mode rotates, if not the slowest.
    amplitude : float
        Of an oscillation: largest minus smallest value of the state that swings most; NaN otherwise.
    period : float
        Of an oscillation; NaN otherwise.
    confidence : float
        1 where it is proved by a spectrum, or by leaving the domain.
    state : tuple of float
        The equilibrium, or where the run ended: a point of the attractor.
    reason : str
        A sentence on the verdict.
    rotation : float
        Turns per iteration of a map that oscillates; NaN otherwise.
    exponent : float
        The largest Lyapunov exponent of what is chaotic; NaN otherwise.
    low, high : tuple of float
        Smallest and largest value of each state on it; empty where that was not looked at.
    id : int
        The same for the same attractor at all parameters that it was followed over; 0 where nothing was followed.
    share : float
        Part of the sampled initial conditions that end here; NaN where none were sampled.
    share_low, share_high : float
        Its 95 % confidence interval (Wilson).
    copy_of : int
        The id of the attractor whose image under `symmetry` it is; 0 if it is none.
    symmetry : str
        The name of that symmetry; of what is its own image, the names of the symmetries that it has.
    """

    verdict: str
    detail: str
    how: str
    radius: float = np.nan
    rate: float = np.nan
    iterations: float = np.nan
    rotating: bool = False
    amplitude: float = np.nan
    period: float = np.nan
    confidence: float = 1.0
    state: tuple[float, ...] = ()
    reason: str = ""
    rotation: float = np.nan
    exponent: float = np.nan
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    id: int = 0
    share: float = np.nan
    share_low: float = np.nan
    share_high: float = np.nan
    copy_of: int = 0
    symmetry: str = ""

    @property
    def ended(self) -> bool:
        """Whether it is an ending with a name, such as mode collapse."""
        return self.reason.startswith(ENDED)

    def __str__(self) -> str:
        return f"{self.verdict} ({self.detail})" if self.detail else self.verdict


@dataclass(frozen=True)
class Cell:
    """What was found at one point of the window.

    Attributes
    ----------
    unit : tuple of float
    stable : tuple of Attractor
        Equilibria that attract.
    run : Attractor or None
        What a run came to, if one was made.
    """

    unit: tuple[float, ...]
    stable: tuple[Attractor, ...]
    run: Attractor | None = None

    @property
    def local(self) -> tuple[tuple[str, str], ...]:
        """What the spectra say, for comparison."""
        return tuple(sorted((a.verdict, a.detail) for a in self.stable))

    @property
    def simulated(self) -> str:
        """What the run says, for comparison; "" if nothing beyond the spectra, or nothing that is certain."""
        if self.run is None or not self.decided or (self.stable and self.run.verdict == "converges"):
            return ""
        # Endings with a name are told apart.
        return str(self.run) if self.run.ended else self.run.verdict

    @property
    def decided(self) -> bool:
        """Whether something is known: an equilibrium attracts, or a run came to a decision."""
        return bool(self.stable) if self.run is None else self.run.confidence >= DECIDED

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.local, self.simulated)


def attracting(
    system: System, parameters: FloatArray, states: Sequence[FloatArray], seen: Sequence[str]
) -> list[Attractor | None]:
    """What the spectra say of equilibria, each with its own parameters; None where one does not attract.

    Parameters
    ----------
    system : System
    parameters : array (k, m)
        In place of the system's own.
    states : sequence of array (n,)
    seen : sequence of str
        States that "monotone or spiralling" is about.
    """
    names, is_map = system.states, system.kind == "map"
    jacobians, radii = linearised(CurveProblem(system, {}), parameters, np.array(states, dtype=float))
    stable = np.flatnonzero(radii < (1.0 if is_map else 0.0) - _ROUNDING).tolist()
    found: list[Attractor | None] = [None] * len(states)
    if not stable:
        return found
    modes = spectra(jacobians[stable], np.array([name in seen for name in names]), is_map)
    for k, slowest, rotating in zip(stable, modes.slowest.tolist(), modes.rotating.tolist(), strict=True):
        turning = abs(slowest.imag) > 1e-9 * abs(slowest) or (is_map and slowest.real < 0.0)
        rate = -float(np.log(max(abs(slowest), 1e-300))) if is_map else -slowest.real
        found[k] = Attractor(
            "converges",
            "spiralling" if turning else "monotone",
            "spectrum",
            float(radii[k]),
            rate,
            1.0 / max(rate, 1e-300),
            bool(rotating),
            state=tuple(states[k].tolist()),
        )
    return named_equilibria(system, parameters, states, found)


def from_run(verdict: Verdict) -> Attractor:
    """What a run came to."""
    oscillates = verdict.kind == "oscillates"
    amplitude = max(verdict.amplitude.values()) if oscillates else np.nan
    detail = verdict.detail or verdict.reason
    return Attractor(
        verdict.kind,
        detail,
        "simulation",
        rate=verdict.rate,
        iterations=verdict.iterations_to_1_e if np.isfinite(verdict.iterations_to_1_e) else np.nan,
        amplitude=float(amplitude),
        period=verdict.period,
        confidence=verdict.confidence,
        state=tuple(verdict.limit.values()),
        reason=verdict.reason,
        rotation=verdict.rotation,
        exponent=verdict.exponent,
    )
