"""Numbers that carry an error along, so that no sum, product or quotient of coefficients gets a sign within its own."""

from typing import Any, Union

Number = Union["Estimate", complex]


class Estimate:
    """A number and how far from it the true one may be (errors of products and quotients to all orders).

    Attributes
    ----------
    value : complex or float
    error : float

    Examples
    --------
    >>> b, c = Estimate(2.0, 1e-9), Estimate(1e-10, 1e-9)
    >>> (c / b).signed
    0.0
    >>> (b / 4.0 + c).signed
    0.5000000001
    """

    __slots__ = ("error", "value")

    def __init__(self, value: Any, error: float = 0.0) -> None:
        self.value = value
        self.error = error

    def __add__(self, other: Number) -> "Estimate":
        if isinstance(other, Estimate):
            return Estimate(self.value + other.value, self.error + other.error)
        return Estimate(self.value + other, self.error)

    def __neg__(self) -> "Estimate":
        return Estimate(-self.value, self.error)

    def __sub__(self, other: Number) -> "Estimate":
        if isinstance(other, Estimate):
            return Estimate(self.value - other.value, self.error + other.error)
        return Estimate(self.value - other, self.error)

    def __mul__(self, other: Number) -> "Estimate":
        if isinstance(other, Estimate):
            value, factor, margin = self.value, other.value, other.error
            return Estimate(value * factor, abs(value) * margin + (abs(factor) + margin) * self.error)
        return Estimate(self.value * other, self.error * abs(other))

    def __truediv__(self, other: Number) -> "Estimate":
        if not isinstance(other, Estimate):
            return Estimate(self.value / other, self.error / abs(other))
        room = abs(other.value) - other.error
        if not room > 0.0:
            return Estimate(float("nan"), float("inf"))
        value = self.value / other.value
        return Estimate(value, (self.error + abs(value) * other.error) / room)

    def __abs__(self) -> "Estimate":
        return Estimate(abs(self.value), self.error)

    @property
    def real(self) -> "Estimate":
        return Estimate(float(self.value.real), self.error)

    @property
    def imag(self) -> "Estimate":
        return Estimate(float(self.value.imag), self.error)

    @property
    def signed(self) -> Any:
        """The value, its real and its imaginary part exactly zero where the error is larger."""
        value, error = self.value, self.error
        if isinstance(value, complex):
            return complex(
                value.real if abs(value.real) > error else 0.0, value.imag if abs(value.imag) > error else 0.0
            )
        return value if abs(value) > error else 0.0

    @property
    def sign(self) -> int:
        """-1, 0 (within the error) or 1, of a real number."""
        if not abs(self.value) > self.error:
            return 0
        return 1 if self.value > 0.0 else -1
