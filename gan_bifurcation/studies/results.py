"""The results of a study: a folder of plain data, read without running anything in it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from gan_bifurcation.branch import Branch
from gan_bifurcation.errors import ResultsError, quoted, unknown_name
from gan_bifurcation.records import read_files
from gan_bifurcation.studies.reading import StudyFile, parse_study
from gan_bifurcation.studies.systems import all_systems
from gan_bifurcation.studies.tabulating import load_table
from gan_bifurcation.system import System

_MOST_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class Claim:
    """A claim held against a computed number.

    Attributes
    ----------
    text, paper : str
    expected, computed : str
        As shown.
    agrees : bool
    tolerance : str
        Up to which the two may differ, "" for words.
    """

    text: str
    paper: str
    expected: str
    computed: str
    agrees: bool
    tolerance: str = ""


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure on disk: `path` without suffix, ``.svg`` and ``.png`` beside each other."""

    name: str
    caption: str
    path: Path
    width: str = "column"


@dataclass(frozen=True, eq=False)
class Results:
    """What a study computed.

    Attributes
    ----------
    folder : Path
    file : StudyFile
        The study as it was run.
    summary : mapping
        What ``results.json`` holds: systems, parts with times, versions, seeds, tolerances, claims.
    """

    folder: Path
    file: StudyFile
    summary: Mapping[str, Any]
    _systems: Mapping[str, System] = field(default_factory=dict, repr=False)
    _cache: dict[str, Any] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        parts = self.summary["parts"]
        agree = sum(c.agrees for c in self.claims)
        return f"<Results of '{self.file.study.title}': {len(parts)} parts, {agree} of {len(self.claims)} claims agree>"

    @property
    def title(self) -> str:
        return self.file.study.title

    @cached_property
    def systems(self) -> Mapping[str, System]:
        """The systems by name; that of ``[system]`` has the name ''."""
        return self._systems or all_systems(self.file.study, self.file.folder)

    def names(self, kind: str) -> list[str]:
        """Names of the parts of a kind: branch, curve, tongues, set, map, noise, orbit, table, figure, ..."""
        return [part["name"] for part in self.summary["parts"] if part["kind"] == kind]

    def __getitem__(self, name: str) -> Any:
        """A part by its name: a Branch, tongues, a RegimeMap, a Table, or a mapping of arrays and text."""
        for part in self.summary["parts"]:
            if part["name"] == name and part["kind"] != "figure":
                if name not in self._cache:
                    self._cache[name] = load_part(self.folder, part["kind"], name)
                return self._cache[name]
        raise unknown_name(
            "part of the study", name, [p["name"] for p in self.summary["parts"] if p["kind"] != "figure"]
        )

    @cached_property
    def branches(self) -> dict[str, Branch]:
        return {name: self[name] for name in self.names("branch")}

    @cached_property
    def curves(self) -> dict[str, Branch]:
        return {name: self[name] for name in self.names("curve")}

    @cached_property
    def tongues(self) -> dict[str, Any]:
        return {name: self[name] for name in self.names("tongues")}

    @cached_property
    def sets(self) -> dict[str, Any]:
        return {name: self[name] for name in self.names("set")}

    @cached_property
    def certificates(self) -> dict[str, Any]:
        return {name: self[name] for name in self.names("certificate")}

    @cached_property
    def maps(self) -> dict[str, Any]:
        return {name: self[name] for name in self.names("map")}

    @cached_property
    def basins(self) -> dict[str, Any]:
        return {name: self[name] for name in self.names("basins")}

    @cached_property
    def noise(self) -> dict[str, Any]:
        return {name: self[name] for name in self.names("noise")}

    @cached_property
    def figures(self) -> dict[str, Figure]:
        made = {}
        for section in self.file.study.figure:
            if section.name in self.names("figure"):
                made[section.name] = Figure(
                    section.name, section.caption, self.folder / "figures" / section.name, section.size
                )
        return made

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(
            Claim(
                str(c["text"]),
                str(c["paper"]),
                str(c["expected"]),
                str(c["computed"]),
                bool(c["agrees"]),
                str(c.get("tolerance", "")),
            )
            for c in self.summary["claims"]
        )


def part_base(folder: Path, kind: str, name: str) -> Path:
    """Where the data of a part lies, without suffix."""
    where = {"branch": "branches", "curve": "branches", "map": "maps", "orbit": "orbits", "figure": "figures"}
    where |= {"tongues": "tongues", "set": "sets", "basins": "basins", "noise": "noise"}
    return folder / where.get(kind, "tables") / name


def load_part(folder: Path, kind: str, name: str) -> Any:
    """The data of a part, from disk."""
    base = part_base(folder, kind, name)
    if kind in ("branch", "curve"):
        return Branch.load(base)
    if kind == "tongues":
        from gan_bifurcation.studies.tongues import load_tongues

        return load_tongues(base)
    if kind == "map":
        from gan_bifurcation.regimes.regime import RegimeMap

        return RegimeMap.load(base)
    if kind == "set":
        from gan_bifurcation.continuation.bifurcation_set import BifurcationSet

        return BifurcationSet.load(base)
    if kind == "basins":
        from gan_bifurcation.regimes.basin_picture import BasinPicture

        return BasinPicture.load(base)
    if kind == "noise":
        from gan_bifurcation.regimes.noise_map import NoiseMap

        return NoiseMap.load(base)
    if kind == "figure":
        return base
    if kind in ("table", "certificate", "staircase"):
        return load_table(base)
    text, arrays = read_files(base)
    return {**text, **arrays}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of bounded size.

    Raises
    ------
    ResultsError
        If it is missing, too large or damaged.
    """
    shown = quoted(str(path.name))
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise ResultsError(f"The file {shown} is larger than {_MOST_BYTES >> 20} MiB; it is not read.")
        found = json.loads(data)
    except FileNotFoundError as error:
        raise ResultsError(
            f"{quoted(str(path.parent))} holds no results ({shown} is missing); give the folder of a finished run."
        ) from error
    except OSError as error:
        raise ResultsError(
            f"{quoted(str(path.parent))} cannot be read ({error.strerror or error}); give the folder of a run."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"The file {shown} is damaged; run the study again with the same folder.") from error
    if not isinstance(found, dict):
        raise ResultsError(f"The file {shown} is damaged; run the study again with the same folder.")
    return found


def load(folder: str | Path) -> Results:
    """The results of a study that was run before.

    Parameters
    ----------
    folder : path

    Returns
    -------
    Results

    Raises
    ------
    ResultsError
        If the folder holds no results, or damaged ones.
    """
    where = Path(folder)
    summary = read_json(where / "results.json")
    try:
        text = (where / "study.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(
            f"{quoted(str(folder))} lacks a readable study.toml; run the study again with the same folder."
        ) from error
    for key in ("parts", "claims", "systems", "provenance", "study"):
        if key not in summary:
            raise ResultsError(
                f"The results in {quoted(str(folder))} lack '{key}'; run the study again with the same folder."
            )
    if summary.get("study_hash") != text_hash(text):
        raise ResultsError(
            f"The results in {quoted(str(folder))} are not of its study.toml; run the study again with the same folder."
        )
    return Results(where, parse_study(text, str(summary["study"]), where), summary)


def text_hash(text: str) -> str:
    """What tells one study from another."""
    return hashlib.sha256(text.encode()).hexdigest()
