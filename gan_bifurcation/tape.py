"""The tape: a straight-line program of elementary operations, run by one compiled interpreter."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import opcodes as op
from gan_bifurcation.calls import value_of
from gan_bifurcation.grouping import grouped
from gan_bifurcation.kernels import NEWTON_FLOOR, NEWTON_MOST, TapeData

FloatArray = NDArray[np.float64]

NON_SMOOTH: Final = frozenset({op.ABS, op.SIGN, op.MINIMUM, op.MAXIMUM, op.SELECT_POSITIVE, op.SELECT_NONNEGATIVE})


@dataclass(frozen=True, eq=False)
class Tape:
    """A program: inputs, constants and operations each fill one slot, in this order; outputs name slots.

    Attributes
    ----------
    inputs : tuple of str
        Names of the inputs: the states, then the parameters.
    code : int32 array (operations, 4)
        Opcode (see `opcodes`) and three operands.
    constants : float64 array
    outputs : int64 array
        Slots of the results.
    tables : tuple of (nodes, weights)
        Quadrature nodes (rows, columns) and weights (rows,) of the expectations.
    prefix : int
        How many operations at the front depend on parameters and constants only.
    """

    inputs: tuple[str, ...]
    code: NDArray[np.int32]
    constants: FloatArray
    outputs: NDArray[np.int64]
    tables: tuple[tuple[FloatArray, FloatArray], ...]
    prefix: int

    @property
    def slots(self) -> int:
        return len(self.inputs) + len(self.constants) + len(self.code)

    @property
    def operations(self) -> int:
        return len(self.code)

    @cached_property
    def smooth(self) -> bool:
        """False if an operation such as abs, min or a piecewise choice occurs."""
        return not NON_SMOOTH.intersection(self.code[:, 0].tolist())

    @property
    def solves(self) -> bool:
        """True if it contains roots of equations."""
        return bool((self.code[:, 0] == op.SOLVE_BEGIN).any())

    @cached_property
    def data(self) -> TapeData:
        """The arrays for the compiled interpreters."""
        flat, layout, offset = [], [], 0
        for nodes, weights in self.tables:
            rows = np.column_stack([weights, nodes])
            layout.append((offset, *rows.shape))
            flat.append(rows.ravel())
            offset += rows.size
        return TapeData(
            len(self.inputs),
            np.ascontiguousarray(self.code, dtype=np.int32),
            np.ascontiguousarray(self.constants, dtype=np.float64),
            np.ascontiguousarray(self.outputs, dtype=np.int64),
            np.concatenate(flat) if flat else np.zeros(0),
            np.array(layout, dtype=np.int64).reshape(-1, 3),
            self.prefix,
        )

    @cached_property
    def by_kind(self) -> TapeData:
        """The same for interpreters that run operations of one kind together."""
        return grouped(self.data)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the program: equal for equal programs, on every machine."""
        h = hashlib.sha256("\0".join(self.inputs).encode())
        arrays: list[NDArray[Any]] = [
            self.code,
            self.constants,
            self.outputs,
            *(a for pair in self.tables for a in pair),
        ]
        for array in arrays:
            h.update(repr(array.shape).encode())
            h.update(np.ascontiguousarray(array).tobytes())
        return h.hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        names = ("inputs", "code", "constants", "outputs", "tables", "prefix")
        return {name: getattr(self, name) for name in names}

    def evaluate(self, inputs: Sequence[Any], library: Any = None) -> list[Any]:
        """Run the tape in plain Python over any scalar type.

        Parameters
        ----------
        inputs : sequence of scalars
            States, then parameters: floats, mpmath numbers, interval balls, ...
        library : module or object, optional
            Where the functions sqrt, exp, sin, erf, ... of that scalar type are found (`math` by default; `mpmath`).
            A function `exact` there turns the tape's own numbers into scalars, so that no float is added to a float.

        Returns
        -------
        list of scalars

        Examples
        --------
        >>> import sympy
        >>> from gan_bifurcation.lowering import build
        >>> x = sympy.Symbol("x", real=True)
        >>> build([], [sympy.sin(x) ** 2], ["x"]).evaluate([0.5])
        [0.2298488470659301]
        """
        functions = _scalar_functions(library) if library is not None else _functions_of_floats()
        exact = getattr(library, "exact", float)
        v: list[Any] = [*inputs, *map(exact, self.constants.tolist())]
        base = len(v)
        v.extend([None] * len(self.code))
        code = self.code.tolist()
        i = 0
        table = row = count = 0
        previous: Any = None
        while i < len(code):
            o, a, b, c = code[i]
            s = base + i
            if o in _PYTHON_BINARY:
                v[s] = _PYTHON_BINARY[o](v[a], v[b])
            elif o == op.POWER_INTEGER:
                v[s] = v[a] ** b
            elif o == op.SELECT_POSITIVE:
                v[s] = v[a] if v[c] > 0 else v[b]
            elif o == op.SELECT_NONNEGATIVE:
                v[s] = v[a] if v[c] >= 0 else v[b]
            elif o == op.LOOP_BEGIN:
                table, row, j = a, 0, i + 1
                while code[j][0] != op.LOOP_END:
                    if code[j][0] == op.ACCUMULATE:
                        v[base + j] = 0.0
                    j += 1
            elif o == op.NODE:
                v[s] = exact(float(self.tables[table][0][row, a]))
            elif o == op.ACCUMULATE:
                v[s] = v[s] + exact(float(self.tables[table][1][row])) * v[a]
            elif o == op.LOOP_END:
                if row + 1 < len(self.tables[table][1]):
                    row += 1
                    i = a
            elif o == op.SOLVE_BEGIN:
                count, previous = 0, None
            elif o in (op.UNKNOWN, op.ARGUMENT):
                v[s] = v[a]
            elif o == op.CALL:
                v[s + 1 : s + 1 + c] = value_of(int(v[a]), v[s - b : s])
                i += c
            elif o == op.UPDATE:
                v[s] = v[a] - v[b]
            elif o == op.SOLVE_END:
                # Until the step no longer shrinks: then it is rounding, whatever the precision of the scalars.
                count += 1
                size = max(abs(v[code[k][2]]) for k in range(i - b, i))
                scale = max(abs(v[k]) for k in range(s - b, s))
                last = size == 0 or (
                    previous is not None and size >= previous / 2 and size <= NEWTON_FLOOR * (1 + scale)
                )
                previous = size
                if last:
                    pass
                elif count < NEWTON_MOST:
                    v[base + a + 1 : base + a + 1 + b] = v[s - b : s]
                    i = a + b
                else:
                    v[s - b : s] = [math.nan] * b
            else:
                v[s] = functions[op.UNARY_NAMES[o]](v[a])
            i += 1
        return [v[k] for k in self.outputs.tolist()]


