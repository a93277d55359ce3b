"""Systems as native PyDSTool objects, and back.

Vectors of PyDSTool are ordered by its names, alphabetically; `name_map` tells which name stands for which of ours.
"""

from __future__ import annotations

import atexit
import hashlib
import itertools
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.interop import _builder
from gan_bifurcation.interop._bridge import install
from gan_bifurcation.interop._curves import to_contclass, to_pointset, to_trajectory
from gan_bifurcation.interop._names import from_pydstool_name, name_map, names_for, store, to_pydstool_name
from gan_bifurcation.interop._reading import from_pydstool
from gan_bifurcation.interop._specs import Specification, specify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gan_bifurcation.system import System

__all__ = [
    "from_pydstool",
    "from_pydstool_name",
    "name_map",
    "register",
    "to_contclass",
    "to_pointset",
    "to_pydstool_name",
    "to_trajectory",
]

Target = Literal["vode", "dopri", "radau"]

_CLASSES: Final = {"vode": "Vode_ODEsystem", "dopri": "Dopri_ODEsystem", "radau": "Radau_ODEsystem"}
_INTERVAL: Final = (0.0, 100.0)
_BUILDING: Final = threading.RLock()
_builds = itertools.count(1)


def register(
    system: System,
    target: Target | None = None,
    *,
    name: str | None = None,
    initial: Mapping[str, float] | None = None,
    interval: tuple[float, float] | None = None,
) -> Any:
    """A system as a native PyDSTool Generator.

    Parameters
    ----------
    system : System
    target : "vode", "dopri" or "radau", optional
        For flows: the integrator ("vode" by default; the other two are compiled and need SWIG, a C compiler and, for
        Radau, a Fortran compiler). Maps become a MapSystem.
    name : str, optional
        The system's name by default. Compiled generators get a hash of the equations appended, since PyDSTool would
        otherwise silently go on using older equations of the same name.
    initial : mapping of state to float, optional
        Initial conditions under our names; by default the known equilibrium, or zero.
    interval : pair of float, optional
        Times (maps: numbers of iterations) between which PyDSTool computes; (0, 100) by default.

    Returns
    -------
    PyDSTool Generator
        With the exact Jacobian where PyDSTool takes one (flows). It can be pickled. `name_map` gives its names.

    Raises
    ------
    MisuseError
        If an argument does not fit the system, or its equations are too long for PyDSTool.
    MissingToolError
        If a compiled target is asked for and a tool is missing.

    Examples
    --------
    >>> from gan_bifurcation.system import System
    >>> henon = System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, parameters={"a": 0.1, "b": 0.3})
    >>> generator = register(henon, initial={"x": 0.0, "y": 1.0})
    >>> generator.Rhs(0, {"x": 1.0, "y": 2.0}, {"a": 0.5, "b": 0.25}, asarray=True).tolist()
    [0.0, 1.0]
    """
    if not hasattr(system, "tape"):
        raise MisuseError(
            f"A Generator is made of a System, such as gb.system(game, rule), got {type(system).__name__}."
        )
    if system.tape.solves:
        raise MisuseError(
            f"'{system.name}' solves equations in every step, which no specification of PyDSTool can say; register "
            "it under an explicit rule."
        )
    if system.kind == "map" and target is not None:
        raise MisuseError(f"A map is registered as PyDSTool's MapSystem, without a target, but got target='{target}'.")
    chosen = target or "vode"
    if chosen not in _CLASSES:
        raise unknown_name("target", str(target), _CLASSES)
    install()
    compiled = system.kind == "flow" and chosen != "vode"
    if compiled:
        _builder.require_tools(fortran=chosen == "radau")
    names = names_for((*system.states, *system.parameters))
    text = specify(system, names, jacobian=system.kind == "flow", code_allowed=not compiled)
    title = _title(name or system.name)
    if compiled:
        title += "_" + _digest(text, names)
    arguments = _arguments(system, text, names, title, _initial(system, initial), _interval(system, interval))
    from PyDSTool import Generator

    if system.kind == "map":
        generator = Generator.MapSystem(arguments)
    elif compiled:
        generator = _compiled(getattr(Generator, _CLASSES[chosen]), arguments)
    else:
        generator = Generator.Vode_ODEsystem(arguments)
    store(generator, names)
    return generator


def _arguments(
    system: System,
    text: Specification,
    names: Mapping[str, str],
    title: str,
    initial: Mapping[str, float],
    interval: tuple[float, float],
) -> Any:
    from PyDSTool import args

    arguments = args(
        name=title,
        varspecs=text.equations,
        pars={names[key]: value for key, value in system.parameters.items()},
        ics={names[key]: value for key, value in initial.items()},
        fnspecs=text.functions,
        tdomain=[float("-inf"), float("inf")] if system.kind == "flow" else [0, max(int(interval[1]), 1)],
    )
    if system.kind == "map":
        arguments.ttype = int
    else:
        arguments.tdata = list(interval)
    if text.code:
        arguments.vfcodeinsert_start = text.code
        arguments.ignorespecial = list(text.intermediates)
    return arguments


def _initial(system: System, initial: Mapping[str, float] | None) -> dict[str, float]:
    if initial is None:
        guess = system.equilibrium_guess()
        values = [0.0] * system.n if guess is None else guess.tolist()
    else:
        values = system.state_vector(initial).tolist()
    return dict(zip(system.states, values, strict=True))


def _interval(system: System, interval: tuple[float, float] | None) -> tuple[float, float]:
    low, high = _INTERVAL if interval is None else (float(interval[0]), float(interval[1]))
    if not (abs(low) < float("inf") and low < high < float("inf")):
        raise MisuseError(f"An interval needs two finite numbers, the smaller one first, but got ({low}, {high}).")
    if system.kind == "map" and (low != 0 or high != int(high)):
        raise MisuseError(f"For a map the interval is (0, number of iterations), but got ({low}, {high}).")
    return low, high


def _title(name: str) -> str:
    """A name that can be part of a C identifier and of a file's name."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return plain if plain and not plain[0].isdigit() else f"system_{plain}"


def _digest(text: Specification, names: Mapping[str, str]) -> str:
    parts = [
        *sorted(names.values()),
        *(f"{key}={value}" for key, value in sorted(text.equations.items())),
        repr(text.functions),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _compiled(cls: Any, arguments: Any) -> Any:
    """Build a compiled generator in a folder of this process; PyDSTool knows only the current folder."""
    with _BUILDING, _inside(_build_folder()):
        # One library serves one generator: its integrator keeps its state in global variables of C.
        arguments.name = f"{arguments.name}_{next(_builds)}"
        return cls(arguments)


@cache
def _build_folder() -> str:
    folder = tempfile.mkdtemp(prefix="gan_bifurcation_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # PyDSTool imports what it built as a package of the current folder.
    sys.path.append(folder)
    return folder


@contextmanager
def in_build_folder() -> Iterator[None]:
    """Work in the folder of compiled libraries of this process, one thread at a time."""
    with _BUILDING, _inside(_build_folder()):
        yield


@contextmanager
def _inside(folder: str) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
