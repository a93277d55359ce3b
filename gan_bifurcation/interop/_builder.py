"""A small builder of extension modules, in place of distutils, for PyDSTool's C and Fortran generators.

PyDSTool describes each library by ``Extension(...)`` and ``setup(...)`` of distutils, which left Python with 3.12.
Here the same two names run SWIG and the compilers directly. Object files stay in the build folder, so that AUTO's
thirty files are compiled once per folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gan_bifurcation.errors import GanBifurcationError

__all__ = ["Extension", "MissingToolError", "missing_tools", "require_tools", "setup", "shared_library_suffix"]

_log = logging.getLogger(__name__)

# The macros of the numpy.i of 2006 that AUTO's interface includes; NumPy 2 no longer has them.
_NUMPY_MACROS: Final = (
    "-DNDARRAY_VERSION=0x02000000",
    "-DNPY_DEFAULT=NPY_ARRAY_DEFAULT",
    "-DNPY_FORTRAN=NPY_ARRAY_F_CONTIGUOUS",
    "-DNPY_FARRAY=NPY_ARRAY_FARRAY",
)
# SWIG < 4.3 wrote these itself.
_SWIG_MACROS: Final = ("-DPyInt_Check=PyLong_Check", "-DPyInt_AsLong=PyLong_AsLong", "-DPyString_Check=PyUnicode_Check")
_FORTRAN: Final = frozenset({".f", ".f77", ".f90"})
# Without NDEBUG, a failed C assertion of the integrators ends the whole process.
_C_FLAGS: Final = ("-O2", "-fPIC", "-DNDEBUG")
_FORTRAN_FLAGS: Final = ("-O2", "-fPIC", "-std=legacy", "-w")


class MissingToolError(GanBifurcationError, RuntimeError):
    """A compiler or SWIG is needed and not installed, or it failed."""


@dataclass
class Extension:
    """The part of ``distutils.core.Extension`` that PyDSTool uses; a library may be ``(name, {"sources": [...]})``."""

    name: str
    sources: list[str]
    include_dirs: Sequence[str] = field(default_factory=list)
    library_dirs: Sequence[str] = field(default_factory=list)
    libraries: Sequence[str | tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    extra_compile_args: Sequence[str] = field(default_factory=list)
    extra_link_args: Sequence[str] = field(default_factory=list)


def shared_library_suffix() -> str:
    """The ending of an extension module's file on this Python."""
    return str(sysconfig.get_config_var("EXT_SUFFIX") or ".so")


def _compiler() -> str | None:
    configured = str(sysconfig.get_config_var("CC") or "").partition(" ")[0]
    names = (os.environ.get("CC", ""), configured, "gcc", "cc")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def missing_tools(fortran: bool = False) -> tuple[str, ...]:
    """The programs that a C generator needs and this machine lacks; empty if it can be built.

    Parameters
    ----------
    fortran : bool
        Whether a Fortran compiler is needed too (Radau).

    Examples
    --------
    >>> set(missing_tools(fortran=True)) <= {"swig", "a C compiler", "gfortran", "Python.h"}
    True
    """
    lacking = []
    if shutil.which("swig") is None:
        lacking.append("swig")
    if _compiler() is None:
        lacking.append("a C compiler")
    if fortran and shutil.which("gfortran") is None:
        lacking.append("gfortran")
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        lacking.append("Python.h")
    return tuple(lacking)


def require_tools(fortran: bool = False) -> None:
    """Raise MissingToolError unless everything is there."""
    lacking = missing_tools(fortran)
    if lacking:
        raise MissingToolError(
            f"PyDSTool's C generators need {' and '.join(lacking)}, not found on this machine: "
            "install what is missing, or register with target='vode', which needs no compiler."
        )


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    _log.debug("%s\n%s%s", " ".join(command), done.stdout, done.stderr)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).splitlines() or ["it gave no message"]
        first = next((line for line in lines if "error" in line.lower()), lines[0]).strip()
        raise MissingToolError(f"{Path(command[0]).name} failed on PyDSTool's generated code ({first}).")


