"""Decorators of compiled functions, and the cache that processes share while they compile.

Processes that start together from nothing need the same functions at the same time. With the compiler's own cache each
compiles all of them; here one compiles, and the others wait for that function and load it.
"""

import hashlib
import os
import re
import time
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import numba
import numba.core.caching
import numba.core.ccallback
import numba.core.registry
import numba.core.sigutils

try:
    import fcntl
except ImportError:  # Windows has no locks of this kind: there each process compiles for itself.
    fcntl = None  # type: ignore[assignment]

__all__ = ["callback", "entry", "inner", "is_kept", "jit", "leaf", "shared"]

PATIENCE: Final = 120.0  # seconds: longer than any function takes on a loaded machine
_PAUSE: Final = 0.02

# Numba declares no types for these.
_njit: Any = numba.njit
_CFunc: Any = numba.core.ccallback.CFunc
_FunctionCache: Any = numba.core.caching.FunctionCache
_normalize: Any = numba.core.sigutils.normalize_signature
_Dispatcher: Any = numba.core.registry.CPUDispatcher


class _Turns:
    """Locks between processes, one for each name, in one file of a folder: free when a process ends."""

    def __init__(self) -> None:
        self._files: dict[tuple[int, str], int | None] = {}

    def _file(self, folder: str) -> int | None:
        key = (os.getpid(), folder)
        if key not in self._files:
            try:
                Path(folder).mkdir(parents=True, exist_ok=True)
                self._files[key] = os.open(Path(folder, "compiling.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError:
                self._files[key] = None
        return self._files[key]

    def take(self, folder: str, name: str) -> None:
        """Wait until no other process has the turn; after `PATIENCE`, or where there are no locks, go on without."""
        file = self._file(folder)
        if fcntl is None or file is None:
            return
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, zlib.crc32(name.encode()))
            except (BlockingIOError, PermissionError):
                time.sleep(_PAUSE)
            except OSError:
                return
            else:
                return

    def give(self, folder: str, name: str) -> None:
        file = self._file(folder)
        if fcntl is None or file is None:
            return
        try:
            fcntl.lockf(file, fcntl.LOCK_UN, 1, zlib.crc32(name.encode()))
        except OSError:
            return


_turns: Final = _Turns()


# What the source of a module says that it takes from modules of this package.
_IMPORTS: Final = re.compile(r"^\s*from (gan_bifurcation[\w.]*) import (\([^)]*\)|[^\n#]*)", re.MULTILINE)
_COMPILED: Final = re.compile(r"\bnumba\b|^@(?:jit|inner|leaf|entry|linked|shared)\b", re.MULTILINE)
_DEFINES: Final = re.compile(r"^(?:def|class|async def) ", re.MULTILINE)


@cache
def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


@cache
def _is_taken(path: Path) -> bool:
    """Whether compiled code can hold a copy of something of a file: compiled functions, or constants."""
    text = _source(path)
    return bool(text) and bool(_COMPILED.search(text) or not _DEFINES.search(text))


@cache
def _taken(path: Path) -> frozenset[Path]:
    """Files of modules that a file imports and that its compiled functions can be built of."""
    root = Path(__file__).parent
    found: set[Path] = set()
    for module, names in _IMPORTS.findall(_source(path)):
        base = root.joinpath(*module.split(".")[1:])
        listed = [word.split()[0] for word in names.strip("()\n ").split(",") if word.split()]
        found.update(f for f in (base.with_suffix(".py"), *(base / f"{name}.py" for name in listed)) if _is_taken(f))
    return frozenset(found)


@cache
def _stamp(path: Path) -> str:
    """What changes when compiled functions of a file may: its source, and that of all that they may be built of.

    Numba's own stamp is the time of the file alone. After an update that leaves the file as it is and changes what its
    functions call, they would be loaded as they were, and write where nothing is theirs.
    """
    seen, left = {path}, [path]
    while left:
        new = _taken(left.pop()) - seen
        seen |= new
        left += new
    whole = hashlib.sha256()
    for file in sorted(seen):
        whole.update(f"{file.name}\0{_source(file)}\0".encode())
    return whole.hexdigest()


class _SharedCache(_FunctionCache):  # type: ignore[misc]
    """Numba's cache of a function; who finds nothing there takes the turn to compile it, or waits for who has it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = super().load_overload(sig, target_context)
        if found is None:
            _turns.take(self._cache_path, self._impl.filename_base)
            found = super().load_overload(sig, target_context)
            if found is not None:
                self._give()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        finally:
            self._give()

    def is_kept(self) -> bool:
        return bool(self._cache_file._load_index())

    def _give(self) -> None:
        _turns.give(self._cache_path, self._impl.filename_base)


class _Inner(_Dispatcher):  # type: ignore[misc]
    """A function without a wrapper for Python, which a call from there would miss by ending the process."""

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"{self.py_func.__name__} is called by compiled code only; from Python take its .py_func.")


def shared(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with these options and the shared cache."""

    def decorate(function: Callable[..., Any]) -> Any:
        compiled = _njit(nogil=True, error_model="numpy", **options)(function)
        compiled._cache = _SharedCache(function)
        if options.get("no_cpython_wrapper"):
            compiled.__class__ = _Inner
        return compiled

    return decorate


jit: Any = shared()
# For what only compiled code calls: without the wrappers for Python, which cost as much to compile as a small function.
inner: Any = shared(no_cpython_wrapper=True, no_cfunc_wrapper=True)
# For what allocates nothing either: counting references to the arrays of the tape took longer than the operations.
leaf: Any = shared(no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)
# The same for what Python calls: arrays as arguments cost nothing.
entry: Any = shared(_nrt=False)


def is_kept(compiled: Any) -> bool:
    """Whether a function has been compiled for any types, in this process or earlier on this machine."""
    return bool(compiled.overloads) or bool(compiled._cache.is_kept())


def callback(function: Callable[..., Any], signature: Any, options: dict[str, Any]) -> Any:
    """The function compiled for these types, with an ``address`` at which C, or compiled code, can call it."""
    types = _normalize(signature)
    compiled = _CFunc(function, types, locals={}, options={"error_model": "numpy", **options})
    try:
        compiled._cache = _SharedCache(function)
    except RuntimeError as error:
        # A function that comes from no file, as one typed at a prompt.
        if "cannot cache" not in str(error):
            raise
    compiled.compile()
    return compiled
