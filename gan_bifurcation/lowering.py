"""From expressions to the tape: SymPy expressions become a straight-line program in which equal parts occur once."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import sympy

from gan_bifurcation import opcodes as op
from gan_bifurcation.calls import Called
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.expressions import LogSigmoid, Mean, NodeTable, Sigmoid, Softplus
from gan_bifurcation.roots import Root
from gan_bifurcation.tape import Tape

Assignment = tuple[sympy.Symbol, sympy.Expr]

_UNARY: Final[Mapping[type, int]] = {
    sympy.exp: op.EXP, sympy.log: op.LOG, sympy.sin: op.SIN, sympy.cos: op.COS, sympy.tan: op.TAN, sympy.sinh: op.SINH,
    sympy.cosh: op.COSH, sympy.tanh: op.TANH, sympy.asin: op.ASIN, sympy.acos: op.ACOS, sympy.atan: op.ATAN,
    sympy.erf: op.ERF, sympy.erfc: op.ERFC, sympy.Abs: op.ABS, sympy.sign: op.SIGN, Sigmoid: op.SIGMOID,
    LogSigmoid: op.LOG_SIGMOID, Softplus: op.SOFTPLUS,
}  # fmt: skip
_BINARY: Final = frozenset({
    op.ADD, op.SUB, op.MUL, op.DIV, op.POWER_REAL, op.MINIMUM, op.MAXIMUM, op.UPDATE
})  # fmt: skip
_COMMUTATIVE: Final = frozenset({op.ADD, op.MUL, op.MINIMUM, op.MAXIMUM})


@dataclass(frozen=True)
class _Instruction:
    code: int
    a: int = 0
    b: int = 0
    c: int = 0


class _Builder:
    """Lowers expressions with value numbering: equal expressions and equal operations share one slot.

    Slots are negative for constants while building (their number is not known yet), inputs come first, operations
    follow.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        self.inputs = tuple(inputs)
        self.known: dict[sympy.Basic, int] = {sympy.Symbol(n, real=True): i for i, n in enumerate(self.inputs)}
        self.constants: dict[float, int] = {}
        self.code: list[_Instruction] = []
        self.numbered: dict[_Instruction, int] = {}
        self.tables: list[NodeTable] = []
        self.columns: frozenset[sympy.Symbol] = frozenset()

    def constant(self, value: float) -> int:
        if not math.isfinite(value):
            raise MisuseError(
                f"An expression contains the constant {value}, expected finite numbers; check the equations."
            )
        return self.constants.setdefault(value, -1 - len(self.constants))

    def emit(self, code: int, a: int = 0, b: int = 0, c: int = 0) -> int:
        if code in _COMMUTATIVE and b < a:
            a, b = b, a
        instruction = _Instruction(code, a, b, c)
        if code < op.LOOP_BEGIN and instruction in self.numbered:
            return self.numbered[instruction]
        slot = len(self.inputs) + len(self.code)
        self.code.append(instruction)
        if code < op.LOOP_BEGIN:
            self.numbered[instruction] = slot
        return slot

    def lower(self, e: sympy.Basic) -> int:
        slot = self.known.get(e)
        if slot is None:
            slot = self._lower(e)
            self.known[e] = slot
        return slot

    def _lower(self, e: sympy.Basic) -> int:
        if isinstance(e, sympy.Symbol):
            raise MisuseError(
                f"An expression uses '{e.name}', which is neither a state nor a parameter "
                f"({', '.join(self.inputs)}); declare it."
            )
        if e.is_Number or isinstance(e, sympy.NumberSymbol) or (not e.free_symbols and not e.has(Mean)):
            return self.constant(_as_float(e))
        if isinstance(e, sympy.Add):
            return self._sum(e)
        if isinstance(e, sympy.Mul):
            return self._product(e)
        if isinstance(e, sympy.Pow):
            return self._power(e.base, e.exp)
        if type(e) in _UNARY:
            return self.emit(_UNARY[type(e)], self.lower(e.args[0]))
        if isinstance(e, sympy.Min | sympy.Max):
            code = op.MINIMUM if isinstance(e, sympy.Min) else op.MAXIMUM
            slots = [self.lower(a) for a in e.args]
            result = slots[0]
            for s in slots[1:]:
                result = self.emit(code, result, s)
            return result
        if isinstance(e, sympy.Piecewise):
            return self._piecewise(e)
        if isinstance(e, Root):
            return self._solve(e)
        if isinstance(e, Mean):
            # Inside another one, of which it is independent: hoisting brought it here, before that one's loop.
            self.lower_means([e])
            return self.known[e]
        if isinstance(e, Called):
            return self._call(e)
        raise MisuseError(
            f"The function '{type(e).__name__}' cannot be put on the tape; use + - * / **, the elementary "
            "functions, erf, erfc, "
            "sigmoid, logsigmoid, softplus, abs, sign, minimum, maximum or where."
        )

    def _sum(self, e: sympy.Add) -> int:
        plus: list[int] = []
        minus: list[int] = []
        for term in sorted(e.args, key=sympy.default_sort_key):
            c, rest = term.as_coeff_Mul()
            if c.is_negative and rest is not sympy.S.One:
                minus.append(self.lower(-term))
            else:
                plus.append(self.lower(term))
        if not plus:
            result = self.emit(op.NEG, minus.pop(0))
        else:
            result = plus.pop(0)
        for s in plus:
            result = self.emit(op.ADD, result, s)
        for s in minus:
            result = self.emit(op.SUB, result, s)
        return result

    def _product(self, e: sympy.Mul) -> int:
        above: list[int] = []
        below: list[int] = []
        coefficient = 1.0
        for factor in sorted(e.args, key=sympy.default_sort_key):
            if not factor.free_symbols and not factor.has(Mean):
                coefficient *= _as_float(factor)
            elif isinstance(factor, sympy.Pow) and factor.exp.is_number and factor.exp.is_negative:
                below.append(self._power(factor.base, -factor.exp))
            else:
                above.append(self.lower(factor))
        negative = False
        if coefficient == -1.0 and above:
            negative = True
        elif coefficient != 1.0 or not above:
            above.insert(0, self.constant(coefficient))
        result = self._chain(above)
        if below:
            result = self.emit(op.DIV, result, self._chain(below))
        return self.emit(op.NEG, result) if negative else result

    def _chain(self, slots: list[int]) -> int:
        result = slots[0]
        for s in slots[1:]:
            result = self.emit(op.MUL, result, s)
        return result

    def _power(self, base: sympy.Expr, exponent: sympy.Expr) -> int:
        if base is sympy.S.Exp1:
            return self.emit(op.EXP, self.lower(exponent))
        if exponent.is_Integer:
            n = int(exponent)
            if abs(n) > 2**20:
                raise MisuseError(f"The exponent {n} is too large; expected at most 1048576 in size.")
            x = self.lower(base)
            if n == 1:
                return x
            if n < 0:
                return self.emit(op.DIV, self.constant(1.0), self._power(base, -exponent))
            if n == 2:
                return self.emit(op.MUL, x, x)
            if n == 3:
                return self.emit(op.MUL, self.emit(op.MUL, x, x), x)
            return self.emit(op.POWER_INTEGER, x, n)
        if exponent == sympy.S.Half:
            return self.emit(op.SQRT, self.lower(base))
        if exponent == -sympy.S.Half:
            return self.emit(op.DIV, self.constant(1.0), self.emit(op.SQRT, self.lower(base)))
        if not exponent.free_symbols:
            return self.emit(op.POWER_REAL, self.lower(base), self.constant(_as_float(exponent)))
        # b**e = exp(e log b): the base must be positive.
        return self.emit(op.EXP, self.emit(op.MUL, self.lower(exponent), self.emit(op.LOG, self.lower(base))))

    def _piecewise(self, e: sympy.Piecewise) -> int:
        *pieces, (last, condition) = [tuple(piece) for piece in e.args]
        if condition != True:  # noqa: E712 - SymPy's true
            pieces.append((last, condition))
            last = sympy.Float(0.0)
        result = self.lower(last)
        for value, condition in reversed(pieces):
            result = self._select(condition, self.lower(value), result)
        return result

    def _select(self, condition: sympy.Basic, then: int, otherwise: int) -> int:
        if condition == True:  # noqa: E712
            return then
        if condition == False:  # noqa: E712
            return otherwise
        if isinstance(condition, sympy.And):
            for part in condition.args:
                then = self._select(part, then, otherwise)
            return then
        if isinstance(condition, sympy.Or):
            for part in condition.args:
                otherwise = self._select(part, then, otherwise)
            return otherwise
        if isinstance(condition, sympy.Gt | sympy.Lt | sympy.Ge | sympy.Le):
            strict = isinstance(condition, sympy.Gt | sympy.Lt)
            difference = self.lower(condition.gts - condition.lts)
            return self.emit(op.SELECT_POSITIVE if strict else op.SELECT_NONNEGATIVE, then, otherwise, difference)
        raise MisuseError(f"The condition '{condition}' is not a comparison by < <= > >=, joined by and/or.")

    def lower_means(self, means: Iterable[Mean]) -> None:
        """One loop per table for all expectations that can be evaluated now."""
        ready: dict[NodeTable, list[Mean]] = {}
        for mean in means:
            if mean not in self.known and all(s in self.known for s in mean.free_symbols):
                ready.setdefault(mean.table, []).append(mean)
        for table, means in ready.items():
            self._loop(table, sorted(means, key=sympy.default_sort_key))

    def _loop(self, table: NodeTable, means: list[Mean]) -> None:
        if table not in self.tables:
            self.tables.append(table)
        columns = frozenset(table.columns)
        for mean in means:
            self._hoist(mean.body, columns)
        outer_known, outer_numbered = dict(self.known), dict(self.numbered)
        begin = len(self.code)
        self.emit(op.LOOP_BEGIN, self.tables.index(table))
        for k, column in enumerate(table.columns):
            self.known[column] = self.emit(op.NODE, k)
        bodies = [self.lower(mean.body) for mean in means]
        sums = [self.emit(op.ACCUMULATE, body) for body in bodies]
        self.emit(op.LOOP_END, begin)
        # What was computed inside holds the last row's values: forget it.
        self.known, self.numbered = outer_known, outer_numbered
        self.known.update(zip(means, sums, strict=True))

    def _solve(self, e: Root) -> int:
        """A block that solves for all roots of one system of equations."""
        starts = [self.lower(start) for start in e.starts]
        inside = frozenset(e.unknowns)
        body: list[Assignment] = []
        means = _means([*(value for _, value in e.program), *e.steps])
        # What does not depend on the unknowns comes before the block.
        for name, value in e.program:
            if value.free_symbols & inside:
                inside |= {name}
                body.append((name, value))
            else:
                self.lower_means(means)
                self.known[name] = self.lower(value)
        self.lower_means(means)
        for expression in (*(value for _, value in body), *e.steps):
            self._hoist(expression, inside)
        outer_known, outer_numbered = dict(self.known), dict(self.numbered)
        begin = len(self.code)
        self.emit(op.SOLVE_BEGIN)
        for unknown, start in zip(e.unknowns, starts, strict=True):
            self.known[unknown] = self.emit(op.UNKNOWN, start)
        for name, value in body:
            self.lower_means(means)
            self.known[name] = self.lower(value)
        self.lower_means(means)
        steps = [self.lower(step) for step in e.steps]
        found = [self.emit(op.UPDATE, self.known[u], step) for u, step in zip(e.unknowns, steps, strict=True)]
        self.code[begin] = _Instruction(op.SOLVE_BEGIN, len(found), len(self.code))
        self.emit(op.SOLVE_END, begin, len(found))
        # What was computed inside belongs to the last iterate: forget it.
        self.known, self.numbered = outer_known, outer_numbered
        self.known.update({Root(sympy.Integer(k), *e.family): slot for k, slot in enumerate(found)})
        return found[e.index]

    def _call(self, e: Called) -> int:
        handle, slots = self.constant(float(e.handle)), [self.lower(a) for a in e.arguments]
        for slot in slots:
            self.emit(op.ARGUMENT, slot)
        self.emit(op.CALL, handle, len(slots), e.results)
        found = [self.emit(op.RESULT) for _ in range(e.results)]
        self.known.update(zip(e.siblings, found, strict=True))
        return found[e.index]

    def _hoist(self, e: sympy.Basic, columns: frozenset[sympy.Symbol]) -> None:
        if not isinstance(e, sympy.Expr):
            for a in e.args:
                self._hoist(a, columns)
        elif not (e.free_symbols & columns):
            self.lower(e)
        elif isinstance(e, Mean):
            # Its columns have no values outside of its loop.
            return
        else:
            for a in e.args:
                self._hoist(a, columns)


