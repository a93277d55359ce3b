"""Expectations over fixed nodes and weights: a quadrature rule or a sample, kept as a loop and never unrolled."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.functions import derivative, symbol

__all__ = ["Mean", "NodeTable", "explicit", "gauss_hermite", "gauss_legendre", "product_table", "sample_table"]

_MOST_NODES = 1_000_000


@dataclass(frozen=True, eq=False)
class NodeTable:
    """Nodes and weights over which an expectation is taken; equal, and of equal hash, if the contents are.

    Attributes
    ----------
    name : str
        What the table is, for people.
    columns : tuple of Symbol
        The random variables, one for each column of `nodes`.
    nodes : float64 array (rows, columns)
    weights : float64 array (rows,)
    """

    name: str
    columns: tuple[sympy.Symbol, ...]
    nodes: NDArray[np.float64]
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        nodes, weights = np.array(self.nodes, dtype=np.float64), np.array(self.weights, dtype=np.float64)
        object.__setattr__(self, "columns", tuple(self.columns))
        if nodes.ndim == 1:
            nodes = nodes[:, None]
        if nodes.ndim != 2 or weights.shape != nodes.shape[:1] or nodes.shape[1] != len(self.columns):
            raise MisuseError(
                f"The table '{self.name}' needs nodes (rows, {len(self.columns)}) and weights (rows,), "
                f"but got {nodes.shape} and {weights.shape}."
            )
        if not 0 < nodes.size <= _MOST_NODES:
            raise MisuseError(f"The table '{self.name}' has {nodes.size} nodes, expected between 1 and {_MOST_NODES}.")
        if not (np.isfinite(nodes).all() and np.isfinite(weights).all()):
            raise MisuseError(f"The table '{self.name}' has nodes or weights that are not finite: remove those rows.")
        if len(set(self.columns)) != len(self.columns):
            raise MisuseError(f"The table '{self.name}' names a column twice.")
        for name, array in (("nodes", nodes), ("weights", weights)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the contents."""
        names = "\0".join([self.name, *(column.name for column in self.columns)])
        shape = repr(self.nodes.shape)
        return hashlib.sha256(
            b"\0".join([names.encode(), shape.encode(), self.nodes.tobytes(), self.weights.tobytes()])
        ).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NodeTable) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def total_weight(self) -> float:
        return float(self.weights.sum())


class _Table(sympy.Atom):  # type: ignore[misc]
    """A table as an argument of a SymPy expression."""

    __slots__ = ("table",)

    def __new__(cls, table: NodeTable) -> "_Table":
        self = sympy.Atom.__new__(cls)
        self.table = table
        return self  # type: ignore[no-any-return]

    def _hashable_content(self) -> tuple[str, ...]:
        return (self.table.digest,)

    def __getnewargs__(self) -> tuple[NodeTable]:
        return (self.table,)

    def _sympystr(self, printer: Any) -> str:
        return f"{self.table.name}#{self.table.digest[:16]}"


class Mean(sympy.Expr):  # type: ignore[misc]
    """The weighted sum of an expression over the rows of a table.

    The columns of the table are bound: they are no free symbols, and nothing from outside is put in their place. An
    expectation may hold another one that does not depend on its columns: a number, as far as it is concerned.

    Examples
    --------
    >>> table = gauss_hermite("eps", 20)
    >>> (eps,) = table.columns
    >>> x = symbol("x")
    >>> second_moment = Mean((x + eps) ** 2, table)
    >>> second_moment.free_symbols
    {x}
    >>> sympy.diff(second_moment, x)
    Mean(2*eps + 2*x)
    >>> float(second_moment.xreplace({x: sympy.Integer(3)}))
    10.0
    """

    is_commutative = True

    def __new__(cls, body: sympy.Expr, table: "NodeTable | _Table") -> sympy.Expr:
        body = sympy.sympify(body, strict=True)
        inner = table.table if isinstance(table, _Table) else table
        if any(mean.free_symbols.intersection(inner.columns) for mean in body.atoms(Mean)):
            raise MisuseError(
                "An expectation inside an expectation depends on the variables of both: use one over a product_table "
                "instead."
            )
        if not body.free_symbols.intersection(inner.columns):
            total = inner.total_weight
            # The weights of a quadrature rule sum to one but for rounding.
            return body if abs(total - 1.0) < 1e-12 else body * sympy.Float(total)
        return sympy.Expr.__new__(cls, body, _Table(inner))

    @property
    def body(self) -> sympy.Expr:
        return self.args[0]

    @property
    def table(self) -> NodeTable:
        table: NodeTable = self.args[1].table
        return table

    @property
    def free_symbols(self) -> set[sympy.Symbol]:
        return self.body.free_symbols - set(self.table.columns)  # type: ignore[no-any-return]

    @property
    def bound_symbols(self) -> list[sympy.Symbol]:
        return list(self.table.columns)

    def _eval_is_real(self) -> bool | None:
        return self.body.is_real  # type: ignore[no-any-return]

    def _eval_derivative(self, variable: sympy.Symbol) -> sympy.Expr:
        return sympy.S.Zero if variable in self.table.columns else Mean(derivative(self.body, variable), self.table)

    def _xreplace(self, rule: Any) -> tuple[sympy.Expr, bool]:
        if self in rule:
            return rule[self], True
        columns = set(self.table.columns)
        free = {old: _set_apart(new, columns) for old, new in rule.items() if old not in columns}
        body, changed = self.body._xreplace(free)
        if not changed:
            return self, False
        for old, new in free.items():
            if self.body.has(old) and columns & sympy.sympify(new, strict=True).free_symbols:
                raise MisuseError(
                    f"'{old}' would be replaced by '{new}' inside an expectation over that name: rename the column."
                )
        return Mean(body, self.table), True

    def _eval_subs(self, old: sympy.Basic, new: sympy.Basic) -> sympy.Expr | None:
        return self if old in self.table.columns else self.xreplace({old: new}) if old.is_Symbol else None

    def as_sum(self) -> sympy.Expr:
        """The expectation written out, one term for each row."""
        columns, rows, body = self.table.columns, self.table.nodes.tolist(), explicit(self.body)
        terms = [
            sympy.Float(weight) * body.xreplace({c: sympy.Float(v) for c, v in zip(columns, row, strict=True)})
            for weight, row in zip(self.table.weights.tolist(), rows, strict=True)
        ]
        return sympy.Add(*terms)

    def _eval_evalf(self, prec: int) -> sympy.Expr:
        return self.as_sum()._eval_evalf(prec)

    def _sympystr(self, printer: Any) -> str:
        return f"Mean({printer._print(self.body)})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        names = ", ".join(printer._print(column) for column in self.table.columns)
        return rf"\mathbb{{E}}_{{{names}}}{power}\left[{printer._print(self.body)}\right]"