def _swig_macros() -> tuple[str, ...]:
    told = subprocess.run(["swig", "-version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"Version (\d+)\.(\d+)", told)
    return _SWIG_MACROS if version and (int(version[1]), int(version[2])) >= (4, 3) else ()


def _is_current(product: Path, source: Path) -> bool:
    return product.is_file() and product.stat().st_mtime_ns > source.stat().st_mtime_ns


def _object_file(source: Path, flags: Sequence[str], folder: Path) -> tuple[Path, list[str] | None]:
    """Where the object of `source` is, and the command that makes it, or None if it is up to date."""
    key = hashlib.sha256("\0".join([str(source.resolve()), *flags]).encode()).hexdigest()[:12]
    product = folder / f"{source.stem}_{key}.o"
    if _is_current(product, source):
        return product, None
    compiler = "gfortran" if source.suffix.lower() in _FORTRAN else _compiler() or "cc"
    return product, [compiler, *flags, "-c", str(source), "-o", str(product)]


def _option(arguments: Sequence[str], name: str) -> str | None:
    return next((text.partition("=")[2] for text in arguments if text.startswith(f"--{name}=")), None)


def _places(extension: Extension, arguments: Sequence[str]) -> tuple[Path, Path, str]:
    """Folder of object files, folder of the finished module, and the module's plain name."""
    folder, _, module = extension.name.rpartition(".")
    build = _option(arguments, "build-temp") or _option(arguments, "build-base") or "."
    return Path(build), Path(folder or _option(arguments, "build-lib") or "."), module


def _wrapper_home(interface: Path, arguments: Sequence[str]) -> Path:
    """Where PyDSTool looks for SWIG's Python file: beside the interface, or where numpy.distutils put it for AUTO."""
    base = _option(arguments, "build-base")
    if base is None:
        return interface.parent
    from PyDSTool.utils import distutil_destination

    return Path(base) / str(distutil_destination()) / interface.parent.name


def setup(*, script_args: Sequence[str] = (), ext_modules: Sequence[Extension] = (), **_unused: object) -> None:
    """Build extension modules as ``distutils.core.setup`` did for PyDSTool; raises MissingToolError if that fails."""
    import numpy as np

    for extension in ext_modules:
        described = [entry[1]["sources"] for entry in extension.libraries if isinstance(entry, tuple)]
        sources = [Path(name) for name in (*extension.sources, *(name for names in described for name in names))]
        fortran = any(source.suffix.lower() in _FORTRAN for source in sources)
        require_tools(fortran)
        build, target, module = _places(extension, script_args)
        for folder in (build, target):
            folder.mkdir(parents=True, exist_ok=True)
        includes = [f"-I{name}" for name in (*extension.include_dirs, np.get_include())]
        includes += sorted({f"-I{sysconfig.get_path(kind)}" for kind in ("include", "platinclude")})
        c_flags = [*_C_FLAGS, *_NUMPY_MACROS, *_swig_macros(), *includes, *extension.extra_compile_args]
        f_flags = [*_FORTRAN_FLAGS, *includes]
        objects, commands = [], []
        for source in sources:
            if source.suffix == ".i":
                source = _wrap(source, includes, _wrapper_home(source, script_args), build)
            flags = f_flags if source.suffix.lower() in _FORTRAN else c_flags
            product, command = _object_file(source, flags, build)
            objects.append(str(product))
            if command is not None:
                commands.append(command)
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            list(pool.map(_run, commands))
        shared = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
        libraries = [f"-L{name}" for name in extension.library_dirs] + [
            f"-l{name}" for name in extension.libraries if isinstance(name, str)
        ]
        linker = "gfortran" if fortran else _compiler() or "cc"
        library = str(target / (module + shared_library_suffix()))
        _run([linker, *shared, *objects, *extension.extra_link_args, *libraries, "-lm", "-o", library])


def _wrap(interface: Path, includes: Sequence[str], home: Path, build: Path) -> Path:
    """Run SWIG; its Python file goes to `home`, its C file is returned."""
    home.mkdir(parents=True, exist_ok=True)
    wrapper = build / f"{interface.stem}_wrap.c"
    _run(["swig", "-python", *includes, "-outdir", str(home), "-o", str(wrapper), str(interface)])
    return wrapper
