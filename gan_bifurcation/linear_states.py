"""States that enter their own equation linearly: a discriminator that is linear in its weights.

If w+ = c w + b(x) for M states w with one c, and x+ = F(w, x) for the others (N of them), the Jacobian is [[c I, B],
[C, D]] and its spectrum is c, M - N times, with that of the 2N x 2N matrix [[c I, C B], [I, D]]: the structural
multipliers leave the computation, which they would spoil (24 equal ones for a kernel GAN with Fourier features).
"""

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from gan_bifurcation import opcodes as op

if TYPE_CHECKING:
    from gan_bifurcation.system import System
    from gan_bifurcation.tape import Tape

_LINEAR, _OTHER = 1, 2


def dependence(tape: "Tape", states: int) -> list[list[int]]:
    """How each output depends on each state: 0 not, 1 linearly with a coefficient of parameters only, 2 otherwise."""
    n_in = len(tape.inputs)
    base = n_in + len(tape.constants)
    free = (0,) * states
    slots: list[tuple[int, ...]] = [
        tuple(_LINEAR if i == j else 0 for j in range(states)) for i in range(min(states, n_in))
    ]
    slots += [free] * (base - len(slots))
    for o, a, b, c in tape.code.tolist():
        if o in (op.LOOP_BEGIN, op.NODE, op.LOOP_END, op.SOLVE_BEGIN, op.SOLVE_END, op.ARGUMENT, op.CALL):
            result = free
        elif o in (op.UNKNOWN, op.RESULT):
            # A root or a result may depend on every state in any way.
            result = (_OTHER,) * states
        elif o in (op.NEG, op.ACCUMULATE):
            result = slots[a]
        elif o in (op.ADD, op.SUB, op.UPDATE):
            result = tuple(map(max, slots[a], slots[b]))
        elif o == op.MUL and not any(slots[a]):
            result = slots[b]
        elif o in (op.MUL, op.DIV) and not any(slots[b]):
            result = slots[a]
        else:
            used = [slots[a]]
            if o in (op.MUL, op.DIV, op.MINIMUM, op.MAXIMUM, op.SELECT_POSITIVE, op.SELECT_NONNEGATIVE):
                used.append(slots[b])
            if o in (op.SELECT_POSITIVE, op.SELECT_NONNEGATIVE):
                used.append(slots[c])
            result = tuple(_OTHER if any(u[k] for u in used) else 0 for k in range(states))
        slots.append(result)
    return [list(slots[s]) for s in tape.outputs.tolist()]


# A system at other parameter values shares its tape, and what is structural does not depend on the values.
_FOUND: "WeakKeyDictionary[Tape, tuple[int, ...]]" = WeakKeyDictionary()


def find_linear_states(system: "System") -> tuple[int, ...]:
    """The largest group of states with one common coefficient and no coupling inside the group; empty if no gain."""
    if system.tape not in _FOUND:
        _FOUND[system.tape] = _search(system)
    return _FOUND[system.tape]


def _search(system: "System") -> tuple[int, ...]:
    table = dependence(system.tape, system.n)
    candidates = [i for i in range(system.n) if table[i][i] == _LINEAR]
    if len(candidates) <= system.n // 2:
        return ()
    # The coefficient depends on parameters only: compare it at two generic parameter points.
    rng = np.random.default_rng(20260)
    factors = []
    for _ in range(2):
        p = system.parameter_vector() * rng.uniform(0.9, 1.1, system.m) + rng.uniform(0.0, 1e-3, system.m)
        diagonal = np.diag(system.jacobian(rng.uniform(-0.1, 0.1, system.n), p)[:, : system.n])
        factors.append(np.round(diagonal, 12))
    groups: dict[tuple[float, ...], list[int]] = {}
    for i in candidates:
        groups.setdefault(tuple(float(f[i]) for f in factors), []).append(i)
    group = max(groups.values(), key=len)
    chosen: list[int] = []
    for i in group:
        if all(table[i][j] == 0 and table[j][i] == 0 for j in chosen):
            chosen.append(i)
    # Where all are, nothing is left to compute with, and the equilibria at c = 1 (flows: 0) are a manifold.
    return tuple(chosen) if system.n - len(chosen) < len(chosen) < system.n else ()