def _set_apart(expression: sympy.Basic, taken: set[sympy.Symbol]) -> sympy.Basic:
    """An expression whose expectations are over none of these names, so that it can stand inside an expectation."""
    renamed = {}
    for mean in expression.atoms(Mean):
        if not taken.isdisjoint(mean.table.columns):
            used = taken | mean.body.free_symbols
            columns = tuple(_fresh(column, used) for column in mean.table.columns)
            table = NodeTable(mean.table.name, columns, mean.table.nodes, mean.table.weights)
            body = mean.body.xreplace(dict(zip(mean.table.columns, columns, strict=True)))
            renamed[mean] = Mean(body, table)
    return expression.xreplace(renamed) if renamed else expression


def _fresh(column: sympy.Symbol, used: set[sympy.Symbol]) -> sympy.Symbol:
    """A name like this one that is not used yet, which it then is."""
    number = 1
    while (name := symbol(f"{column.name}_{number}")) in used:
        number += 1
    used.add(name)
    return name


def explicit(expression: sympy.Expr) -> sympy.Expr:
    """An expression with every expectation written out as a sum, for programs that know no loops.

    >>> table = sample_table("z", [1.0, 3.0])
    >>> explicit(Mean(table.columns[0] * symbol("x"), table))
    2.0*x
    """
    means = expression.atoms(Mean)
    return expression.xreplace({mean: mean.as_sum() for mean in means}) if means else expression


def gauss_hermite(column: str, order: int) -> NodeTable:
    """The standard normal distribution by Gauss and Hermite's rule, exact for polynomials below degree 2 `order`.

    Noise of another width is `sigma` times the column; so the width stays a parameter.

    >>> table = gauss_hermite("eps", 5)
    >>> bool(abs(table.weights @ table.nodes[:, 0] ** 8 - 105) < 1e-10)
    True
    """
    _check_order(order, 150)
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    return NodeTable(f"gauss_hermite({order})", (symbol(column),), nodes[:, None], weights / weights.sum())


def gauss_legendre(column: str, order: int, low: float = -1.0, high: float = 1.0) -> NodeTable:
    """The uniform distribution on [low, high] by Gauss and Legendre's rule, exact for degrees below 2 `order`.

    >>> table = gauss_legendre("z", 3)
    >>> bool(abs(table.weights @ table.nodes[:, 0] ** 4 - 1 / 5) < 1e-15)
    True
    """
    _check_order(order, 2000)
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise MisuseError(f"A quadrature rule needs finite bounds, the smaller one first, but got {low} and {high}.")
    nodes, weights = np.polynomial.legendre.leggauss(order)
    scaled = low + (high - low) * (nodes + 1.0) / 2.0
    return NodeTable(
        f"gauss_legendre({order}, {low:g}, {high:g})", (symbol(column),), scaled[:, None], weights / weights.sum()
    )


def sample_table(columns: str | tuple[str, ...], sample: ArrayLike) -> NodeTable:
    """A sample, every row of which has the same weight.

    >>> sample_table(("x", "y"), [[0.0, 1.0], [2.0, 3.0]]).weights
    array([0.5, 0.5])
    """
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    rows = np.array(sample, dtype=np.float64)
    if rows.ndim == 0 or rows.shape[0] == 0:
        raise MisuseError(f"A sample of {names} needs at least one row, but got shape {rows.shape}.")
    return NodeTable("sample", tuple(symbol(name) for name in names), rows, np.full(rows.shape[0], 1.0 / rows.shape[0]))


def product_table(first: NodeTable, second: NodeTable) -> NodeTable:
    """Two independent tables as one, whose rows are all pairs.

    >>> product_table(gauss_hermite("x", 3), gauss_hermite("y", 4)).nodes.shape
    (12, 2)
    """
    if len(first.weights) * len(second.weights) * len(first.columns + second.columns) > _MOST_NODES:
        raise MisuseError(f"The product of '{first.name}' and '{second.name}' has more than {_MOST_NODES} nodes.")
    i, j = np.divmod(np.arange(len(first.weights) * len(second.weights)), len(second.weights))
    return NodeTable(
        f"{first.name} x {second.name}",
        first.columns + second.columns,
        np.hstack([first.nodes[i], second.nodes[j]]),
        first.weights[i] * second.weights[j],
    )


def _check_order(order: int, most: int) -> None:
    if isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= most:
        raise MisuseError(f"The order of a quadrature rule is a whole number from 1 to {most}, but got {order!r}.")
