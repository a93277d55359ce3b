"""Names of NumPy 1, SciPy 1.5 and Python 3.8 that PyDSTool still asks for, served to PyDSTool's own modules alone.

Nothing is ever written into numpy, scipy or `sys.modules`.  Every module of PyDSTool is executed with its own
``__builtins__``, whose ``__import__`` hands out the stand-ins of this file for the handful of modules that need one;
functions of that module inherit those builtins, so the same holds for imports and names at run time.
"""

from __future__ import annotations

import builtins
import importlib
import sys
import token
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from gan_bifurcation.interop import _builder, _grammar

__all__ = ["builtins_for"]

# Names that ``from numpy import *`` did not export with numpy 1; they would hide Python's own or those of math.
_NOT_EXPORTED: Final = frozenset(
    {
        *("abs", "bool", "complex", "float", "int", "long", "max", "min", "pow", "round", "ulong"),
        *("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "f2py", "test"),
    }
)


class Proxy(types.ModuleType):
    """A module that answers with `extra` names first and with those of `real` otherwise."""

    def __init__(
        self, real: types.ModuleType, extra: Mapping[str, object], missing: Callable[[str], object] | None = None
    ) -> None:
        super().__init__(real.__name__, real.__doc__)
        namespace = self.__dict__
        namespace.update(extra)
        namespace["_real"] = real
        namespace["_missing"] = missing
        for name in ("__path__", "__file__", "__version__", "__spec__"):
            if hasattr(real, name):
                namespace[name] = getattr(real, name)

    def __getattr__(self, name: str) -> Any:
        namespace = self.__dict__
        try:
            value = getattr(namespace["_real"], name)
        except AttributeError:
            if namespace["_missing"] is None or name.startswith("__"):
                raise
            value = namespace["_missing"](name)
        namespace[name] = value
        return value


def _module(name: str, **names: object) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(names)
    return module


# -- numpy and scipy ---------------------------------------------------------------------------------------------------
def _numpy() -> Proxy:
    import numpy as np

    extra: dict[str, object] = {
        "Inf": np.inf,
        "NaN": np.nan,
        "int": int,
        "float": float,
        "complex": complex,
        "int0": np.intp,
        "float_": np.float64,
        "complex_": np.complex128,
        "alltrue": _quick(np.all, all),
        "sometrue": _quick(np.any, any),
        "product": np.prod,
        "mat": _matrix,
    }
    exported = [name for name in np.__all__ if name not in _NOT_EXPORTED]
    return Proxy(np, {**extra, "__all__": [*exported, *(name for name in extra if name not in _NOT_EXPORTED)]})


def _quick(of_arrays: Callable[..., Any], of_booleans: Callable[..., bool]) -> Callable[..., Any]:
    """PyDSTool's parser asks this of short lists of booleans, letter by letter; NumPy's own takes 20 times as long."""

    def reduced(values: Any, *positional: Any, **named: Any) -> Any:
        if type(values) is list and not positional and not named and all(type(value) is bool for value in values):
            return of_booleans(values)
        return of_arrays(values, *positional, **named)

    return reduced


def _matrix(data: Any) -> Any:
    """``numpy.asmatrix`` without its warning that matrices may be deprecated one day."""
    import numpy as np

    return np.array(data, ndmin=2, copy=None).view(np.matrix)


def numpy_one_array(*positional: Any, copy: Any = True, **named: Any) -> Any:
    """``numpy.array`` with the meaning that `copy` had in NumPy 1: false allows a view, it does not demand one."""
    import numpy as np

    return np.array(*positional, copy=True if copy else None, **named)


def _scipy(numpy: Proxy, special: Proxy, optimize: Proxy) -> Proxy:
    import scipy

    names = ("alltrue", "sometrue", "isfinite", "linspace", "arctan", "arctan2", "mean", "mod", "sign", "polyfit")
    extra: dict[str, object] = {name: getattr(numpy, name) for name in (*names, "Inf", "NaN")}
    # SciPy re-exported numpy.who, a listing for interactive use; PyDSTool imports the name and never calls it.
    extra["who"] = _absent("scipy.who")
    return Proxy(scipy, {**extra, "special": special, "optimize": optimize})


def _absent(name: str) -> Callable[..., object]:
    """A stand-in for a function that SciPy no longer has: PyDSTool lists it at import and calls it only on demand."""

    def absent(*_positional: object, **_named: object) -> object:
        raise NotImplementedError(f"{name} is no longer part of SciPy; write the expression with another function.")

    absent.__name__ = name.rpartition(".")[2]
    return absent


def _special() -> Proxy:
    import scipy.special

    def spherical_harmonic(order: Any, degree: Any, azimuth: Any, polar: Any) -> Any:
        return scipy.special.sph_harm_y(degree, order, polar, azimuth)

    # The order of arguments is that of the removed functions.
    extra: dict[str, object] = {"btdtr": scipy.special.betainc, "btdtri": scipy.special.betaincinv}
    if hasattr(scipy.special, "sph_harm_y"):
        extra["sph_harm"] = spherical_harmonic
    return Proxy(scipy.special, extra, lambda name: _absent(f"scipy.special.{name}"))


def _optimize() -> Proxy:
    import scipy.optimize

    minpack = _module(
        "scipy.optimize.minpack",
        newton=scipy.optimize.newton,
        leastsq=scipy.optimize.leastsq,
        fsolve=scipy.optimize.fsolve,
        fixed_point=scipy.optimize.fixed_point,
        bisection=_bisection,
    )
    zeros = _module("scipy.optimize.zeros", newton=scipy.optimize.newton)
    inner = _module("scipy.optimize.optimize", fminbound=scipy.optimize.fminbound)
    return Proxy(scipy.optimize, {"minpack": minpack, "zeros": zeros, "optimize": inner})


def _bisection(
    function: Any, low: float, high: float, args: Sequence[object] = (), xtol: float = 1e-10, maxiter: int = 400
) -> Any:
    import scipy.optimize

    return scipy.optimize.bisect(function, low, high, args=tuple(args), xtol=xtol, maxiter=maxiter)


# -- the standard library of Python 3.8 --------------------------------------------------------------------------------
def _standard() -> dict[str, types.ModuleType]:
    """Stand-ins by full name; a package comes with the attributes that ``import a.b`` reaches through it."""
    import sysconfig

    def python_include(*_unused: object) -> str:
        return sysconfig.get_path("include")

    def shared_suffix(*_unused: object) -> str:
        return _builder.shared_library_suffix()

    core = _module("distutils.core", setup=_builder.setup, Extension=_builder.Extension)
    found = {
        "parser": _module("parser", expr=_grammar.expr, STType=_grammar.SyntaxTree),
        "symbol": _module("symbol", sym_name=dict(_grammar.RULE_NAMES)),
        # PyDSTool adds the rules to this table, so it gets its own copy.
        "token": _module("token", **{**vars(token), "tok_name": dict(token.tok_name)}),
        "distutils.core": core,
        "distutils.sysconfig": _module("distutils.sysconfig", get_python_inc=python_include),
        "distutils.util": _module("distutils.util", get_platform=sysconfig.get_platform),
        "numpy.distutils.core": core,
        "numpy.distutils.misc_util": _module("numpy.distutils.misc_util", get_shared_lib_extension=shared_suffix),
    }
    for package in ("distutils", "numpy.distutils"):
        inside = {name: module for name, module in found.items() if name.rpartition(".")[0] == package}
        found[package] = _module(package, **{name.rpartition(".")[2]: module for name, module in inside.items()})
    return found


# -- builtins for PyDSTool's modules -----------------------------------------------------------------------------------
_stand_ins: dict[str, types.ModuleType] = {}


def stand_ins() -> dict[str, types.ModuleType]:
    """All modules that PyDSTool sees in place of the real ones, by name; made at the first call."""
    if not _stand_ins:
        made: dict[str, types.ModuleType] = dict(_standard())
        numpy, special, optimize = _numpy(), _special(), _optimize()
        numpy.__dict__["distutils"] = made["numpy.distutils"]
        made.update({"numpy": numpy, "scipy.special": special, "scipy.optimize": optimize})
        made["scipy"] = _scipy(numpy, special, optimize)
        _stand_ins.update(made)
    return _stand_ins


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002 -- the signature of __import__
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> types.ModuleType:
    """``__import__`` for PyDSTool's modules."""
    head = name.partition(".")[0]
    known = stand_ins()
    if level or head not in known:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    if name not in known:
        importlib.import_module(name)
    if not fromlist:
        return known[head]
    return known[name] if name in known else sys.modules[name]


def plain_repr(value: object, /) -> str:
    """``repr`` as with NumPy 1, where a number was written as a number; PyDSTool pastes it into code."""
    if type(value).__module__ == "builtins" and not isinstance(value, (list, tuple, dict, set)):
        return repr(value)
    import numpy as np

    with np.printoptions(legacy="1.25"):
        return repr(value)


def _exec(code: Any, outer: dict[str, Any] | None = None, inner: Any = None, /) -> None:
    """``exec`` whose assignments the caller finds in ``locals()`` again, as before Python 3.13 (PEP 667)."""
    if outer is None:
        caller = sys._getframe(1)
        outer, inner = caller.f_globals, caller.f_locals
    # PyDSTool works by running text that it made; this is its own call, with another namespace.
    exec(code, outer, outer if inner is None else inner)  # noqa: S102


def builtins_for(module: types.ModuleType) -> dict[str, Any]:
    """The ``__builtins__`` with which `module` of PyDSTool is to be executed."""
    own = dict(vars(builtins))
    own["__import__"] = _import
    own["repr"] = plain_repr
    if sys.version_info >= (3, 13):
        own["exec"] = _exec
    own["__name__"] = f"builtins of {module.__name__}"
    return own


def loaded_classes(module: types.ModuleType) -> Iterator[type]:
    """The classes that `module` itself defines."""
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield value
