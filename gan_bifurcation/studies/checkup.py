"""Whether what is installed works: what `gan-bifurcation doctor` says."""

import os
import time
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import gan_bifurcation
from gan_bifurcation.continuation.equilibria import point
from gan_bifurcation.continuation.trace import trace
from gan_bifurcation.errors import GanBifurcationError
from gan_bifurcation.system import System

_PACKAGES = ("numpy", "scipy", "sympy", "numba", "shapely", "networkx", "matplotlib", "jinja2", "rich", "pydantic")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    text: str


def checkup() -> list[Check]:
    """Packages, the cache of compiled code, and a branch against its closed form."""
    checks = [_package(name) for name in _PACKAGES]
    checks.append(_pydstool())
    checks.append(_cache())
    checks.append(_henon())
    checks.append(Check("processors", True, str(os.cpu_count())))
    return checks


def _package(name: str) -> Check:
    try:
        import_module(name)
        return Check(name, True, version(name))
    except (ImportError, PackageNotFoundError) as error:
        return Check(name, False, f"does not import ({error}); install the package again")


def _pydstool() -> Check:
    try:
        import_module("gan_bifurcation.interop.pydstool")
        return Check("PyDSTool", True, version("PyDSTool"))
    except (ImportError, PackageNotFoundError) as error:
        return Check("PyDSTool", False, f"does not import ({error}); install PyDSTool 0.91.0")


def _cache() -> Check:
    """Compiled code is kept between runs if its folder can be written."""
    folder = os.environ.get("NUMBA_CACHE_DIR") or str(Path(gan_bifurcation.__file__).parent)
    if os.access(folder, os.W_OK):
        return Check("compiled code", True, "is kept between runs")
    return Check(
        "compiled code", True, "its folder cannot be written, so every run compiles again; set NUMBA_CACHE_DIR"
    )


def _henon() -> Check:
    began = time.perf_counter()
    try:
        henon = System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, parameters={"a": 0.1, "b": 0.3})
        found = trace(point(henon, {"x": 0.1, "y": 0.1}), {"a": (-1, 2)})["PD1"].parameters["a"]
    except GanBifurcationError as error:
        return Check("continuation", False, str(error))
    # The fixed point of the Henon map doubles at a = 3 (1 - b)^2/4.
    fault = abs(found - 0.75 * 0.7**2)
    return Check(
        "continuation", fault < 1e-9, f"flip of the Henon map met to {fault:.0e} in {time.perf_counter() - began:.1f} s"
    )
