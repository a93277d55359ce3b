"""Public names of a package that load their modules when first used (PEP 562)."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from gan_bifurcation.errors import nearest_name

__all__ = ["lazy_names"]


class _Package(ModuleType):
    """A package with public names that a submodule of the same name cannot hide.

    Importing the module ``gan_bifurcation.system`` sets the attribute ``system`` of the package; without this class,
    ``gb.system(game, rule)`` would call a module from then on.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (isinstance(value, ModuleType) and name in self.__dict__["_lazy_homes"]):
            ModuleType.__setattr__(self, name, value)


def lazy_names(
    package: str, homes: Mapping[str, str], subpackages: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a package whose public names live in other modules.

    Parameters
    ----------
    package : str
        Its name, as in ``__name__``.
    homes : mapping of str to str
        The module of each public name.
    subpackages : sequence of str
        Subpackages that are public too.

    Returns
    -------
    tuple of callables
        To be bound to ``__getattr__`` and ``__dir__`` in the package.
    """
    module = sys.modules[package]
    module.__dict__["_lazy_homes"] = homes
    module.__class__ = _Package

    def load(name: str) -> Any:
        if name in subpackages:
            return import_module(f"{package}.{name}")
        if name not in homes:
            message = f"module '{package}' has no attribute '{name}'"
            # Python itself asks for names with underscores that may well be missing.
            hint = "" if name.startswith("_") else nearest_name(name, [*homes, *subpackages])
            raise AttributeError(f"{message}. {hint}" if hint else message)
        value = getattr(import_module(homes[name]), name)
        module.__dict__[name] = value
        return value

    def listed() -> list[str]:
        return sorted({*module.__dict__, *homes, *subpackages})

    return load, listed
