"""Branches as pieces of polylines that are stable or not, ending exactly at special points."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point, is_stable
from gan_bifurcation.profiles import Profile

FloatArray = NDArray[np.float64]

# Phases at which extremes of a special point are looked for.
_PHASES: Final = np.arange(720) / 720


@dataclass(frozen=True, eq=False)
class Nodes:
    """The points of a branch with its special points put in, in order.

    Attributes
    ----------
    index : array (N,)
    parameters : array (N, free)
    states : array (N, n)
    stable : bool array (N - 1,)
        Of the piece between two neighbours.
    """

    index: FloatArray
    parameters: FloatArray
    states: FloatArray
    stable: NDArray[np.bool_]

    def runs(self) -> list[tuple[slice, bool]]:
        """Stretches of equal stability, as slices of nodes that share their end points."""
        return stretches(self.stable)


def stretches(stable: NDArray[np.bool_]) -> list[tuple[slice, bool]]:
    """Stretches of equal stability of the pieces between neighbours, as slices that share their end points."""
    if not len(stable):
        return []
    cuts = np.flatnonzero(np.diff(stable.astype(int))) + 1
    edges = [0, *cuts.tolist(), len(stable)]
    return [(slice(a, b + 1), bool(stable[a])) for a, b in pairwise(edges)]


def nodes(branch: Branch) -> Nodes:
    """The nodes of a branch."""
    index = np.arange(len(branch), dtype=float)
    parameters, states = branch.parameters, branch.states
    # Tongues on a branch of circles are no circles.
    extra = [
        p for p in branch.special_points if np.isfinite(p.index) and (p.profile is not None or not branch.profiles)
    ]
    if extra:
        at = np.array([p.index for p in extra])
        index = np.concatenate([index, at])
        parameters = np.concatenate([parameters, [[p.system.parameters[k] for k in branch.free] for p in extra]])
        states = np.concatenate([states, [p.x for p in extra]])
        order = np.argsort(index, kind="stable")
        index, parameters, states = index[order], parameters[order], states[order]
    return Nodes(index, parameters, states, _stability(branch, index, parameters, states))


def _stability(branch: Branch, index: FloatArray, parameters: FloatArray, states: FloatArray) -> NDArray[np.bool_]:
    stable = np.zeros(max(len(index) - 1, 0), dtype=bool)
    for k in range(len(stable)):
        a, b = index[k], index[k + 1]
        if a == int(a) and b == int(b):
            # No crossing was located between the two; an end on the threshold itself takes the other end's word.
            stable[k] = branch.unstable[int(a)] == 0 or branch.unstable[int(b)] == 0
        elif a == int(a):
            stable[k] = branch.unstable[int(a)] == 0
        elif b == int(b):
            stable[k] = branch.unstable[int(b)] == 0
        elif branch.profiles:
            # What lies between two bifurcations in one step is other than at both its ends.
            stable[k] = branch.unstable[int(a)] != 0
        else:
            middle = 0.5 * (parameters[k] + parameters[k + 1])
            stable[k] = bool(
                is_stable(branch.system.kind, spectrum_at(branch, middle, 0.5 * (states[k] + states[k + 1])))
            )
    return stable


def spectrum_at(branch: Branch, parameters: FloatArray, state: FloatArray) -> Any:
    """Eigenvalues or multipliers at a state and values of the free parameters."""
    values = dict(zip(branch.free, parameters.tolist(), strict=True))
    system = branch.system
    return np.linalg.eigvals(system.jacobian(state, system.parameter_vector(**values))[:, : system.n])


def size_of(point: Point, spectrum: Any = None) -> float:
    """Largest modulus (maps) or real part (flows); of cycles and circles the largest modulus beside the trivial 1."""
    values = point.spectrum if spectrum is None else spectrum
    if point.profile is not None:
        return float(np.max(np.abs(values[1:]), initial=0.0))
    return float(np.max(values.real if point.system.kind == "flow" else np.abs(values)))


def is_tongue(point: Point) -> bool:
    """Whether a special point of circles is a resonance that was stepped over."""
    return "rotation" in point.normal_form


def extremes(profile: Profile, k: int) -> tuple[float, float]:
    """The least and the largest of one state, between the points of the profile too."""
    values = profile.at(_PHASES)[:, k]
    return -_top(-values), _top(values)


def _top(values: FloatArray) -> float:
    """The largest value on a closed curve, by a parabola through the three values around it."""
    i = int(np.argmax(values))
    before, here, after = (float(values[j % len(values)]) for j in (i - 1, i, i + 1))
    bend = before - 2.0 * here + after
    return here if bend >= 0.0 else here - (after - before) ** 2 / (8.0 * bend)
