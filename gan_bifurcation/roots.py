"""Values that an equation gives: the root of R(u, ...) = 0 that Newton's method finds from a start.

A root is an expression like any other, and a block on the tape: the interpreters iterate it for values, and repeat it
for derivatives of every order. So a system whose next state solves an equation is a system like any other.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.functions import derivative, symbol

__all__ = ["Root", "roots", "solve_linear"]

Assignment = tuple[sympy.Symbol, sympy.Expr]
# How a value gets a name: a prefix and an expression to a symbol (or the expression itself, if it is short).
Namer = Callable[[str, sympy.Expr], sympy.Expr]


class Root(sympy.Expr):  # type: ignore[misc]
    """One of the unknowns at the limit of Newton's method, u - step(u) over and over from a start; see `roots`.

    Its arguments are which unknown it is, all unknowns, their starts, the intermediate values as pairs of a symbol and
    an expression, the steps, and the equations (for people; none if they are not known). Unknowns and
    intermediate values are bound: they are no free symbols.
    """

    is_commutative = True

    @property
    def index(self) -> int:
        return int(self.args[0])

    @property
    def unknowns(self) -> tuple[sympy.Symbol, ...]:
        return tuple(self.args[1])

    @property
    def starts(self) -> tuple[sympy.Expr, ...]:
        return tuple(self.args[2])

    @property
    def program(self) -> tuple[Assignment, ...]:
        return tuple((pair[0], pair[1]) for pair in self.args[3])

    @property
    def steps(self) -> tuple[sympy.Expr, ...]:
        return tuple(self.args[4])

    @property
    def equation(self) -> sympy.Expr | None:
        """What is zero at the root, as far as it belongs to this unknown."""
        return self.args[5][self.index] if self.args[5] else None

    @property
    def family(self) -> tuple[Any, ...]:
        """What all roots of one system of equations share."""
        return self.args[1:]  # type: ignore[no-any-return]

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        bound = {*self.unknowns, *(name for name, _ in self.program)}
        inside = {s for e in (*self.steps, *(e for _, e in self.program)) for s in e.free_symbols}
        return (inside - bound) | {s for e in self.starts for s in e.free_symbols}

    def _eval_is_real(self) -> bool:
        return True

    def _eval_derivative(self, variable: sympy.Symbol) -> sympy.Expr:
        raise MisuseError(
            f"A value that an equation gives has no formula to differentiate by '{variable}'; the derivatives of a "
            "system are those of its tape."
        )

    def count_ops(self, visual: Any = None) -> Any:
        """Operations of the equation: those of Newton's method are nobody's formula."""
        return sympy.count_ops(self.equation or sympy.S.Zero, visual)

    def _sympystr(self, printer: Any) -> str:
        unknown = printer._print(self.unknowns[self.index])
        return f"Root({unknown})" if self.equation is None else f"Root({unknown}: 0 = {printer._print(self.equation)})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        shown = self.unknowns[self.index]
        equation = "" if self.equation is None else f"\\colon 0 = {printer._print(self.equation)}"
        return rf"\operatorname{{root}}{power}\left({printer._print(shown)}{equation}\right)"


def roots(
    unknowns: Sequence[sympy.Symbol], residuals: Sequence[sympy.Expr], starts: Sequence[sympy.Expr]
) -> tuple[sympy.Expr, ...]:
    """The solution of as many equations residual = 0 by Newton's method.

    Parameters
    ----------
    unknowns : sequence of Symbol
        Used nowhere else.
    residuals : sequence of Expr
        The derivatives are taken here, in SymPy, and Newton's equations solved by elimination; see `solve_linear`.
    starts : sequence of Expr
        Where Newton's method begins.

    Returns
    -------
    tuple of Expr
        One for each unknown. Not a number where Newton's method does not converge.

    Examples
    --------
    >>> from gan_bifurcation.functions import symbol
    >>> from gan_bifurcation.lowering import build
    >>> a, u = symbol("a"), symbol("u")
    >>> build([], roots([u], [u**2 - a], [a]), ["a"]).evaluate([2.0])
    [1.414213562373095]
    """
    if not len(unknowns) == len(residuals) == len(starts) or not unknowns:
        raise MisuseError(
            f"Roots need one equation and one start for each unknown, but got {len(unknowns)} unknowns, "
            f"{len(residuals)} equations and {len(starts)} starts."
        )
    program: list[Assignment] = []

    def name(tag: str, value: sympy.Expr) -> sympy.Expr:
        if value.is_Atom:
            return value
        named = symbol(f"{unknowns[0].name}__{tag}{len(program)}")
        program.append((named, value))
        return named

    free = [residual.free_symbols for residual in residuals]
    matrix = {
        (i, j): derivative(residuals[i], u)
        for i in range(len(residuals))
        for j, u in enumerate(unknowns)
        if u in free[i]
    }
    entries = {place: name("j", value) for place, value in matrix.items() if value != 0}
    right = [name("r", residual) for residual in residuals]
    steps = solve_linear(entries, right, name)
    arguments = (
        sympy.Tuple(*unknowns),
        sympy.Tuple(*starts),
        sympy.Tuple(*(sympy.Tuple(s, e) for s, e in program)),
        sympy.Tuple(*steps),
        sympy.Tuple(*residuals),
    )
    return tuple(Root(sympy.Integer(k), *arguments) for k in range(len(unknowns)))


def solve_linear(
    matrix: Mapping[tuple[int, int], sympy.Expr], right: Sequence[sympy.Expr], name: Namer
) -> list[sympy.Expr]:
    """The solution of linear equations as straight-line steps: elimination in an order that fills in little.

    Pivots are taken from the diagonal, since the matrices of implicit rules have a positive symmetric part for the
    games that they are meant for. The last one or two equations are solved by determinants, so that two unknowns need
    no pivot at all.

    Parameters
    ----------
    matrix : mapping of (row, column) to Expr
        What is left out is zero.
    right : sequence of Expr
    name : callable
        Gives an intermediate value a symbol.

    Examples
    --------
    >>> two = {(0, 0): sympy.Integer(2), (1, 1): sympy.Integer(4), (0, 1): sympy.Integer(1)}
    >>> solve_linear(two, [sympy.Integer(3), sympy.Integer(4)], lambda tag, value: value)
    [1, 1]
    """
    a, b = dict(matrix), list(right)
    left = list(range(len(b)))
    done: list[tuple[int, sympy.Expr, list[tuple[int, sympy.Expr]]]] = []
    while len(left) > 2:

        def fill(p: int) -> tuple[int, int]:
            below = sum((i, p) in a for i in left if i != p)
            beside = sum((p, j) in a for j in left if j != p)
            return (below * beside, p) if (p, p) in a else (len(b) ** 2 + 1, p)

        p = min(left, key=fill)
        if (p, p) not in a:
            raise MisuseError(
                "The equations of an implicit step have a diagonal entry that is zero; they are no steps."
            )
        left.remove(p)
        inverse = name("p", 1 / a[p, p])
        row = [(j, a[p, j]) for j in left if (p, j) in a]
        for i in left:
            if (i, p) in a:
                factor = name("f", a.pop((i, p)) * inverse)
                for j, value in row:
                    a[i, j] = name("a", a.get((i, j), sympy.S.Zero) - factor * value)
                b[i] = name("b", b[i] - factor * b[p])
        done.append((p, inverse, row))
    solution: dict[int, sympy.Expr] = {}
    if len(left) == 1:
        (i,) = left
        solution[i] = name("x", b[i] / a[i, i])
    elif left:
        i, j = left
        zero = sympy.S.Zero
        ii, ij, ji, jj = a.get((i, i), zero), a.get((i, j), zero), a.get((j, i), zero), a.get((j, j), zero)
        determinant = name("d", ii * jj - ij * ji)
        solution[i] = name("x", (jj * b[i] - ij * b[j]) / determinant)
        solution[j] = name("x", (ii * b[j] - ji * b[i]) / determinant)
    for p, inverse, row in reversed(done):
        rest = b[p] - sympy.Add(*(value * solution[j] for j, value in row))
        solution[p] = name("x", rest * inverse)
    return [solution[k] for k in range(len(b))]