_PYTHON_BINARY: Final[Mapping[int, Callable[[Any, Any], Any]]] = {
    op.ADD: lambda a, b: a + b,
    op.SUB: lambda a, b: a - b,
    op.MUL: lambda a, b: a * b,
    op.DIV: lambda a, b: a / b,
    op.POWER_REAL: lambda a, b: a**b,
    op.MINIMUM: lambda a, b: a if a <= b else b,
    op.MAXIMUM: lambda a, b: a if a >= b else b,
}


@cache
def _functions_of_floats() -> Mapping[str, Any]:
    return _scalar_functions(math)


def _scalar_functions(library: Any) -> Mapping[str, Any]:
    """The unary operations over a library of scalar functions; what it lacks is composed from what it has."""

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + library.exp(-x)) if x >= 0 else library.exp(x) / (1 + library.exp(x))

    def softplus(x: Any) -> Any:
        return (x if x > 0 else 0 * x) + library.log(1 + library.exp(-abs(x)))

    own = SimpleNamespace(
        neg=lambda x: -x,
        abs=abs,
        sign=lambda x: (x > 0) - (x < 0),
        sigmoid=sigmoid,
        softplus=softplus,
        logsigmoid=lambda x: -softplus(-x),
    )
    # A library's own comes first: over interval balls, a choice by a sign is no choice.
    return {name: getattr(library, name, None) or getattr(own, name, None) for name in op.UNARY_NAMES.values()}
