"""Derivatives over any scalars: Taylor series and gradients of numbers, interval balls, or each other.

The functions are found in `FUNCTIONS`, a library for :meth:`gan_bifurcation.tape.Tape.evaluate`.
"""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final


class Series:
    """A truncated Taylor series in one variable; its coefficients are scalars of any one kind.

    >>> x = Series([2.0, 1.0, 0.0])
    >>> (x * x / 4.0).terms
    [1.0, 1.0, 0.25]
    """

    __slots__ = ("terms",)

    def __init__(self, terms: list[Any]) -> None:
        self.terms = terms

    def _other(self, value: Any) -> list[Any]:
        if isinstance(value, Series):
            return value.terms
        return [value, *([0.0] * (len(self.terms) - 1))]

    def __add__(self, other: Any) -> "Series":
        if not isinstance(other, Series):
            return Series([self.terms[0] + other, *self.terms[1:]])
        return Series([a + b for a, b in zip(self.terms, other.terms, strict=True)])

    __radd__ = __add__

    def __neg__(self) -> "Series":
        return Series([-a for a in self.terms])

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> "Series":
        if not isinstance(other, Series):
            return Series([a * other for a in self.terms])
        a, b = self.terms, other.terms
        return Series([_sum(a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))])

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Series":
        if not isinstance(other, Series):
            return Series([a / other for a in self.terms])
        b, quotient = other.terms, list[Any]()
        for k, a in enumerate(self.terms):
            known = _sum(quotient[i] * b[k - i] for i in range(k)) if k else 0.0
            quotient.append((a - known) / b[0])
        return Series(quotient)

    def __rtruediv__(self, other: Any) -> "Series":
        return Series(self._other(other)) / self

    def __pow__(self, exponent: Any) -> Any:
        return _power(self, exponent)

    def composed(self, name: str) -> "Series":
        """A function of it: its value, then the integral of its derivative, which needs one order less."""
        first = getattr(FUNCTIONS, name)(self.terms[0])
        if len(self.terms) == 1:
            return Series([first])
        slope = _SLOPES[name](Series(self.terms[:-1]))
        rate = Series([(k + 1) * a for k, a in enumerate(self.terms[1:])])
        return Series([first, *(a / (k + 1) for k, a in enumerate((slope * rate).terms))])


class Gradient:
    """A value with its derivatives in several unknowns; both are scalars of any one kind.

    >>> x, y = Gradient(3.0, [1.0, 0.0]), Gradient(2.0, [0.0, 1.0])
    >>> (x * y).slopes
    [2.0, 3.0]
    """

    __slots__ = ("slopes", "value")

    def __init__(self, value: Any, slopes: list[Any]) -> None:
        self.value = value
        self.slopes = slopes

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Series | Polynomial):
            return NotImplemented
        if not isinstance(other, Gradient):
            return Gradient(self.value + other, self.slopes)
        return Gradient(self.value + other.value, [a + b for a, b in zip(self.slopes, other.slopes, strict=True)])

    __radd__ = __add__

    def __neg__(self) -> "Gradient":
        return Gradient(-self.value, [-a for a in self.slopes])

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Series | Polynomial):
            return NotImplemented
        if not isinstance(other, Gradient):
            return Gradient(self.value * other, [a * other for a in self.slopes])
        u, v = self.value, other.value
        return Gradient(u * v, [a * v + u * b for a, b in zip(self.slopes, other.slopes, strict=True)])

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, Series | Polynomial):
            return NotImplemented
        if not isinstance(other, Gradient):
            return Gradient(self.value / other, [a / other for a in self.slopes])
        quotient = self.value / other.value
        return Gradient(
            quotient, [(a - quotient * b) / other.value for a, b in zip(self.slopes, other.slopes, strict=True)]
        )

    def __rtruediv__(self, other: Any) -> Any:
        return Gradient(other + 0.0 * self.value, [0.0 * a for a in self.slopes]) / self

    def __pow__(self, exponent: Any) -> Any:
        return _power(self, exponent)

    def composed(self, name: str) -> "Gradient":
        """A function of it, by the chain rule."""
        slope = _SLOPES[name](self.value)
        return Gradient(getattr(FUNCTIONS, name)(self.value), [slope * a for a in self.slopes])


