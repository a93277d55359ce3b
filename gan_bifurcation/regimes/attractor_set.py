"""The attractors at one place of the parameters, with the initial conditions that end on each: plain data."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import ResultsError, unknown_name
from gan_bifurcation.ranges import Range
from gan_bifurcation.records import read_files, system_from_record, system_record, write_files
from gan_bifurcation.regimes.attractors import Attractor
from gan_bifurcation.regimes.telling_apart import Cloud, turns_of
from gan_bifurcation.system import System

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FORMAT: Final = 1
# The quantile of the normal distribution for 95 % on both sides.
_Z: Final = 1.959963984540054


def wilson(successes: int, trials: int, z: float = _Z) -> tuple[float, float]:
    """The score interval of a share.

    References
    ----------
    Wilson: Probable inference, the law of succession, and statistical inference, JASA 22 (1927) 209.

    Examples
    --------
    >>> [round(v, 4) for v in wilson(0, 10)], [round(v, 4) for v in wilson(81, 263)]
    ([0.0, 0.2775], [0.2553, 0.3662])
    """
    if trials < 1:
        return 0.0, 1.0
    share = successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    # At the ends the formula is 0 and 1 but for rounding.
    return (0.0 if successes == 0 else middle - half), (1.0 if successes == trials else middle + half)


@dataclass(frozen=True, eq=False)
class AttractorSet:
    """What training ends in at one place of the parameters. Made by :func:`gan_bifurcation.attractors`.

    Attributes
    ----------
    system : System
        With its parameters.
    attractors : tuple of Attractor
        Those that attract first, by their shares; ways to stall or diverge come last, and count as well.
    clouds : tuple of Cloud or None
        Points on each; one point of an equilibrium; None of what stalls or diverges.
    initial : array (k, n)
    member : int array (k,)
        The position in `attractors` of what each initial condition ends in.
    followed : int array
        The same of further initial conditions, which did not count.
    notes : tuple of str
    box : mapping of state to Range
        From which they were drawn; empty where they were given.
    seed : int
    """

    system: System
    attractors: tuple[Attractor, ...]
    clouds: tuple[Cloud | None, ...] = field(repr=False)
    initial: FloatArray = field(repr=False)
    member: IntArray = field(repr=False)
    followed: IntArray = field(repr=False)
    notes: tuple[str, ...] = ()
    box: Mapping[str, Range] = field(default_factory=dict)
    seed: int = 0

    def __repr__(self) -> str:
        words = "; ".join(f"{a.id}: {a} {100 * a.share:.3g} %" for a in self.attractors)
        return f"<AttractorSet of {len(self.initial)} runs: {words}>"

    def __len__(self) -> int:
        return len(self.attractors)

    def __getitem__(self, number: int) -> Attractor:
        """The attractor with this id."""
        for a in self.attractors:
            if a.id == number:
                return a
        raise unknown_name("attractor", str(number), [str(a.id) for a in self.attractors])

    def basin(self, number: int) -> FloatArray:
        """The initial conditions that end on the attractor with this id, (k, n)."""
        place = self.attractors.index(self[number])
        return np.asarray(self.initial[self.member == place])

    def to_dataframe(self) -> "pd.DataFrame":
        """One row for each attractor (needs pandas)."""
        import pandas as pd

        rows = []
        for a in self.attractors:
            row = {f.name: getattr(a, f.name) for f in fields(a) if f.name not in ("state", "low", "high")}
            for name, values in (("", a.state), (" low", a.low), (" high", a.high)):
                row |= {f"{s}{name}": v for s, v in zip(self.system.states, values, strict=False)}
            rows.append(row)
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the attractors by state names, the parameters, the box, the seed and the notes."""
        from gan_bifurcation.regimes.graph import attractor_record

        return {
            "system": self.system.name,
            "kind": self.system.kind,
            "parameters": {k: float(v) for k, v in self.system.parameters.items()},
            "samples": len(self.initial),
            "seed": int(self.seed),
            "box": {k: [r.low, r.high, r.log] for k, r in self.box.items()},
            "attractors": [attractor_record(a, self.system.states) for a in self.attractors],
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """What :meth:`to_dict` says, as JSON text."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write path.json and path.npz; no pickle.

        Raises
        ------
        ResultsError
            If they cannot be written.
        """
        text, arrays = system_record(self.system)
        arrays |= {"initial": self.initial, "member": self.member, "followed": self.followed}
        arrays |= {f"cloud_{k}": c.points for k, c in enumerate(self.clouds) if c is not None}
        kinds = [None if c is None else [c.detail, None if math.isnan(c.period) else c.period] for c in self.clouds]
        record = {**self.to_dict(), "format": FORMAT, "record": text, "clouds": kinds}
        write_files(Path(path), json.dumps(record, indent=1, allow_nan=False), arrays)
        return Path(path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "AttractorSet":
        """Read what :meth:`save` wrote; nothing in the files is run.

        Raises
        ------
        ResultsError
            If a file is missing or damaged.
        """
        text, arrays = read_files(Path(path))
        try:
            if text["format"] != FORMAT:
                raise ResultsError(
                    f"The attractors in '{path}' have format {text['format']!r}, expected {FORMAT}; compute them again."
                )
            system = system_from_record(text["record"], arrays)
            found = tuple(attractor_from_record(a, system.states) for a in text["attractors"])
            clouds = tuple(
                None if c is None else Cloud(
                    np.asarray(arrays[f"cloud_{k}"], float), turns_of(system), str(c[0]),
                    math.nan if c[1] is None else float(c[1]),
                )
                for k, c in enumerate(text["clouds"])
            )  # fmt: skip
            initial = np.asarray(arrays["initial"], float).reshape(-1, system.n)
            member, followed = (np.asarray(arrays[k], np.int64) for k in ("member", "followed"))
            if len(clouds) != len(found) or member.shape != initial.shape[:1] or np.any(member >= len(found)):
                raise ValueError("numbers of attractors")
            box = {str(k): Range(float(a), float(b), bool(log)) for k, (a, b, log) in text["box"].items()}
            return AttractorSet(
                system, found, clouds, initial, member, followed, tuple(map(str, text["notes"])), box,
                int(text["seed"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ResultsError(
                f"The attractors in '{path}' are damaged ({type(error).__name__}); compute them again."
            ) from error


def attractor_from_record(record: Mapping[str, Any], states: tuple[str, ...]) -> Attractor:
    """The attractor that `attractor_record` described."""
    values: dict[str, Any] = {}
    for f in fields(Attractor):
        value = record[f.name]
        if isinstance(value, dict):
            values[f.name] = tuple(math.nan if value[s] is None else float(value[s]) for s in states if s in value)
        else:
            values[f.name] = math.nan if value is None else value
    return Attractor(**values)
