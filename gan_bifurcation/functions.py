"""The functions that losses of GANs are made of and SymPy lacks, symbols, and derivatives that stay elementary."""

from typing import Any

import numpy as np
import sympy

from gan_bifurcation.errors import MisuseError, quoted

__all__ = ["LogSigmoid", "Sigmoid", "Softplus", "derivative", "is_smooth", "symbol"]


def symbol(name: str) -> sympy.Symbol:
    """The symbol of a state or parameter: real, and equal for equal names. Every symbol of this package is made here.

    >>> symbol("x") == symbol("x"), symbol("x").is_real
    (True, True)
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise MisuseError(
            f"The name {quoted(str(name))} is not one: use letters, digits and _, not starting with a digit."
        )
    return sympy.Symbol(name, real=True)


# SymPy ships no types, so its classes count as Any for the type checker.
class Sigmoid(sympy.Function):  # type: ignore[misc]
    """1 / (1 + exp(-x)).

    >>> x = symbol("x")
    >>> sympy.diff(Sigmoid(x), x)
    Sigmoid(-x)*Sigmoid(x)
    """

    nargs = 1
    is_real = True
    is_positive = True

    @classmethod
    def eval(cls, x: sympy.Expr) -> sympy.Expr | None:
        return sympy.S.Half if x.is_zero else None

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        (x,) = self.args
        return Sigmoid(x) * Sigmoid(-x)

    def _eval_evalf(self, prec: int) -> sympy.Expr:
        return (1 / (1 + sympy.exp(-self.args[0])))._eval_evalf(prec)

    def _eval_rewrite_as_exp(self, x: sympy.Expr, **_: Any) -> sympy.Expr:
        return 1 / (1 + sympy.exp(-x))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _operator("sigmoid", printer, self.args[0], exp)

    @staticmethod
    def _imp_(x: Any) -> Any:
        return np.exp(-np.logaddexp(0.0, -x))


class LogSigmoid(sympy.Function):  # type: ignore[misc]
    """log(1 / (1 + exp(-x))), which overflows nowhere when evaluated by this package.

    >>> x = symbol("x")
    >>> sympy.diff(LogSigmoid(x), x)
    Sigmoid(-x)
    """

    nargs = 1
    is_real = True
    is_negative = True

    @classmethod
    def eval(cls, x: sympy.Expr) -> sympy.Expr | None:
        return -sympy.log(2) if x.is_zero else None

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return Sigmoid(-self.args[0])

    def _eval_evalf(self, prec: int) -> sympy.Expr:
        return (-sympy.log(1 + sympy.exp(-self.args[0])))._eval_evalf(prec)

    def _eval_rewrite_as_exp(self, x: sympy.Expr, **_: Any) -> sympy.Expr:
        return -sympy.log(1 + sympy.exp(-x))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _operator("logsigmoid", printer, self.args[0], exp)

    @staticmethod
    def _imp_(x: Any) -> Any:
        return -np.logaddexp(0.0, -x)


class Softplus(sympy.Function):  # type: ignore[misc]
    """log(1 + exp(x)), which overflows nowhere when evaluated by this package.

    >>> x = symbol("x")
    >>> sympy.diff(Softplus(x), x)
    Sigmoid(x)
    """

    nargs = 1
    is_real = True
    is_positive = True

    @classmethod
    def eval(cls, x: sympy.Expr) -> sympy.Expr | None:
        return sympy.log(2) if x.is_zero else None

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return Sigmoid(self.args[0])

    def _eval_evalf(self, prec: int) -> sympy.Expr:
        return sympy.log(1 + sympy.exp(self.args[0]))._eval_evalf(prec)

    def _eval_rewrite_as_exp(self, x: sympy.Expr, **_: Any) -> sympy.Expr:
        return sympy.log(1 + sympy.exp(x))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _operator("softplus", printer, self.args[0], exp)

    @staticmethod
    def _imp_(x: Any) -> Any:
        return np.logaddexp(0.0, x)


def _operator(name: str, printer: Any, x: sympy.Expr, exp: str | None) -> str:
    power = "" if exp is None else f"^{{{exp}}}"
    return rf"\operatorname{{{name}}}{power}\left({printer._print(x)}\right)"


_NON_SMOOTH = (sympy.Abs, sympy.sign, sympy.Min, sympy.Max, sympy.Piecewise)


def is_smooth(expression: sympy.Expr) -> bool:
    """False if abs, sign, min, max or a choice occurs, so that derivatives hold only between the kinks.

    >>> x = symbol("x")
    >>> is_smooth(sympy.exp(x)), is_smooth(sympy.Max(x, 0))
    (True, False)
    """
    return not expression.has(*_NON_SMOOTH)


def derivative(expression: sympy.Expr, variable: sympy.Symbol) -> sympy.Expr:
    """The partial derivative, which at a kink is that of one of the pieces.

    SymPy would answer with Heaviside's and Dirac's distributions, which no map or flow of training contains.

    >>> x = symbol("x")
    >>> derivative(sympy.Max(x**2, 1), x)
    Piecewise((0, x**2 <= 1), (2*x, True))
    >>> derivative(abs(sympy.log(x)), x)
    Piecewise((1/x, log(x) >= 0), (-1/x, True))
    """
    if not expression.has(variable):
        return sympy.S.Zero
    if expression.has(sympy.Abs, sympy.sign, sympy.Min, sympy.Max):
        for kind, pieces in ((sympy.Abs, _abs), (sympy.sign, _sign), (sympy.Min, _min), (sympy.Max, _max)):
            expression = expression.replace(kind, pieces)
    return _derivative(expression, variable)


_CHAINED = (sympy.exp, sympy.log, sympy.sin, sympy.cos, sympy.sinh, sympy.cosh, sympy.tanh, sympy.erf)


def _derivative(expression: sympy.Expr, variable: sympy.Symbol) -> sympy.Expr:
    """As SymPy's, which asks for the assumptions of every part first and looks at all factors of a product."""
    if isinstance(expression, sympy.Add):
        return sympy.Add(*(_derivative(term, variable) for term in expression.args if variable in term.free_symbols))
    if isinstance(expression, sympy.Mul):
        depends = [k for k, factor in enumerate(expression.args) if variable in factor.free_symbols]
        if len(depends) == 1:
            (k,) = depends
            return sympy.Mul(*expression.args[:k], _derivative(expression.args[k], variable), *expression.args[k + 1 :])
    if isinstance(expression, _CHAINED):
        return sympy.Mul(expression.fdiff(), _derivative(expression.args[0], variable))
    return sympy.S.One if expression == variable else sympy.diff(expression, variable)


def _abs(x: sympy.Expr) -> sympy.Expr:
    return sympy.Piecewise((x, x >= 0), (-x, True))


def _sign(x: sympy.Expr) -> sympy.Expr:
    return sympy.Piecewise((1, x > 0), (-1, x < 0), (0, True))


def _min(first: sympy.Expr, *others: sympy.Expr) -> sympy.Expr:
    rest = _min(*others) if len(others) > 1 else others[0]
    return sympy.Piecewise((first, first <= rest), (rest, True))


def _max(first: sympy.Expr, *others: sympy.Expr) -> sympy.Expr:
    rest = _max(*others) if len(others) > 1 else others[0]
    return sympy.Piecewise((first, first >= rest), (rest, True))
