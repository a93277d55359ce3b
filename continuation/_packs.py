"""Packs of eight numbers as values of compiled code: one operation works on eight intervals of a mesh at once.

The arithmetic of small blocks spends its time on loops that are too short for vector registers. With eight blocks side
by side, their numbers next to each other in memory, each operation on a number becomes one on a pack, whatever the size
of the blocks; and there is no loop left for the compiler to vectorise, which is most of what it takes its time for.
"""

import operator
from typing import Any, Final

import llvmlite.ir
import numba
import numba.core.cgutils
import numba.core.imputils
import numba.core.typing.templates
import numba.extending
import numpy as np

LANES: Final = 8
# Numba compiles a function once more for a literal among its arguments; these are none.
ZERO: Any = np.int64(0)
ONE: Any = np.int64(1)
PACKED: Any = np.int64(LANES)
# For what is called at one place: it is compiled with its caller only.
_njit: Any = numba.njit
inlined: Any = _njit(
    cache=True, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False,
    inline="always",
)  # fmt: skip

# Numba declares no types for this.
_ir: Any = llvmlite.ir
_types: Any = numba.types
_cgutils: Any = numba.core.cgutils
_intrinsic: Any = numba.extending.intrinsic
_templates: Any = numba.core.typing.templates
_lower: Any = numba.core.imputils.lower_builtin
_VECTOR: Final[Any] = _ir.VectorType(_ir.DoubleType(), LANES)
_FUSED: Final = ("contract",)
_Type: Any = _types.Type
_Model: Any = numba.extending.models.PrimitiveModel


class _PackType(_Type):  # type: ignore[misc]
    """Type of a pack in compiled code."""

    def __init__(self) -> None:
        super().__init__(name="Pack")


PACK: Final[Any] = _PackType()


class _PackModel(_Model):  # type: ignore[misc]
    """A pack is a vector of the machine."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


numba.extending.register_model(_PackType)(_PackModel)


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    start = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(start, [index]), _VECTOR.as_pointer())


@_intrinsic
def take(_: Any, array: Any, index: Any) -> Any:
    """A number. Loops with it are not vectorised, which makes large code of loops that gather and scatter."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(builder.gep(start, [arguments[1]]), "monotonic", 8)

    return _types.float64(array, _types.intp), build


@_intrinsic
def put(_: Any, array: Any, index: Any, number: Any) -> Any:
    """Put a number; see `take`."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        builder.store_atomic(arguments[2], builder.gep(start, [arguments[1]]), "monotonic", 8)
        return context.get_dummy_value()

    return _types.void(array, _types.intp, _types.float64), build


@_intrinsic
def apart(_: Any) -> Any:
    """In the body of a function: it is called, never copied into what calls it, and its loops are left as they are.

    Packs leave nothing to be vectorised or unrolled, and what is tried nevertheless takes most of the compiler's time.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.function.attributes.add("noinline")
        builder.function.attributes.add("optsize")
        return context.get_dummy_value()

    return _types.void(), build


@_intrinsic
def load(_: Any, array: Any, index: Any) -> Any:
    """The pack of eight numbers from an index on."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = builder.load(_place(context, builder, signature.args[0], *arguments))
        made.align = 8
        return made

    return PACK(array, _types.intp), build


@_intrinsic
def store(_: Any, array: Any, index: Any, pack: Any) -> Any:
    """Put a pack from an index on."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _place(context, builder, signature.args[0], *arguments[:2])).align = 8
        return context.get_dummy_value()

    return _types.void(array, _types.intp, PACK), build


def _spread(builder: Any, number: Any) -> Any:
    nothing = _ir.Constant(_VECTOR, _ir.Undefined)
    first = builder.insert_element(nothing, number, _ir.Constant(_ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, _ir.Constant(_ir.VectorType(_ir.IntType(32), LANES), [0] * LANES))


@_intrinsic
def spread(_: Any, number: Any) -> Any:
    """The pack of eight times the same number."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _spread(builder, arguments[0])

    return PACK(_types.float64), build


def _function(name: str) -> Any:
    def typed(_: Any, pack: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = _ir.FunctionType(_VECTOR, [_VECTOR])
            function = _cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64")
            return builder.call(function, arguments)

        return PACK(PACK), build

    return _intrinsic(typed)


magnitude: Any = _function("fabs")
root: Any = _function("sqrt")


@_intrinsic
def choose(_: Any, x: Any, y: Any, yes: Any, no: Any) -> Any:
    """In each lane: `yes` where x > y, else `no`."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", arguments[0], arguments[1]), arguments[2], arguments[3])

    return PACK(PACK, PACK, PACK, PACK), build


@_intrinsic
def exceeds(_: Any, x: Any, y: Any) -> Any:
    """Whether x > y in any lane."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(builder.fcmp_ordered(">", *arguments), _ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, _ir.Constant(_ir.IntType(LANES), 0))

    return _types.boolean(PACK, PACK), build


@_intrinsic
def total(_: Any, pack: Any) -> Any:
    """The sum of the eight numbers."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        parts = [builder.extract_element(arguments[0], _ir.Constant(_ir.IntType(32), k)) for k in range(LANES)]
        while len(parts) > 1:
            parts = [builder.fadd(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    return _types.float64(PACK), build


def _operation(symbol: Any, name: str) -> None:
    """An operation between packs, or between a number and a pack."""
    kinds = ((PACK, PACK), (_types.float64, PACK), (PACK, _types.float64))

    class Template(_templates.AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            return _templates.signature(PACK, *args) if tuple(args) in kinds else None

    _templates.infer_global(symbol)(Template)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, y = (
            argument if kind is PACK or isinstance(kind, _PackType) else _spread(builder, argument)
            for kind, argument in zip(signature.args, arguments, strict=True)
        )
        return getattr(builder, name)(x, y, flags=_FUSED)

    for kind in kinds:
        _lower(symbol, *kind)(build)


for _symbol, _name in (
    (operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv"),
):  # fmt: skip
    _operation(_symbol, _name)
