"""Initial conditions and how long runs from them are: boxes, evenly drawn states, budgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.ranges import Range, as_range
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

MOST_SAMPLES: Final = 1_000_000
BOUND: Final = 1e6
FEWEST_STEPS: Final = 64
_STEPS: Final = 4000
_DURATION: Final = 500.0
# With more states, only the generator's vary unless a box says otherwise.
_FEW: Final = 6


@dataclass(frozen=True)
class Budget:
    """How long orbits are run, and what they may not exceed.

    Attributes
    ----------
    length : float
        Iterations of a map, duration of a flow.
    tolerance, bound : float
        See :func:`gan_bifurcation.regimes.classify`.
    """

    length: float
    tolerance: float = 1e-4
    bound: float = BOUND

    def words(self, system: System) -> dict[str, Any]:
        """As `classify_many` takes it."""
        length = {"steps": int(self.length)} if system.kind == "map" else {"duration": float(self.length)}
        return {**length, "tolerance": self.tolerance, "bound": self.bound}


def check_length(system: System, steps: float) -> None:
    """Refuse runs of a regime map that are too short to show anything.

    Raises
    ------
    MisuseError
    """
    if steps < (FEWEST_STEPS if system.kind == "map" else 1):
        raise MisuseError(
            f"A run needs at least {FEWEST_STEPS} steps of a map or a duration of 1, got steps={steps:g}."
        )


def budget_of(
    system: System, steps: int | None = None, duration: float | None = None, tolerance: float = 1e-4,
    bound: float = BOUND,
) -> Budget:  # fmt: skip
    """The budget in the words of the system's kind.

    Raises
    ------
    MisuseError
        If steps are given for a flow or a duration for a map.
    """
    if (duration if system.kind == "map" else steps) is not None:
        wrong, right = ("duration", "steps") if system.kind == "map" else ("steps", "duration")
        raise MisuseError(f"'{system.name}' is a {system.kind}: its budget is given by {right}, not by {wrong}.")
    default = _STEPS if system.kind == "map" else _DURATION
    length = steps if system.kind == "map" else duration
    return Budget(float(default if length is None else length), tolerance, bound)


def box_of(system: System, box: Mapping[str, Any] | None) -> dict[str, Range]:
    """The ranges in which initial conditions are drawn, by state."""
    if box is not None:
        for name in box:
            if name not in system.states:
                raise unknown_name("state", str(name), system.states)
        if not box:
            raise MisuseError("The box of initial conditions is empty; give a range for at least one state.")
        return {str(name): as_range(pair) for name, pair in box.items()}
    memory = {item.name for item in system.memory}
    varied = [s for s in system.states if s not in memory]
    if len(varied) > _FEW and system.game is not None:
        varied = [s for s in varied if s in system.game.generator.states]
    centre = _centre(system)
    return {s: Range(centre[s] - 1.0, centre[s] + 1.0) for s in varied}


def _centre(system: System) -> dict[str, float]:
    known = system.equilibrium_guess()
    values = np.zeros(system.n) if known is None else known
    return dict(zip(system.states, values.tolist(), strict=True))


def drawn(system: System, ranges: Mapping[str, Range], samples: int, seed: int) -> FloatArray:
    """Initial conditions drawn evenly from a box, the same for the same seed at all parameters.

    Raises
    ------
    MisuseError
        If the number of samples or the seed does not fit.
    """
    if not 1 <= int(samples) <= MOST_SAMPLES:
        raise MisuseError(f"The number of samples is between 1 and {MOST_SAMPLES}, got {samples}.")
    if int(seed) < 0:
        raise MisuseError(f"A seed is a whole number that is not negative, got {seed}.")
    places = np.random.default_rng(int(seed)).random((int(samples), len(ranges)))
    columns = np.column_stack([[r.from_unit(u) for u in places[:, i]] for i, r in enumerate(ranges.values())])
    return placed_in(system, tuple(ranges), columns)


def placed_in(system: System, names: Sequence[str], columns: FloatArray) -> FloatArray:
    """States with some values given (k, len(names)), the others as at the start of training."""
    memory = {item.name for item in system.memory}
    rest = {s: v for s, v in _centre(system).items() if s not in memory}
    if not memory - set(names):
        x = np.tile([rest.get(s, 0.0) for s in system.states], (len(columns), 1))
        x[:, [system.states.index(n) for n in names]] = columns
        return x
    return np.array([
        system.state_vector({**rest, **dict(zip(names, row, strict=True))}) for row in columns.tolist()
    ])  # fmt: skip
