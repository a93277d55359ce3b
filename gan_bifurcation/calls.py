"""Values that a Python function gives, as operations of the tape: what has derivatives but no formula.

A call is an expression like any other, and three operations on the tape: its arguments are gathered, Python is called,
and its results are there. So a system whose right-hand side is an algorithm, such as the return map of a flow, is a
system like any other, for every compiled loop; only slower.
"""

import ctypes
from collections.abc import Sequence
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

import llvmlite.binding
import numba
import numba.extending
import numpy as np
import sympy
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError

__all__ = ["Called", "Callee", "call", "handle_of", "value_of"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

VALUE: Final = 0
JACOBIAN: Final = 1
SECOND: Final = 2
JET: Final = 3
ADJOINT: Final = 4

_SYMBOL: Final = "gan_bifurcation_call_python"


class Callee(Protocol):
    """A smooth function of N numbers with M results. What cannot be computed is not a number, or raises."""

    @property
    def key(self) -> str:
        """Hexadecimal digits that are equal for equal functions, on every machine."""
        ...

    def value(self, z: FloatArray) -> FloatArray:
        """The results (M,) at z (N,)."""
        ...

    def jacobian(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The results and their derivative (M, N)."""
        ...

    def second(self, z: FloatArray, direction: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The results, their derivative, and the second derivative in a direction (N,) and each argument (M, N)."""
        ...

    def jet(self, inputs: ComplexArray) -> ComplexArray:
        """Taylor coefficients (M, order + 1) along a curve (N, order + 1) whose base point is real."""
        ...


_known: "WeakValueDictionary[int, Any]" = WeakValueDictionary()


def handle_of(callee: Callee) -> int:
    """The number under which a function is called from compiled code; it must be kept alive by what calls it."""
    handle = int(callee.key[:12], 16)
    _known[handle] = callee
    return handle


class Called(sympy.Expr):  # type: ignore[misc]
    """One of the results of a call: which one, how many there are, the function's handle and its arguments."""

    is_commutative = True

    @property
    def index(self) -> int:
        return int(self.args[0])

    @property
    def results(self) -> int:
        return int(self.args[1])

    @property
    def handle(self) -> int:
        return int(self.args[2])

    @property
    def arguments(self) -> tuple[sympy.Expr, ...]:
        return tuple(self.args[3])

    @property
    def siblings(self) -> tuple["Called", ...]:
        """All results of the same call."""
        return tuple(Called(sympy.Integer(k), *self.args[1:]) for k in range(self.results))

    def _eval_is_real(self) -> bool:
        return True

    def _eval_derivative(self, variable: sympy.Symbol) -> sympy.Expr:
        raise MisuseError(
            f"A value that an algorithm gives has no formula to differentiate by '{variable}'; the derivatives of a "
            "system are those of its tape."
        )

    def _sympystr(self, printer: Any) -> str:
        return f"Called({self.index}; {', '.join(printer._print(a) for a in self.arguments)})"


def call(callee: Callee, arguments: Sequence[sympy.Expr], results: int) -> tuple[Called, ...]:
    """The results of a function as expressions."""
    handle, count = sympy.Integer(handle_of(callee)), sympy.Integer(results)
    return tuple(Called(sympy.Integer(k), count, handle, sympy.Tuple(*arguments)) for k in range(results))


def value_of(handle: int, arguments: Sequence[Any]) -> list[Any]:
    """The results of a call in plain Python."""
    return list(_known[handle].value(np.array(arguments, dtype=float)))


# -- from compiled code -----------------------------------------------------------------------------------------------


def _matrix(address: int, rows: int, columns: int) -> FloatArray:
    pointer = ctypes.cast(address, ctypes.POINTER(ctypes.c_double))
    return np.ctypeslib.as_array(pointer, shape=(rows, columns))


def _answer(
    handle: float, mode: int, n_in: int, n_out: int, width: int, vi: int, vo: int, di: int, do: int, gi: int, go: int,
    hi: int, ho: int,
) -> None:  # fmt: skip
    """Fill the results of a call; rows of `width` numbers start at the addresses.

    Backwards, `gi` and `hi` are derivatives by the values and the directional derivatives of the arguments, to which
    those by the results, `go` and `ho`, are passed on.
    """
    # Jets are of numbers whose size in bytes is in the place of `di`.
    lanes = width if mode == VALUE else (width * di // 8 if mode == JET else 1)
    out = _matrix(vo, n_out, lanes)
    out[:] = np.nan
    try:
        callee: Callee = _known[int(handle)]
        z = _matrix(vi, n_in, lanes)
        if mode == VALUE:
            for lane in range(lanes):
                out[:, lane] = callee.value(z[:, lane].copy())
        elif mode == JET:
            made = callee.jet(z.copy().view(np.complex128 if di == 16 else np.float64).astype(complex))
            out[:] = np.ascontiguousarray(made).view(np.float64) if di == 16 else made.real
        elif mode == JACOBIAN:
            value, slope = callee.jacobian(z[:, 0].copy())
            out[:, 0] = value
            _matrix(go, n_out, width)[:] = slope @ _matrix(gi, n_in, width)
        elif mode == ADJOINT:
            by_value, by_slope = _matrix(go, n_out, width), _matrix(ho, n_out, width)
            for k, d in enumerate(_matrix(di, n_in, width).T.copy()):
                value, slope, curvature = callee.second(z[:, 0].copy(), d)
                _matrix(gi, n_in, width)[:, k] += slope.T @ by_value[:, k] + curvature.T @ by_slope[:, k]
                _matrix(hi, n_in, width)[:, k] += slope.T @ by_slope[:, k]
                out[:, 0] = value
            by_value[:] = by_slope[:] = 0.0
        else:
            d, g = _matrix(di, n_in, 1)[:, 0].copy(), _matrix(gi, n_in, width)
            value, slope, curvature = callee.second(z[:, 0].copy(), d)
            out[:, 0] = value
            _matrix(do, n_out, 1)[:, 0] = slope @ d
            _matrix(go, n_out, width)[:] = slope @ g
            _matrix(ho, n_out, width)[:] = curvature @ g + slope @ _matrix(hi, n_in, width)
    except (ArithmeticError, LookupError, RuntimeError, ValueError):
        # No exception can pass through compiled code: what failed is not a number.
        out[:] = np.nan
        if mode == ADJOINT:
            _matrix(gi, n_in, width)[:] = np.nan
            _matrix(go, n_out, width)[:] = _matrix(ho, n_out, width)[:] = 0.0


# Compiled code finds the function by its name when it is loaded, so that it can be cached.
_trampoline: Final = ctypes.CFUNCTYPE(None, ctypes.c_double, *([ctypes.c_int64] * 12))(_answer)
llvmlite.binding.add_symbol(_SYMBOL, ctypes.cast(_trampoline, ctypes.c_void_p).value)
_types: Any = numba.types
call_python: Final[Any] = _types.ExternalFunction(_SYMBOL, _types.void(_types.float64, *([_types.int64] * 12)))
_intrinsic: Any = numba.extending.intrinsic


@_intrinsic
def address(typing_context: Any, array: Any, offset: Any) -> Any:
    """The address of an element of an array, counted along its memory."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        start = builder.ptrtoint(made.data, context.get_value_type(_types.int64))
        return builder.add(start, builder.mul(arguments[1], made.itemsize))

    return _types.int64(array, _types.int64), build
