"""Makes ``import PyDSTool`` (0.91.0, the last release) work on current Python, NumPy and SciPy.

A finder in front of `sys.meta_path` loads the modules of PyDSTool with builtins of their own (`_legacy`) and
repairs a few of them after loading (`_repairs`). No installed file is touched, and numpy, scipy, the builtins and
`sys.modules` are the same for everyone else before, during and after.

Objects of PyDSTool are pickled by way of `restore`, so that un-pickling them in a fresh process brings the bridge
in before the first of PyDSTool's classes is looked up.
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import Any, SupportsIndex

__all__ = ["install", "restore"]

_PACKAGE = "PyDSTool"


class _Loader(SourceFileLoader):
    """Loads one module of PyDSTool; byte code is cached as usual."""

    def exec_module(self, module: types.ModuleType) -> None:
        from gan_bifurcation.interop import _legacy, _repairs

        vars(module)["__builtins__"] = _legacy.builtins_for(module)
        with warnings.catch_warnings():
            # Compiling PyDSTool's source warns of "is" with literals and of unknown escapes; they are upstream's.
            warnings.simplefilter("ignore")
            super().exec_module(module)
        _repairs.repair(module)
        for cls in _legacy.loaded_classes(module):
            _hook_pickling(cls)


class _Finder(MetaPathFinder):
    """Finds PyDSTool and its submodules where Python would, and hands them to `_Loader`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _PACKAGE and not fullname.startswith(_PACKAGE + "."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


_FINDER = _Finder()


def install() -> None:
    """Let PyDSTool be imported in this process; calling it again does nothing.

    Examples
    --------
    >>> install()
    >>> import numpy, PyDSTool
    >>> hasattr(numpy, "Inf"), PyDSTool.__LICENSE__[:9]
    (False, 'Copyright')
    """
    if _FINDER in sys.meta_path:
        return
    if _PACKAGE not in sys.modules:
        # What an earlier, failed import of PyDSTool left behind was loaded without the bridge.
        for name in [name for name in sys.modules if name.startswith(_PACKAGE + ".")]:
            del sys.modules[name]
    sys.meta_path.insert(0, _FINDER)


def restore(rebuild: Callable[..., Any], *arguments: Any) -> Any:
    """Rebuild a pickled object of PyDSTool; a pickle names this function first; its import installs the bridge."""
    return rebuild(*arguments)


def _hook_pickling(cls: type) -> None:
    """Make instances of `cls` (and of its subclasses) pickle by way of `restore`."""
    original: Any = cls.__reduce_ex__
    if getattr(original, "by_way_of_restore", False):
        return

    def reduce(self: object, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        reduced = original(self, protocol)
        if isinstance(reduced, str):
            return reduced
        rebuild, arguments, *state = reduced
        return (restore, (rebuild, *arguments), *state)

    reduce.by_way_of_restore = True  # type: ignore[attr-defined]
    cls.__reduce_ex__ = reduce  # type: ignore[assignment, method-assign]
