"""The operations of a tape in an order in which those of one kind follow one another, as far as their operands allow.

An interpreter that runs them over a few lanes spends more time on finding out what comes next than on doing it; it can
run such operations in one loop. Each does what it did, so that results are the same to the last bit.
"""

from collections import deque
from typing import Final

import numpy as np

from gan_bifurcation import opcodes as op
from gan_bifurcation.kernels import TapeData

_BINARY: Final = frozenset({op.ADD, op.SUB, op.MUL, op.DIV, op.POWER_REAL, op.MINIMUM, op.MAXIMUM})
_SELECTS: Final = frozenset({op.SELECT_POSITIVE, op.SELECT_NONNEGATIVE})
# What belongs to a loop, to a root or to a call of Python stays where it is, but for what is summed up over a table.
_PLACED: Final = frozenset(range(op.LOOP_BEGIN, op.RESULT + 1)) - {op.NODE, op.ACCUMULATE}


def grouped(tape: TapeData) -> TapeData:
    """The same tape in such an order; a sine comes next to the cosine of the same.

    Arithmetic, which has two operands, has in the place of the third the number of the first operation after its run.

    Examples
    --------
    >>> import sympy
    >>> from gan_bifurcation.lowering import build
    >>> x, y = sympy.symbols("x y", real=True)
    >>> tape = build([], [sympy.cos(x), x * y, sympy.sin(x), 2 * y], ["x", "y"], states=2)
    >>> tape.data.code[:, 0].tolist(), grouped(tape.data).code[:, 0].tolist()
    ([15, 2, 14, 2], [2, 2, 14, 15])
    """
    code = tape.code.tolist()
    base = tape.n_inputs + len(tape.constants)
    order = list(range(tape.prefix))
    begin = tape.prefix
    for k in range(tape.prefix, len(code) + 1):
        if k == len(code) or code[k][0] in _PLACED:
            order += _span(code, base, begin, k)
            order += range(k, min(k + 1, len(code)))
            begin = k + 1
    place = np.empty(len(code), dtype=np.int64)
    place[order] = np.arange(len(code))
    slots = np.concatenate([np.arange(base), base + place])
    moved = np.array([code[k] for k in order], dtype=np.int32).reshape(-1, 4)
    for row, k in zip(moved, order, strict=True):
        for column in range(1, 1 + _slots_of(code[k][0])):
            row[column] = slots[row[column]]
    for k in range(len(moved) - 1, -1, -1):
        if moved[k, 0] <= op.DIV:
            goes_on = k + 1 < len(moved) and moved[k + 1, 0] == moved[k, 0]
            moved[k, 3] = moved[k + 1, 3] if goes_on else k + 1
    return tape._replace(code=moved, outputs=slots[tape.outputs])


def _span(code: list[list[int]], base: int, begin: int, end: int) -> list[int]:
    """The operations from `begin` to before `end` in their new order."""
    waves: dict[int, list[int]] = {}
    for k in range(begin, end):
        if code[k][0] in (op.SIN, op.COS):
            waves.setdefault(code[k][1], []).append(k)
    missing = [0] * (end - begin)
    users: list[list[int]] = [[] for _ in missing]
    ready: dict[int, deque[int]] = {}

    def release(k: int) -> None:
        if code[k][0] not in (op.SIN, op.COS):
            ready.setdefault(code[k][0], deque()).append(k)
        elif k == waves[code[k][1]][0]:
            ready.setdefault(op.SIN, deque()).append(k)

    for k in range(begin, end):
        for slot in {s - base - begin for s in code[k][1 : 1 + _slots_of(code[k][0])] if s >= base + begin}:
            users[slot].append(k)
            missing[k - begin] += 1
        if missing[k - begin] == 0:
            release(k)
    order: list[int] = []
    while len(order) < end - begin:
        queue = max(ready.values(), key=len)
        while queue:
            k = queue.popleft()
            done = sorted(waves[code[k][1]], key=lambda w: code[w][0]) if code[k][0] in (op.SIN, op.COS) else [k]
            order += done
            for user in (u for d in done for u in users[d - begin]):
                missing[user - begin] -= 1
                if missing[user - begin] == 0:
                    release(user)
    return order


def _slots_of(kind: int) -> int:
    """How many of an operation's numbers name slots."""
    if kind in _BINARY or kind == op.UPDATE:
        return 2
    if kind in _SELECTS:
        return 3
    return 0 if kind in (op.NODE, op.LOOP_BEGIN, op.LOOP_END, op.SOLVE_BEGIN, op.SOLVE_END, op.RESULT) else 1
