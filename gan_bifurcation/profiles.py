"""Profiles: the states of a cycle or of an invariant circle over one turn."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError

__all__ = ["Profile"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Profile:
    """A closed curve of states, over a phase that grows by 1 in one turn.

    Attributes
    ----------
    phases : array (K,)
        Growing, the first is 0. Of a cycle the last is 1, where the first state comes back; of a circle they are
        k/K, and the curve is the trigonometric polynomial through its states.
    states : array (K, n)
    period : float
        The duration of one turn of a cycle; NaN for a circle.
    rotation_number : float
        By how much one step of the map moves the phase of a circle; NaN for a cycle.
    mesh : array (intervals + 1,)
        The mesh of a cycle's piecewise polynomials; each interval holds as many of the phases. Empty for a circle.

    Raises
    ------
    MisuseError
        If the shapes do not fit.

    Examples
    --------
    >>> turn = np.arange(8) / 8
    >>> circle = Profile(turn, np.column_stack([np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)]))
    >>> circle.lowest.tolist(), circle.highest.tolist()
    ([-1.0, -1.0], [1.0, 1.0])
    """

    phases: FloatArray
    states: FloatArray
    period: float = float("nan")
    rotation_number: float = float("nan")
    mesh: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        phases, mesh, states = _kept(self.phases), _kept(self.mesh), _kept(self.states)
        if phases.ndim != 1 or states.ndim != 2 or len(states) != len(phases) or not len(phases):
            raise MisuseError(
                f"A profile has a row of states for each phase; got {phases.shape} phases and {states.shape} states."
            )
        if len(mesh) and (len(phases) - 1) % (len(mesh) - 1):
            raise MisuseError(f"{len(phases)} phases do not fit a mesh of {len(mesh) - 1} intervals.")
        for array, name in ((phases, "phases"), (states, "states"), (mesh, "mesh")):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def over(cls, phases: FloatArray, mesh: FloatArray, states: FloatArray, period: float) -> "Profile":
        """A cycle from arrays that fit each other and that nobody writes to any more: they are not copied."""
        made = object.__new__(cls)
        # A frozen dataclass of plain attributes.
        vars(made).update(phases=phases, states=states, period=period, rotation_number=float("nan"), mesh=mesh)
        return made

    @property
    def degree(self) -> int:
        """Degree of the polynomials of a cycle; 0 for a circle."""
        return (len(self.phases) - 1) // (len(self.mesh) - 1) if len(self.mesh) else 0

    def at(self, phases: "FloatArray | Sequence[float]") -> FloatArray:
        """The states at any phases, shape (len(phases), n): of the trigonometric polynomial, or of the pieces.

        Examples
        --------
        >>> turn = np.arange(8) / 8
        >>> circle = Profile(turn, np.cos(2 * np.pi * turn)[:, None])
        >>> bool(abs(circle.at([1 / 3])[0, 0] + 0.5) < 1e-12)
        True
        """
        turn = np.mod(np.asarray(phases, dtype=float), 1.0)
        if not len(self.mesh):
            count = len(self.phases)
            modes = np.fft.rfft(self.states, axis=0) / count
            # Of a real function every mode but the mean stands for two; the last one of an even number for itself.
            modes[1 : (count + 1) // 2] *= 2.0
            waves = np.exp(2j * np.pi * np.outer(turn - self.phases[0], np.arange(len(modes))))
            return np.asarray((waves @ modes).real)
        piece = np.clip(np.searchsorted(self.mesh, turn, side="right") - 1, 0, len(self.mesh) - 2)
        rows = piece[:, None] * self.degree + np.arange(self.degree + 1)
        nodes = self.phases[rows]
        # Lagrange's formula: the product of (t - other nodes)/(own node - other nodes).
        gaps = nodes[:, :, None] - nodes[:, None, :]
        ratios = (turn[:, None, None] - nodes[:, None, :]) / np.where(gaps == 0.0, 1.0, gaps)
        own = np.eye(self.degree + 1, dtype=bool)
        return np.asarray(np.einsum("tk,tkn->tn", np.where(own, 1.0, ratios).prod(axis=2), self.states[rows]))

    @property
    def lowest(self) -> FloatArray:
        """The least of each state among the points of the profile, shape (n,)."""
        return np.asarray(self.states.min(axis=0))

    @property
    def highest(self) -> FloatArray:
        """The greatest of each state among the points of the profile, shape (n,)."""
        return np.asarray(self.states.max(axis=0))


def _kept(numbers: FloatArray) -> FloatArray:
    """A copy, unless nobody can write to the array."""
    if isinstance(numbers, np.ndarray) and numbers.dtype == float and numbers.base is None:
        return np.array(numbers) if numbers.flags.writeable else numbers
    return np.array(numbers, dtype=float)


def packed(profiles: Sequence[Profile]) -> dict[str, NDArray[np.float64]]:
    """Profiles as arrays, one after the other; `unpacked` reads them back."""
    return {
        "profile_sizes": np.array([(len(p.phases), len(p.mesh)) for p in profiles], dtype=float).reshape(-1, 2),
        "profile_numbers": np.array([(p.period, p.rotation_number) for p in profiles]).reshape(-1, 2),
        "profile_phases": np.concatenate([p.phases for p in profiles]) if profiles else np.zeros(0),
        "profile_states": np.concatenate([p.states for p in profiles]) if profiles else np.zeros((0, 0)),
        "profile_meshes": np.concatenate([p.mesh for p in profiles]) if profiles else np.zeros(0),
    }


def unpacked(arrays: dict[str, NDArray[np.float64]]) -> tuple[Profile, ...]:
    """The profiles that `packed` made arrays of; none where there are no such arrays."""
    if "profile_sizes" not in arrays:
        return ()
    made = []
    at = start = 0
    numbers = arrays["profile_numbers"]
    for (size, intervals), (period, rotation) in zip(arrays["profile_sizes"].astype(int), numbers, strict=True):
        rows, ends = slice(at, at + size), slice(start, start + intervals)
        made.append(
            Profile(
                arrays["profile_phases"][rows], arrays["profile_states"][rows], float(period), float(rotation),
                arrays["profile_meshes"][ends],
            )
        )  # fmt: skip
        at, start = at + size, start + intervals
    return tuple(made)
