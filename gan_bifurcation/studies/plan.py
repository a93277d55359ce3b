"""The parts of a study: what each one needs, and a key that changes when its result could."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gan_bifurcation
from gan_bifurcation.errors import MisuseError, StudyFileError, unknown_name
from gan_bifurcation.expressions import parse, symbol
from gan_bifurcation.studies.reading import plain
from gan_bifurcation.studies.schema import MapSpec, NoiseSpec, Study, TableSpec
from gan_bifurcation.studies.systems import check_free, digest_of_game
from gan_bifurcation.studies.tabulating import check_settings
from gan_bifurcation.system import System

# Kinds of parts that are computed of a system.
_OF_SYSTEMS: Final = ("branch", "curve", "tongues", "set", "map", "basins", "noise", "staircase", "orbit")
# What claims are about, and the kinds of parts that they may name there.
_CLAIMED: Final = {
    "point": ("branch", "curve", "set", "tongues"), "curve": ("branch", "curve", "set"), "map": ("map",),
    "table": ("table", "certificate", "staircase"), "noise": ("noise",), "basins": ("basins",), "orbit": ("orbit",),
}  # fmt: skip
# Raised when results of the same study would be written otherwise.
FORMAT = 2


@dataclass(frozen=True, eq=False)
class Part:
    """One thing to compute.

    Attributes
    ----------
    kind : str
        branch, curve, tongues, set, certificate, map, basins, noise, staircase, orbit, table or figure.
    name : str
    section : object
        Its section of the study.
    needs : tuple of str
        Identifiers of the parts that it is made from.
    system : str
        The name of its system, "" for the study's main one.
    key : str
        Of everything that its result depends on.
    """

    kind: str
    name: str
    section: Any
    needs: tuple[str, ...]
    system: str
    key: str

    @property
    def identifier(self) -> str:
        return f"{self.kind}-{self.name}"


def plan(study: Study, systems: Mapping[str, System], folder: Path | None = None) -> tuple[Part, ...]:
    """The parts in an order in which each comes after what it needs.

    Parameters
    ----------
    study : Study
    systems : mapping of str to System
    folder : path, optional
        Where its game files are: a part is computed again when they change.

    Raises
    ------
    StudyFileError
        If a section refers to what is not there, or branches refer to each other in a circle.
    """
    sections = {(kind, section.name): section for kind, section in study.sections()}
    computed = {section.name: kind for kind, section in study.sections() if kind != "figure"}
    digests = {name: digest_of_game(spec, folder) for name, spec in study.all_systems.items()}
    done: dict[str, Part] = {}
    active: list[str] = []

    def add(kind: str, name: str) -> Part:
        identifier = f"{kind}-{name}"
        if identifier in done:
            return done[identifier]
        if identifier in active:
            raise StudyFileError(
                f"The branch '{name}' begins at a point of itself, through 'from'; begin one of them at an equilibrium."
            )
        active.append(identifier)
        section = sections[kind, name]
        where = f"{kind} '{name}'"
        needs = [add(*_found(computed, other, where)) for other in _mentioned(kind, section)]
        if kind == "branch" and section.orbit and computed[section.orbit] != "orbit":
            raise StudyFileError(
                f"In {where}: 'orbit' names an [[orbit]], but '{section.orbit}' is a {computed[section.orbit]}."
            )
        follows = kind == "tongues" or getattr(section, "begin", None) or (kind == "branch" and section.orbit)
        system = needs[0].system if follows else getattr(section, "system", "")
        if kind in _OF_SYSTEMS:
            _check(systems, system, section, where)
        elif kind == "table":
            _check_table(section, where)
        spec = study.all_systems.get(system)
        depends = {
            "version": gan_bifurcation.__version__, "format": FORMAT, "kind": kind, "section": plain(section),
            "system": plain(spec) if spec is not None and kind in _OF_SYSTEMS else None,
            "game": digests[system] if kind in _OF_SYSTEMS else "",
            "seed": study.seed, "needs": [p.key for p in needs],
        }  # fmt: skip
        key = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:32]
        done[identifier] = Part(kind, name, section, tuple(p.identifier for p in needs), system, key)
        active.pop()
        return done[identifier]

    for kind, section in study.sections():
        add(kind, section.name)
    _check_claims(study, computed)
    return tuple(done.values())


def _mentioned(kind: str, section: Any) -> list[str]:
    begin = getattr(section, "begin", None)
    if begin:
        return [begin.partition(":")[0]]
    if kind == "branch":
        return [section.orbit] if section.orbit else []
    if kind == "tongues":
        return [section.of]
    if kind == "map":
        return list(dict.fromkeys(section.curves))
    if kind == "certificate":
        return list(dict.fromkeys(reference.partition(":")[0] for reference in section.of))
    if kind != "figure":
        return []
    names = [
        *section.of,
        *([section.map] if section.map else []),
        *(n for group in section.panels.values() for n in group),
    ]
    return list(dict.fromkeys(names))


def _found(computed: Mapping[str, str], name: str, where: str) -> tuple[str, str]:
    if name not in computed:
        raise StudyFileError(f"In {where}: {unknown_name('part of the study', name, computed)}")
    return computed[name], name


def _check(systems: Mapping[str, System], name: str, section: Any, where: str) -> None:
    """Names of systems, parameters and states, before anything is computed."""
    if name not in systems:
        if not name:
            raise StudyFileError(f"In {where}: no 'system' is named and there is no [system] section; add one of them.")
        raise StudyFileError(f"In {where}: {unknown_name('system', name, [n for n in systems if n])}")
    system = systems[name]
    try:
        for parameter in getattr(section, "parameters", {}):
            system.parameter_index(parameter)
        named = {**(getattr(section, "start", None) or {}), **(getattr(section, "initial", None) or {})}
        watched = section.states if isinstance(section, NoiseSpec) else ()
        for state in (*named, *getattr(section, "box", {}), *getattr(section, "plane", {}), *watched):
            if state not in system.states:
                raise unknown_name("state", state, system.states)
        check_free(system.with_parameters(**getattr(section, "parameters", {})), getattr(section, "free", {}))
        if isinstance(section, MapSpec):
            from gan_bifurcation.regimes.draws import check_length

            check_length(system, section.steps)
        if isinstance(section, NoiseSpec):
            from gan_bifurcation.studies.noising import check_noise

            check_noise(section, system)
    except MisuseError as error:
        raise StudyFileError(f"In {where}: {error}") from error


def _check_table(section: TableSpec, where: str) -> None:
    try:
        check_settings(section.of, section.settings)
    except MisuseError as error:
        raise StudyFileError(f"In {where}: {error}") from error


def _check_claims(study: Study, computed: Mapping[str, str]) -> None:
    """Parts that claims mention, and whether what they say can be read, before hours are spent on the rest."""
    for name, definition in study.define.items():
        _check_expression(definition, f"define.{name}")
    for number, claim in enumerate(study.claim):
        where = f"claim[{number + 1}]"
        if claim.against:
            _found(computed, claim.against.partition(":")[0], where)
        for of, kinds in _CLAIMED.items():
            if (reference := getattr(claim, of)) is not None:
                kind, name = _found(computed, reference.partition(":")[0], where)
                if kind not in kinds:
                    raise StudyFileError(
                        f"In {where}: '{of}' names a {' or '.join(kinds)}, but '{name}' is a part of kind '{kind}'."
                    )
        for text in (claim.value, claim.expected, claim.zero):
            if isinstance(text, str):
                _check_expression(text, where)


def _check_expression(text: str, where: str) -> None:
    """Whether a text is an expression at all; which names have values is known where it is evaluated."""
    names = {name for name in re.findall(r"[A-Za-z_]\w*(?!\w*\s*\()", text) if not name.startswith("_")}
    try:
        parse(text, {name: symbol(name) for name in names})
    except MisuseError as error:
        raise StudyFileError(f"In {where}: {error}") from error
