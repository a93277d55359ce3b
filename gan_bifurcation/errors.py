"""Errors: misuse raises at the door, non-convergence is a value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

__all__ = [
    "GanBifurcationError",
    "MisuseError",
    "Outcome",
    "ResultsError",
    "StudyFileError",
    "UnknownNameError",
    "few",
    "unknown_name",
]

# A name that came from outside is quoted up to this many characters, a list of known names up to this many names.
_LONGEST_QUOTE = 60
_MOST_NAMES = 12
_FEW = 4
_LIKE_ENOUGH = 0.6


class GanBifurcationError(Exception):
    """The base of every error that this package raises on purpose."""


class MisuseError(GanBifurcationError, ValueError):
    """Something was asked that cannot be done; the message says what was got, what was expected and what to do."""


class UnknownNameError(MisuseError):
    """A name that nothing here has; the message gives the nearest one."""


class StudyFileError(MisuseError):
    """A study file that cannot be run as it stands."""


class ResultsError(GanBifurcationError):
    """A folder of results that cannot be read or written."""


def few(items: Sequence[str]) -> str:
    """The first of some items, and how many there are if not all are given.

    >>> few(["x", "y"]), few(["a", "b", "c", "d", "e", "f"])
    ('x, y', 'a, b, c, ... (6)')
    """
    if len(items) <= _FEW:
        return ", ".join(items)
    return f"{', '.join(items[: _FEW - 1])}, ... ({len(items)})"


def unknown_name(kind: str, got: str, known: Iterable[str]) -> UnknownNameError:
    """An error for a name that is not known, with the nearest known name or else all of them.

    Parameters
    ----------
    kind : str
        What was asked for, as a noun: ``"model"``, ``"parameter of dirac_gan"``.
    got : str
        The name that came in.
    known : iterable of str
        The names that would have been taken.

    Returns
    -------
    UnknownNameError
        To be raised by the caller.

    Examples
    --------
    >>> print(unknown_name("parameter", "sigm", ["eta_d", "sigma"]))
    Unknown parameter 'sigm'. Did you mean 'sigma'?
    >>> print(unknown_name("rule", "xyz", ["flow", "simultaneous"]))
    Unknown rule 'xyz'. Known: flow, simultaneous.
    >>> print(unknown_name("parameter", "a", []))
    Unknown parameter 'a'. There are none.
    """
    names = [str(name) for name in known]
    hint = nearest_name(str(got), names)
    if not hint and names:
        more = ", ..." if len(names) > _MOST_NAMES else "."
        hint = f"Known: {', '.join(names[:_MOST_NAMES])}{more}"
    return UnknownNameError(f"Unknown {kind} {quoted(str(got))}. {hint or 'There are none.'}")


def nearest_name(got: str, known: Iterable[str]) -> str:
    """A question for the known name that is most like the one that came in; empty if none is.

    >>> nearest_name("kernel_gam", ["dirac_gan", "kernel_gan"])
    "Did you mean 'kernel_gan'?"
    """
    nearest = max(known, key=lambda name: _likeness(got, name), default="")
    return f"Did you mean '{nearest}'?" if _likeness(got, nearest) >= _LIKE_ENOUGH else ""


def _likeness(got: str, name: str) -> float:
    return SequenceMatcher(None, got[: 2 * _LONGEST_QUOTE].lower(), name.lower()).ratio()


def quoted(text: str) -> str:
    """Text from outside, on one line and bounded in length, for use in a message.

    >>> quoted("x" * 100)[-6:]
    "xx'..."

    """
    shortened = text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE]
    inner = shortened.encode("unicode_escape").decode("ascii") if not shortened.isprintable() else shortened
    return f"'{inner}'" if shortened is text else f"'{inner}'..."


@dataclass(frozen=True)
class Outcome:
    """How an iteration ended, as a value.

    Attributes
    ----------
    code : str
        One word for programs, such as ``"converged"`` or ``"step too small"``.
    message : str
        A sentence for people that names what to change.
    converged : bool
        Whether the result may be used.
    """

    code: str
    message: str
    converged: bool

    def __bool__(self) -> bool:
        return self.converged

    def __str__(self) -> str:
        return self.message
