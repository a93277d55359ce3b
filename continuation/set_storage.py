"""A bifurcation set as a folder of plain data."""

import json
from pathlib import Path
from typing import Any, Final

from gan_bifurcation.branch import Branch
from gan_bifurcation.continuation.bifurcation_set import BifurcationSet, Link
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.derived import iterate
from gan_bifurcation.errors import ResultsError
from gan_bifurcation.profiles import packed, unpacked
from gan_bifurcation.records import (
    point_from_record,
    point_record,
    read_files,
    system_from_record,
    system_record,
    write_files,
)
from gan_bifurcation.system import System

FORMAT: Final = 1
# A folder of a stranger may claim any number of files.
_MOST: Final = 10_000


def save(found: BifurcationSet, folder: Path) -> Path:
    """Write the branches and curves, then the rest, which makes the folder complete."""
    for kind, branches in (("branch", found.branches), ("curve", found.curves)):
        for k, branch in enumerate(branches):
            branch.save(folder / f"{kind}-{k + 1}")
    description, arrays = system_record(found.system)
    arrays |= packed([p.profile for p in found.points if p.profile is not None])
    text = {
        "format": FORMAT,
        "system": description,
        "window": found.window.record(),
        "depth": found.depth,
        "branches": len(found.branches),
        "names": list(found.names),
        "equilibria": [point_record(p) for p in found.equilibria],
        "points": [{**point_record(p), "iterations": p.system.iterations} for p in found.points],
        "links": [[k.source, k.target, k.how, k.label, dict(k.parameters)] for k in found.links],
        "unexplored": list(found.unexplored),
    }
    write_files(folder / "set", json.dumps(text), arrays)
    return folder


def load(folder: Path) -> BifurcationSet:
    """Read a folder; a damaged one is refused in a sentence."""
    text, arrays = read_files(folder / "set")
    try:
        if text["format"] != FORMAT:
            raise ResultsError(
                f"The bifurcation set '{folder}' has format {text['format']}, expected {FORMAT}; compute it again."
            )
        number, names = int(text["branches"]), tuple(map(str, text["names"]))
        if not 0 <= number + len(names) <= _MOST:
            raise ValueError("an impossible number of curves")
        system = system_from_record(text["system"], arrays)
        own = iter(unpacked(arrays))
        return BifurcationSet(
            system,
            Window.from_record(text["window"]),
            int(text["depth"]),
            tuple(point_from_record(system, r) for r in text["equilibria"]),
            tuple(Branch.load(folder / f"branch-{k + 1}") for k in range(number)),
            tuple(Branch.load(folder / f"curve-{k + 1}") for k in range(len(names))),
            names,
            tuple(
                point_from_record(_iterated(system, r), r, next(own) if r["profile"] else None) for r in text["points"]
            ),
            tuple(
                Link(str(a), str(b), str(how), str(label), {str(k): float(v) for k, v in where.items()})
                for a, b, how, label, where in text["links"]
            ),
            tuple(map(str, text["unexplored"])),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration) as error:
        raise ResultsError(
            f"The bifurcation set '{folder}' is damaged ({type(error).__name__}: {error}); compute it again."
        ) from error


def _iterated(system: System, record: dict[str, Any]) -> System:
    times = int(record["iterations"]) // system.iterations
    return system if times == 1 else iterate(system, times)