def _means(expressions: Iterable[sympy.Basic]) -> list[Mean]:
    """All expectations in some expressions, each once; what expressions share is looked at once, too."""
    means: dict[Mean, None] = {}
    stack = list(expressions)
    seen = set(stack)
    while stack:
        e = stack.pop()
        if isinstance(e, Mean):
            means[e] = None
            continue
        fresh = [a for a in e.args if a.args and a not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    return list(means)


def _as_float(e: sympy.Basic) -> float:
    value = complex(e)
    if value.imag != 0.0:
        raise MisuseError(f"The constant '{e}' is not real; write the equations in real numbers.")
    return value.real


def build(
    assignments: Sequence[Assignment], outputs: Sequence[sympy.Expr], inputs: Sequence[str], states: int = 0
) -> Tape:
    """Lower expressions to a tape.

    Parameters
    ----------
    assignments : sequence of (Symbol, Expr)
        Intermediate values, evaluated in order; later expressions may use their symbols.
    outputs : sequence of Expr
        The results.
    inputs : sequence of str
        Names of the inputs; the first `states` of them are states, the others parameters.
    states : int

    Returns
    -------
    Tape

    Raises
    ------
    MisuseError
        If an expression uses an undeclared name, a function that the tape lacks, or a number that is not finite.

    Examples
    --------
    >>> import sympy
    >>> a, x = sympy.symbols("a x", real=True)
    >>> build([], [a * x * (1 - x)], ["x", "a"], states=1).operations
    3
    """
    builder = _Builder(inputs)
    pending = [sympy.sympify(e) for _, e in assignments] + [sympy.sympify(e) for e in outputs]
    means = _means(pending)
    builder.lower_means(means)
    for symbol, expression in assignments:
        builder.known[symbol] = builder.lower(expression)
        builder.lower_means(means)
    slots = [builder.lower(sympy.sympify(e)) for e in outputs]
    return _finish(builder, slots, states)


def _finish(builder: _Builder, outputs: list[int], states: int) -> Tape:
    """Put what depends on parameters only in front, drop what no output needs, and number the slots for good."""
    n_in = len(builder.inputs)
    code = builder.code
    operands = [_operands(i) for i in code]
    in_loop = np.zeros(len(code), dtype=bool)
    depth = 0
    for k, instruction in enumerate(code):
        depth += instruction.code in (op.LOOP_BEGIN, op.SOLVE_BEGIN)
        in_loop[k] = depth > 0 or instruction.code in (op.ARGUMENT, op.CALL, op.RESULT)
        depth -= instruction.code in (op.LOOP_END, op.SOLVE_END)
    needed = np.array(in_loop)
    for k in outputs:
        if k >= n_in:
            needed[k - n_in] = True
    for k in range(len(code) - 1, -1, -1):
        if needed[k]:
            for s in operands[k]:
                if s >= n_in:
                    needed[s - n_in] = True
    early = np.zeros(len(code), dtype=bool)
    for k in range(len(code)):
        early[k] = not in_loop[k] and all(s < 0 or (s >= states if s < n_in else early[s - n_in]) for s in operands[k])
    order = [k for k in range(len(code)) if needed[k] and early[k]]
    prefix = len(order)
    order += [k for k in range(len(code)) if needed[k] and not early[k]]
    base = n_in + len(builder.constants)
    place = {k: base + i for i, k in enumerate(order)}

    def slot(s: int) -> int:
        if s < 0:
            return n_in - 1 - s
        return s if s < n_in else place[s - n_in]

    rows = []
    for k in order:
        i = code[k]
        if i.code in (op.LOOP_BEGIN, op.NODE):
            rows.append((i.code, i.a, 0, 0))
        elif i.code == op.LOOP_END:
            rows.append((i.code, place[i.a] - base, 0, 0))
        elif i.code == op.SOLVE_BEGIN:
            rows.append((i.code, i.a, place[i.b] - base, 0))
        elif i.code == op.SOLVE_END:
            rows.append((i.code, place[i.a] - base, i.b, 0))
        elif i.code == op.CALL:
            rows.append((i.code, slot(i.a), i.b, i.c))
        elif i.code == op.POWER_INTEGER:
            rows.append((i.code, slot(i.a), i.b, 0))
        else:
            used = len(operands[k])
            rows.append((i.code, slot(i.a), slot(i.b) if used > 1 else 0, slot(i.c) if used > 2 else 0))
    return Tape(
        builder.inputs,
        np.array(rows, dtype=np.int32).reshape(-1, 4),
        np.array(list(builder.constants), dtype=np.float64),
        np.array([slot(s) for s in outputs], dtype=np.int64),
        tuple((np.array(t.nodes, dtype=float), np.array(t.weights, dtype=float)) for t in builder.tables),
        prefix,
    )


def _operands(i: _Instruction) -> tuple[int, ...]:
    if i.code in (op.LOOP_BEGIN, op.NODE, op.LOOP_END, op.SOLVE_BEGIN, op.SOLVE_END, op.RESULT):
        return ()
    if i.code in _BINARY:
        return (i.a, i.b)
    if i.code in (op.SELECT_POSITIVE, op.SELECT_NONNEGATIVE):
        return (i.a, i.b, i.c)
    return (i.a,)