class Polynomial:
    """A polynomial in several variables, cut off above a degree; its coefficients are scalars of any one kind.

    >>> x = Polynomial({(0,): 2.0, (1,): 1.0}, 2)
    >>> (x * x).terms
    {(0,): 4.0, (1,): 4.0, (2,): 1.0}
    """

    __slots__ = ("degree", "terms")

    def __init__(self, terms: dict[tuple[int, ...], Any], degree: int) -> None:
        self.terms, self.degree = terms, degree

    @property
    def constant(self) -> Any:
        return self.terms[self._zero]

    @property
    def _zero(self) -> tuple[int, ...]:
        return (0,) * len(next(iter(self.terms)))

    def __add__(self, other: Any) -> "Polynomial":
        terms = dict(self.terms)
        for e, a in other.terms.items() if isinstance(other, Polynomial) else ((self._zero, other),):
            terms[e] = terms[e] + a if e in terms else a
        return Polynomial(terms, self.degree)

    __radd__ = __add__

    def __neg__(self) -> "Polynomial":
        return Polynomial({e: -a for e, a in self.terms.items()}, self.degree)

    def __sub__(self, other: Any) -> "Polynomial":
        return self.__add__(-1 * other)

    def __rsub__(self, other: Any) -> "Polynomial":
        return self.__neg__().__add__(other)

    def __mul__(self, other: Any) -> "Polynomial":
        if not isinstance(other, Polynomial):
            return Polynomial({e: a * other for e, a in self.terms.items()}, self.degree)
        terms: dict[tuple[int, ...], Any] = {}
        for e, a in self.terms.items():
            left = self.degree - sum(e)
            for f, b in other.terms.items():
                if sum(f) <= left:
                    key = tuple(i + j for i, j in zip(e, f, strict=True))
                    terms[key] = terms[key] + a * b if key in terms else a * b
        return Polynomial(terms, self.degree)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Polynomial":
        if not isinstance(other, Polynomial):
            return Polynomial({e: a / other for e, a in self.terms.items()}, self.degree)
        first = 1.0 / other.constant
        coefficients = [first]
        for _ in range(self.degree):
            coefficients.append(-coefficients[-1] * first)
        return self * other._with(coefficients)

    def __rtruediv__(self, other: Any) -> "Polynomial":
        return Polynomial({self._zero: other + 0.0 * self.constant}, self.degree) / self

    def __pow__(self, exponent: Any) -> Any:
        return _power(self, exponent)

    def _with(self, coefficients: list[Any]) -> "Polynomial":
        """The series with these Taylor coefficients at the constant term."""
        zero = self._zero
        rest = Polynomial({e: a for e, a in self.terms.items() if e != zero}, self.degree)
        total = Polynomial({zero: coefficients[-1]}, self.degree)
        for c in coefficients[-2::-1]:
            total = (total * rest if rest.terms else Polynomial({zero: 0.0 * c}, self.degree)) + c
        return total

    def composed(self, name: str) -> "Polynomial":
        """A function of it, by its Taylor series at the constant term."""
        line = Series([self.constant, 1.0 + 0.0 * self.constant, *([0.0 * self.constant] * (self.degree - 1))])
        return self._with(line.composed(name).terms)


def _sum(values: Any) -> Any:
    total: Any = None
    for v in values:
        total = v if total is None else total + v
    return total


def _power(base: Any, exponent: Any) -> Any:
    """A constant power: whole ones by repeated squaring, others by exponential and logarithm of a positive base."""
    if isinstance(exponent, int):
        result, square, k = None, base, exponent
        while k:
            if k & 1:
                result = square if result is None else result * square
            k >>= 1
            square = square * square if k else square
        return result if result is not None else base * 0.0 + 1.0
    return FUNCTIONS.exp(FUNCTIONS.log(base) * exponent)


def _function(name: str, of_ball: Callable[[Any], Any] | None = None) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        if isinstance(x, Series | Gradient | Polynomial):
            return x.composed(name)
        return of_ball(x) if of_ball is not None else getattr(x, name)()

    return function


def _exact(value: float) -> Any:
    """A number of the tape as a ball: floats among themselves would round without saying so."""
    from flint import arb

    return arb(value)


_NAMES: Final = (
    "sqrt", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "erf", "erfc",
)  # fmt: skip
FUNCTIONS: Final = SimpleNamespace(
    **{name: _function(name) for name in _NAMES},
    exact=_exact,
    sigmoid=_function("sigmoid", lambda x: 1 / (1 + (-x).exp())),
    softplus=_function("softplus", lambda x: (1 + x.exp()).log()),
    logsigmoid=_function("logsigmoid", lambda x: -(1 + (-x).exp()).log()),
)


def _bell(x: Any) -> Any:
    """The derivative of erf, 2/sqrt(pi) exp(-x^2), with an enclosure of the factor."""
    from flint import arb

    return FUNCTIONS.exp(-(x * x)) * (2 / arb.pi().sqrt())


_SLOPES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "sqrt": lambda x: 0.5 / FUNCTIONS.sqrt(x),
    "exp": lambda x: FUNCTIONS.exp(x),
    "log": lambda x: 1.0 / x,
    "sin": lambda x: FUNCTIONS.cos(x),
    "cos": lambda x: -FUNCTIONS.sin(x),
    "tan": lambda x: 1.0 + FUNCTIONS.tan(x) * FUNCTIONS.tan(x),
    "sinh": lambda x: FUNCTIONS.cosh(x),
    "cosh": lambda x: FUNCTIONS.sinh(x),
    "tanh": lambda x: 1.0 - FUNCTIONS.tanh(x) * FUNCTIONS.tanh(x),
    "asin": lambda x: 1.0 / FUNCTIONS.sqrt(1.0 - x * x),
    "acos": lambda x: -1.0 / FUNCTIONS.sqrt(1.0 - x * x),
    "atan": lambda x: 1.0 / (1.0 + x * x),
    "erf": _bell,
    "erfc": lambda x: -_bell(x),
    "sigmoid": lambda x: FUNCTIONS.sigmoid(x) * (1.0 - FUNCTIONS.sigmoid(x)),
    "softplus": lambda x: FUNCTIONS.sigmoid(x),
    "logsigmoid": lambda x: 1.0 - FUNCTIONS.sigmoid(x),
}
