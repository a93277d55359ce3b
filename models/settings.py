"""Checks of settings that several models share."""

from gan_bifurcation.errors import MisuseError

__all__ = ["whole_number"]


def whole_number(name: str, value: object, fewest: int, most: int) -> int:
    """A setting that must be a whole number between two others.

    >>> whole_number("modes", 3, 1, 12)
    3
    >>> whole_number("modes", 0, 1, 12)
    Traceback (most recent call last):
    ...
    gan_bifurcation.errors.MisuseError: 'modes' must be a whole number from 1 to 12, but got 0.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not fewest <= value <= most:
        raise MisuseError(f"'{name}' must be a whole number from {fewest} to {most}, but got {value!r}.")
    return value
