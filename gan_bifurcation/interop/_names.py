"""Names at the border: PyDSTool refuses, misreads or silently reinterprets many short names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.interop._bridge import install

__all__ = ["from_pydstool_name", "name_map", "names_for", "to_pydstool_name"]

# Functions of math and random in some Python from 3.11 on, so that a name does not depend on the Python in use.
_OF_SOME_PYTHON: Final = frozenset(
    {
        *("cbrt", "exp2", "fma", "nextafter", "ulp", "sumprod", "isqrt", "lcm", "perm", "comb", "dist", "prod", "tau"),
        *("binomialvariate", "randbytes", "getrandbits"),
    }
)
# Names that PyDSTool's generated functions use for themselves, in Python or in C.
_OF_GENERATED_CODE: Final = frozenset(
    {
        *("t", "ds", "array", "parsinps", "math", "numpy", "scipy", "Jacobian", "Jacobian_pars", "massMatrix"),
        *(
            "vfieldfunc",
            "auxvars",
            "signum",
            "gICs",
            "gBds",
            "globalt0",
            "double",
            "int",
            "float",
            "char",
            "void",
            "long",
        ),
        *(
            "short",
            "unsigned",
            "signed",
            "const",
            "static",
            "extern",
            "struct",
            "switch",
            "case",
            "do",
            "goto",
            "default",
        ),
        *("register", "sizeof", "typedef", "union", "volatile", "auto", "enum", "inline", "restrict", "NULL"),
    }
)
# PyDSTool reads "e1" as Euler's number followed by a digit, and refuses a leading underscore.
_MISREAD: Final = re.compile(r"(n_)*(_|[eE][0-9])")
_PREFIX: Final = "n_"
# Where the map is kept on a generator; a plain attribute, so it is pickled with it.
_ATTRIBUTE: Final = "gan_bifurcation_names"


@cache
def _reserved() -> frozenset[str]:
    install()
    from PyDSTool.parseUtils import protected_allnames, reserved_keywords
    from PyDSTool.Symbolic import allmathnames_symbolic

    titled = {name.title() for name in _OF_SOME_PYTHON}
    return frozenset(
        {
            *protected_allnames,
            *reserved_keywords,
            *allmathnames_symbolic,
            *_OF_SOME_PYTHON,
            *titled,
            *_OF_GENERATED_CODE,
        }
    )


def to_pydstool_name(name: str) -> str:
    """The name that stands for `name` in PyDSTool: the same, unless PyDSTool keeps it for itself.

    Parameters
    ----------
    name : str
        A state or parameter of ours.

    Returns
    -------
    str
        A name that PyDSTool takes; different names stay different.

    Examples
    --------
    >>> to_pydstool_name("sigma"), to_pydstool_name("gamma"), to_pydstool_name("e1")
    ('sigma', 'gamma_', 'n_e1')
    """
    if not name.isascii():
        name = "".join(letter if letter.isascii() else f"U{ord(letter):04x}" for letter in name)
    if _MISREAD.match(name):
        name = _PREFIX + name
    # Underscores are counted off first, so that "gamma_" of ours does not meet "gamma_" for our "gamma".
    return name + "_" if name.rstrip("_") in _reserved() or name.startswith("gb_") else name


def from_pydstool_name(name: str) -> str:
    """The inverse of `to_pydstool_name` (for names in ASCII).

    >>> from_pydstool_name("gamma_"), from_pydstool_name("n_e1"), from_pydstool_name("sigma")
    ('gamma', 'e1', 'sigma')
    """
    if name.endswith("_") and (name.rstrip("_") in _reserved() or name.startswith("gb_")):
        name = name[:-1]
    rest = name.removeprefix(_PREFIX)
    return rest if rest != name and _MISREAD.match(rest) else name


def names_for(names: Iterable[str]) -> dict[str, str]:
    """Our names -> PyDSTool's, in the given order.

    Raises
    ------
    MisuseError
        If two of them would get the same name.
    """
    found = {name: to_pydstool_name(name) for name in names}
    if len(set(found.values())) < len(found):
        twice = sorted(name for name in found if list(found.values()).count(found[name]) > 1)
        raise MisuseError(f"The names {', '.join(twice)} become one name in PyDSTool; rename all but one of them.")
    return found


def store(generator: Any, names: Mapping[str, str]) -> None:
    """Keep the map on the generator."""
    setattr(generator, _ATTRIBUTE, dict(names))


def name_map(generator: Any) -> dict[str, str]:
    """Our names -> the names in a PyDSTool Generator; empty for generators that were not made by `register`.

    Parameters
    ----------
    generator : PyDSTool Generator

    Returns
    -------
    dict of str to str
        States in our order, then parameters.
    """
    return dict(getattr(generator, _ATTRIBUTE, {}))
