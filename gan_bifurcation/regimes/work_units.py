"""Finished pieces of a map's work, kept in a folder: a run that was killed goes on from there.

A unit is what one worker is given: some points, and what is asked of them. Its file's name follows from the system,
from all that the runs depend on, and from the points, so that a unit is found again only where it would come out the
same.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gan_bifurcation
from gan_bifurcation.errors import ResultsError
from gan_bifurcation.records import system_record, write_atomically
from gan_bifurcation.regimes.attractor_set import AttractorSet
from gan_bifurcation.regimes.attractors import Attractor, Cell
from gan_bifurcation.regimes.sampling import Sampler
from gan_bifurcation.regimes.telling_apart import Cloud
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]


class WorkUnits:
    """Units in a folder, of one sampler; those of other requests that lie there are left alone."""

    def __init__(self, folder: Path, sampler: Sampler) -> None:
        self.folder, self.sampler = folder, sampler
        self.request = digest(sampler)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(
                f"Cannot make the folder '{folder}' ({error.strerror}); choose one that is writable."
            ) from error

    def find(self, what: str, points: FloatArray) -> list[Any] | None:
        """What was found at these points before; None where that is not known, or its file is damaged."""
        try:
            records = json.loads(self._file(what, points).read_text(encoding="utf-8"))
            found = [self._read(what, record, point) for record, point in zip(records, points, strict=True)]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return found

    def keep(self, what: str, points: FloatArray, found: Sequence[Any]) -> None:
        records = [_record(item) for item in found]
        write_atomically(self._file(what, points), json.dumps(records).encode())

    def _file(self, what: str, points: FloatArray) -> Path:
        name = hashlib.sha256(self.request + what.encode() + np.ascontiguousarray(points).tobytes()).hexdigest()
        return self.folder / f"{what}-{name[:32]}.json"

    def _read(self, what: str, record: Any, point: FloatArray) -> Any:
        if record is None:
            return None
        if what == "escapes":
            return bool(record)
        if what == "runs":
            return _attractor(record)
        if what == "attractors":
            return _attractor_set(record, self.sampler, point)
        stable = tuple(_attractor(a) for a in record["stable"])
        run = None if record["run"] is None else _attractor(record["run"])
        return Cell(tuple(float(v) for v in record["unit"]), stable, run)


def clear(folder: Path) -> None:
    """Take away what was kept, once the whole is there."""
    for inner in folder.glob("slice_*/"):
        clear(inner)
    for path in folder.glob("*.json"):
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def fingerprint(system: System) -> str:
    """A short text that is the same for the same system and parameters."""
    text, arrays = system_record(system)
    made = hashlib.sha256(json.dumps([gan_bifurcation.__version__, text], sort_keys=True, default=str).encode())
    for name in sorted(arrays):
        made.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return made.hexdigest()[:32]


def digest(sampler: Sampler) -> bytes:
    """A number for all that results depend on: the system, the branches to begin at, and how runs are made."""
    window = sampler.window.record()
    start = None if sampler.initial is None else sampler.initial.tolist()
    rest = [
        fingerprint(sampler.system), window, list(sampler.families), sorted(sampler.folded), list(sampler.seen), start,
        sampler.steps, sampler.seed, sampler.samples, {k: repr(r) for k, r in sampler.box.items()},
    ]  # fmt: skip
    made = hashlib.sha256(json.dumps(rest, sort_keys=True, default=str).encode())
    for family, places, states in sampler.sheets:
        made.update(str(family).encode() + np.ascontiguousarray(places).tobytes())
        made.update(np.ascontiguousarray(states).tobytes())
    return made.digest()


def _record(item: Any) -> Any:
    """JSON-ready data; numbers come back bit by bit, for Python writes and reads them so."""
    if isinstance(item, Attractor):
        return {f.name: getattr(item, f.name) for f in fields(item)}
    if isinstance(item, Cell):
        run = None if item.run is None else _record(item.run)
        return {"unit": list(item.unit), "stable": [_record(a) for a in item.stable], "run": run}
    if isinstance(item, AttractorSet):
        return {
            "attractors": [_record(a) for a in item.attractors],
            "clouds": [
                None if c is None else [c.points.tolist(), c.turns.tolist(), c.detail, c.period] for c in item.clouds
            ],
            "initial": item.initial.tolist(), "member": item.member.tolist(), "followed": item.followed.tolist(),
            "notes": list(item.notes),
        }  # fmt: skip
    return None if item is None else bool(item)


def _attractor(record: dict[str, Any]) -> Attractor:
    values: dict[str, Any] = {f.name: record[f.name] for f in fields(Attractor)}
    values |= {k: tuple(float(x) for x in v) for k, v in values.items() if isinstance(v, list)}
    return Attractor(**values)


def _attractor_set(record: dict[str, Any], sampler: Sampler, point: FloatArray) -> AttractorSet:
    n = sampler.system.n
    clouds = tuple(
        c and Cloud(np.array(c[0], float).reshape(-1, n), np.array(c[1], float), str(c[2]), float(c[3]))
        for c in record["clouds"]
    )
    return AttractorSet(
        sampler.at(point), tuple(_attractor(a) for a in record["attractors"]), clouds,
        np.array(record["initial"], float).reshape(-1, n), np.array(record["member"], np.int64),
        np.array(record["followed"], np.int64), tuple(map(str, record["notes"])), dict(sampler.box), sampler.seed,
    )  # fmt: skip
