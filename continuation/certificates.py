"""Certificates: what a computed point is for certain, proved in interval arithmetic."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from gan_bifurcation.branch import Point
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.system import System

# Bits of the balls: twice those of floats and some, so that rounding is no reason for a failure.
BITS: Final = 128
# Operations times unknowns squared, beyond which a proof would take minutes.
_MOST_WORK: Final = 3_000_000
_WORDS: Final[Mapping[str, str]] = {
    "LP": "a fold", "H": "a Hopf bifurcation", "PD": "a flip", "NS": "a Neimark-Sacker bifurcation",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Certificate:
    """What was proved of a point, and what was not.

    Attributes
    ----------
    proved : bool
        Whether everything that was asked is proved.
    statement : str
        The theorem in a sentence, or what could not be proved and why.
    box : mapping of str to (low, high)
        States (and the free parameter of a bifurcation) between which there is exactly one solution; empty if that was
        not proved.
    enclosure : mapping of str to (low, high)
        A smaller box that holds it.
    unstable : int or None
        Number of multipliers outside the unit circle or eigenvalues in the right half plane, those on the boundary
        not counted; None if it was not proved.
    coefficient : (low, high) or None
        Enclosure of the normal-form coefficient that decides: a, l1, b or Re d.
    coefficients : mapping of str to (low, high)
        Enclosures of all coefficients of a point of codimension two, under the letters of `normal_form`.
    """

    proved: bool
    statement: str
    box: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    enclosure: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    unstable: int | None = None
    coefficient: tuple[float, float] | None = None
    coefficients: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", MappingProxyType(dict(self.box)))
        object.__setattr__(self, "coefficients", MappingProxyType(dict(self.coefficients)))
        object.__setattr__(self, "enclosure", MappingProxyType(dict(self.enclosure)))

    def __repr__(self) -> str:
        return f"<Certificate: {self.badge}: {self.statement}>"

    @property
    def badge(self) -> str:
        """For tables: "proved" or "not proved"."""
        return "proved" if self.proved else "not proved"


def certify(point: Point, free: str | Sequence[str] | None = None) -> Certificate:
    """Prove what a computed point is.

    Of an equilibrium or fixed point: that it exists and is the only one in a box, and how many eigenvalues or
    multipliers are unstable. Of LP, H, PD and NS: that the bifurcation happens at exactly one value of the free
    parameter in an interval, what the other eigenvalues do, and the sign of the normal-form coefficient. Of points of
    codimension two: that there is exactly one in a box of states and two parameters, that the curves through it cross
    with different speeds (the extended system is regular), and the signs of the coefficients that tell its case.

    Parameters
    ----------
    point : Point
    free : str or two of them, optional
        The parameters that a bifurcation happens in; by default the first that was free where it was found, or both.

    Returns
    -------
    Certificate
        Also where nothing is proved: it says why.

    Raises
    ------
    MisuseError
        If the system is not smooth, too large or given by roots of equations, the label is not one of the above, or
        python-flint is not installed (``pip install gan_bifurcation[certify]``).

    Notes
    -----
    The theorem is about the equations as they are on the tape: constants and parameters are the floating-point numbers
    that they are. Existence and uniqueness by Krawczyk's test on the extended system with exact derivatives over
    balls, which also proves that the derivative is regular: the critical eigenvalue is simple and crosses with a speed
    that is not zero. Eigenvalues by Gershgorin's discs in a basis of approximate eigenvectors; null vectors and
    coefficients by verified linear solves.

    References
    ----------
    Krawczyk 1969; Tucker, Validated Numerics (2011).

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> logistic = gb.System.from_equations("map", {"x": "r*x*(1 - x)"}, parameters={"r": 2.0})
    >>> branch = gb.trace(gb.point(logistic, {"x": 0.5}), {"r": (1.5, 3.5)})
    >>> gb.certify(branch["PD1"]).proved
    True
    """
    try:
        from flint import ctx
    except ImportError as error:
        raise MisuseError("Certificates need python-flint; pip install gan_bifurcation[certify].") from error
    from gan_bifurcation.continuation.certified_centres import WORDS as CENTRES
    from gan_bifurcation.continuation.certified_centres import certified_centre
    from gan_bifurcation.continuation.certified_points import certified_bifurcation, certified_equilibrium

    if not isinstance(point, Point):
        raise MisuseError(f"A certificate is that of a point, such as gb.point(system), got {type(point).__name__}.")
    if point.profile is not None:
        raise MisuseError(
            "Certificates are for equilibria, fixed points and their bifurcations, got a cycle or circle."
        )
    _check(point.system, 8 if point.label in ("GH", "CH") else (1 if point.label in ("", "UZ") else 4))
    names = tuple(point.free if free is None else ((free,) if isinstance(free, str) else free))
    prove: Callable[[], Certificate]
    if point.label in _WORDS and not point.level and point.multiplicity == 1:
        if not names:
            raise MisuseError("Nothing was free where this point was found; name the parameter with free=.")
        name = names[0]
        point.system.parameter_index(name)

        def prove() -> Certificate:
            return certified_bifurcation(point, name, _WORDS[point.label])
    elif point.label in CENTRES and not point.level and point.multiplicity == 1:
        if len(names) != 2:
            raise MisuseError(
                f"{point.name or point.label} happens in two parameters, got {', '.join(names) or 'none'}; name them "
                "with free=."
            )
        for name in names:
            point.system.parameter_index(name)

        def prove() -> Certificate:
            return certified_centre(point, (names[0], names[1]))
    elif point.label in ("", "UZ"):

        def prove() -> Certificate:
            return certified_equilibrium(point)
    else:
        raise MisuseError(
            "Certificates are for ordinary points, simple LP, H, PD and NS and points of codimension two, got "
            f"{point.name or point.label}"
            f"{' with several critical eigenvalues or pairs at once' if point.multiplicity > 1 else ''}."
        )
    with ctx.workprec(BITS):
        return prove()


def _check(system: System, factor: int) -> None:
    """Refuse what cannot be proved this way, in a sentence."""
    if not system.smooth:
        raise MisuseError(
            f"'{system.name}' has kinks (abs, min, max or choices), so interval derivatives do not exist; certify a "
            "smooth system."
        )
    if system.tape.solves:
        raise MisuseError(
            f"'{system.name}' contains roots of equations found by Newton's method, which intervals do not follow; "
            "certify an explicit system."
        )
    rows = max((len(weights) for _, weights in system.tape.tables), default=1)
    unknowns = factor * system.n + 2
    if system.tape.operations * rows * system.iterations * unknowns > _MOST_WORK or unknowns > 200:
        raise MisuseError(
            f"'{system.name}' is too large for a proof ({system.n} states, {system.tape.operations} operations); "
            "certify a reduced system."
        )


def bounds(ball: Any) -> tuple[float, float]:
    """A ball as floats, rounded outwards."""
    return (
        float(np.nextafter(float(ball.lower()), -np.inf)),
        float(np.nextafter(float(ball.upper()), np.inf)),
    )
