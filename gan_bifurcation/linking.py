"""Compiled functions that are compiled once, not again within everything that calls them.

Numba copies what a function calls into it and optimises the whole again, so that a large function costs its time in
each of its callers, and theirs. A linked function is called through a pointer instead: the caller's code holds a call,
and the function is compiled, or loaded from the cache, when it is first needed.
"""

import _thread
import ctypes
import os
import signal
import threading
import traceback
from collections.abc import Callable
from typing import Any, Final

import llvmlite.binding
import llvmlite.ir
import numba
import numba.core.cgutils
import numba.core.typing.templates
import numba.extending

from gan_bifurcation.compiling import callback

__all__ = ["linked"]

_ir: Any = llvmlite.ir
_cgutils: Any = numba.core.cgutils
_lower: Any = numba.extending.lower_builtin
_ConcreteTemplate: Any = numba.core.typing.templates.ConcreteTemplate
_infer_global: Any = numba.core.typing.templates.infer_global
_RESOLVER: Final = "gan_bifurcation_resolve"


class _Link:
    """A function for given types, and the pointer through which it is called: empty until then."""

    def __init__(self, function: Callable[..., Any], signature: Any, options: dict[str, Any]) -> None:
        self.function, self.signature, self.options = function, signature, options
        self.pointer = ctypes.c_void_p(None)
        self.compiled: Any = None

    def resolve(self) -> None:
        """Compile the function, or load it, and put down where it is."""
        if self.compiled is None:
            self.compiled = callback(self.function, self.signature, self.options)
            self.pointer.value = self.compiled.address


def _resolve(place: int) -> None:
    """Resolve a link from within compiled code, through which no exception can pass.

    An interrupt waits until the function is there: without it the caller could not go on.
    """
    main = threading.current_thread() is threading.main_thread()
    waiting: list[int] = []
    # None is a handler that is not Python's: it could not be put back.
    main = main and signal.getsignal(signal.SIGINT) is not None
    before = signal.signal(signal.SIGINT, lambda number, _: waiting.append(number)) if main else None
    try:
        _links[place].resolve()
    finally:
        if not _links[place].pointer.value:
            traceback.print_exc()
            os._exit(70)
        if main:
            signal.signal(signal.SIGINT, before)
    if waiting:
        # Here it would be lost: once compiled code has returned, Python sees it.
        later = threading.Timer(0.1, _thread.interrupt_main)
        later.daemon = True
        later.start()


_links: Final[dict[int, _Link]] = {}
# Compiled code finds the resolver, and each pointer, by a name when it is loaded, so that it can be cached.
_resolver: Final = ctypes.CFUNCTYPE(None, ctypes.c_int64)(_resolve)
llvmlite.binding.add_symbol(_RESOLVER, ctypes.cast(_resolver, ctypes.c_void_p).value)


def linked(name: str, *signatures: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a function of fixed types callable from compiled code without being copied into it.

    Parameters
    ----------
    name : str
        A name that no other linked function has.
    *signatures : numba signatures
        Types of the arguments and of the result, for each version that may be called.
    **options
        Further options of the compiler, such as ``_nrt=False`` for a function that allocates nothing.

    Returns
    -------
    Decorator; its result is the function, which compiled code calls through a pointer. (Python would run it as
    Python: where Python is to call it, a compiled function of one line stands in between.)

    Examples
    --------
    >>> import numba
    >>> from gan_bifurcation.linking import linked
    >>> @linked("an example", numba.float64(numba.float64))
    ... def square(x):
    ...     return x * x
    >>> numba.njit(lambda x: square(x) + 1.0)(3.0)
    10.0
    """

    def decorate(function: Callable[..., Any]) -> Any:
        template = type(name, (_ConcreteTemplate,), {"key": function, "cases": list(signatures)})
        _infer_global(function, numba.types.Function(template))
        for k, signature in enumerate(signatures):
            link = _Link(function, signature, options)
            place = ctypes.addressof(link.pointer)
            symbol = f"gan_bifurcation_pointer_{name.replace(' ', '_')}_{k}"
            _links[place] = link
            llvmlite.binding.add_symbol(symbol, place)
            _lower(function, *signature.args)(_caller(symbol))
        return function

    return decorate


def _caller(symbol: str) -> Callable[..., Any]:
    """What makes the code of a call through the pointer of this name."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        types = [context.get_value_type(t) for t in signature.args]
        shape = _ir.FunctionType(context.get_value_type(signature.return_type), types)
        slot = builder.module.globals.get(symbol) or _ir.GlobalVariable(builder.module, shape.as_pointer(), symbol)
        empty = _cgutils.is_null(builder, builder.load(slot))
        with builder.if_then(empty, likely=False):
            word = context.get_value_type(numba.int64)
            resolver = _ir.FunctionType(_ir.VoidType(), [word])
            builder.call(
                _cgutils.get_or_insert_function(builder.module, resolver, _RESOLVER), [builder.ptrtoint(slot, word)]
            )
        return builder.call(builder.load(slot), arguments)

    return build
