"""Devil's staircases as a part of a study: rotation numbers of runs over a parameter, kept as a table."""

import re
from typing import Any

import numpy as np

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.staircase import LockedInterval, Staircase, rotation_numbers
from gan_bifurcation.studies.schema import StaircaseSpec
from gan_bifurcation.system import System
from gan_bifurcation.tables import Table

_EDGE = re.compile(r"^low_(\d+)_(\d+)((?:_\d+)?)$")


def make_staircase(section: StaircaseSpec, system: System, start: Any) -> Table:
    """The staircase that a section asks for."""
    return as_table(
        rotation_numbers(
            system, section.free, start, points=section.points, steps=section.steps,
            most_iterations=section.most_iterations,
        )
    )  # fmt: skip


def as_table(stairs: Staircase) -> Table:
    """Columns parameter, rotation number, error, and the step that a value lies on; ends of the steps as numbers.

    The step of 1 turn in 6 iterations has ``low_1_6``, ``high_1_6`` and ``width_1_6``; a second step of the same kind
    has ``low_1_6_2`` and so on. ``locked_share`` is the part of the range that all of them take.
    """
    inside = [
        next((f"{s.turns}/{s.iterations}" for s in stairs.locked if s.low <= v <= s.high), "") for v in stairs.values
    ]
    numbers: dict[str, float] = {"locked_share": stairs.locked_share}
    for step in stairs.locked:
        name, again = f"{step.turns}_{step.iterations}", 1
        while f"low_{name}" in numbers:
            again += 1
            name = f"{step.turns}_{step.iterations}_{again}"
        numbers |= {f"low_{name}": step.low, f"high_{name}": step.high, f"width_{name}": step.width}
    columns = {stairs.parameter: stairs.values, "rotation_number": stairs.rotation, "error": stairs.error}
    return Table({**columns, "locked": np.array(inside, dtype=str)}, numbers=numbers)


def from_table(table: Table, system: System) -> Staircase:
    """The staircase that a table was made of.

    Raises
    ------
    MisuseError
        If it was made of something else.
    """
    names = list(table.columns)
    if names[1:] != ["rotation_number", "error", "locked"]:
        raise MisuseError("This table is no staircase; a figure of kind 'staircase' is drawn of a [[staircase]].")
    steps = []
    for key, low in table.numbers.items():
        if found := _EDGE.match(key):
            turns, iterations, again = found.groups()
            high = table.numbers[f"high_{turns}_{iterations}{again}"]
            steps.append(LockedInterval(int(turns), int(iterations), low, high))
    steps.sort(key=lambda s: s.low)
    values, rotation, error = (np.array(table.columns[name]) for name in names[:3])
    return Staircase(system, names[0], values, rotation, error, tuple(steps))
