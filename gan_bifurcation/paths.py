"""Path angle: does training pull towards where it ended, or go round it?

Berard, Gauthier, Almahairi, Vincent, Lacoste-Julien: A Closer Look at the Optimization Landscapes of Generative
Adversarial Networks (2020), section 4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PathAngle", "path_angle"]

FloatArray = NDArray[np.float64]

# A cosine below this in size is nearly a right angle; below the second one it has no sign to speak of.
_RIGHT: Final = 0.2
_NO_SIGN: Final = 0.05
# How far the cosine rises out of its surroundings at a bump.
_BUMP: Final = 0.3
_MOST_POINTS: Final = 100_000


@dataclass(frozen=True, eq=False)
class PathAngle:
    """The field along the straight line from one parameter vector to another.

    Attributes
    ----------
    alpha : array (N,)
        Places on the line: 0 at the start, 1 at the end, beyond 1 past it.
    cosine : array (N,)
        Between the direction in which training moves there and the direction from start to end; nan where it does not
        move at all.
    norm : array (N,)
        Of the movement: per unit of time of a flow or field, per step of a map.
    before, after : float
        The typical cosine on either side of the end.
    bump : float
        How far the cosine rises or falls out of these close to the end.
    """

    alpha: FloatArray
    cosine: FloatArray
    norm: FloatArray
    before: float
    after: float
    bump: float

    @property
    def sign_switch(self) -> int:
        """1 if training moves towards the end from both sides (attraction), -1 if away from it, 0 if neither."""
        if self.before > _NO_SIGN and self.after < -_NO_SIGN:
            return 1
        return -1 if self.before < -_NO_SIGN and self.after > _NO_SIGN else 0

    @property
    def rotates(self) -> bool:
        """Whether the cosine has a bump at the end, or is a right angle all along."""
        at_right_angles = abs(self.before) <= _RIGHT and abs(self.after) <= _RIGHT and bool(np.any(self.norm > 0.0))
        return abs(self.bump) > _BUMP or at_right_angles

    @property
    def reading(self) -> str:
        """What the figure says, in a sentence.

        >>> path_angle(lambda w: [-w[0] - 4 * w[1], 4 * w[0] - w[1]], [1.0, 0.0], [0.0, 0.01]).reading
        'Training is attracted to the end of the path and turns around it.'
        """
        turns = " and turns around it" if self.rotates else ""
        if self.sign_switch == 1:
            return f"Training is attracted to the end of the path{turns or ', without turning'}."
        if self.sign_switch == -1:
            return f"Training is driven away from the end of the path{turns}."
        if self.rotates:
            return "Training turns around the end of the path without being attracted."
        return "Training neither comes to the end of the path from both sides nor turns around it: it passes by."

    def to_dataframe(self) -> "pd.DataFrame":
        """A pandas DataFrame of cosine and norm, indexed by alpha."""
        import pandas as pd

        return pd.DataFrame({"cosine": self.cosine, "norm": self.norm}, index=pd.Index(self.alpha, name="alpha"))


def path_angle(
    system_or_field: Any,
    start: Any,
    end: Any,
    *,
    window: tuple[float, float] = (0.0, 2.0),
    points: int = 201,
) -> PathAngle:
    """The angle between the direction of training and the line from `start` to `end`, along that line and beyond.

    Parameters
    ----------
    system_or_field : System or callable
        A system (of a map the step, of a flow its direction), or a function of a parameter vector (n,) that returns the
        direction in which training moves there: minus the gradients of all players.
    start, end : mapping or array (n,)
        As a rule the initial weights and those at the end of the training; of any shape for a callable.
    window : pair of float
        The part of the line in units of its length, around 1.
    points : int
        Evenly spaced; some more are added close to the end, where bumps are.

    Returns
    -------
    PathAngle

    Notes
    -----
    Near an attracting end the cosine changes its sign from + to -; near a centre of rotation it has a bump as high as
    the end misses the centre by little. The paper plots the gradient instead of the direction of training, so that its
    cosine has the other sign.

    Examples
    --------
    >>> found = path_angle(lambda w: [-w[0], -2.0 * w[1]], [1.0, 1.0], [0.0, 0.0])
    >>> found.sign_switch, found.reading
    (1, 'Training is attracted to the end of the path, without turning.')
    """
    low, high = (float(bound) for bound in window)
    if not (np.isfinite(low) and np.isfinite(high) and low < 1.0 < high):
        raise MisuseError(f"The window of a path has 1, the path's end, inside, as (0, 2), but got {tuple(window)}.")
    if isinstance(points, bool) or int(points) != points or not 11 <= points <= _MOST_POINTS:
        raise MisuseError(f"A path is looked at in 11 to {_MOST_POINTS} points, got {points!r}.")
    direction, first, last = _field(system_or_field, start, end)
    way = last - first
    length = float(np.linalg.norm(way))
    if length == 0.0:
        raise MisuseError("The path has no length, since start and end are the same; give two parameter vectors.")
    close = np.geomspace(1e-4, 0.1, 31)
    alpha = np.unique(np.concatenate([np.linspace(low, high, int(points)), 1.0 - close, [1.0], 1.0 + close]))
    alpha = alpha[(alpha >= low) & (alpha <= high)]
    moves = np.array([direction(first + a * way) for a in alpha.tolist()])
    if not np.all(np.isfinite(moves)):
        worst = float(alpha[np.flatnonzero(~np.isfinite(moves).all(axis=1))[0]])
        raise MisuseError(f"The direction of training is not finite at alpha = {worst:g}; choose a narrower window.")
    norm = np.linalg.norm(moves, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (moves @ way) / (norm * length)
    cosine[norm <= 1e-14 * norm.max(initial=0.0)] = np.nan
    before, after, bump = _levels(alpha, cosine)
    return PathAngle(alpha, cosine, norm, before, after, bump)


def _field(
    system_or_field: Any, start: Any, end: Any
) -> tuple[Callable[[FloatArray], FloatArray], FloatArray, FloatArray]:
    rhs = getattr(system_or_field, "rhs", None)
    if rhs is not None:
        system = system_or_field
        first, last = system.state_vector(start), system.state_vector(end)
        if system.kind == "map":
            return lambda w: system.rhs(w) - w, first, last
        return system.rhs, first, last
    if not callable(system_or_field):
        raise MisuseError(
            f"A path needs a System or a function of the weights, but got a {type(system_or_field).__name__}."
        )
    first, last = _flat(start), _flat(end)
    if first.shape != last.shape:
        raise MisuseError(
            f"Start and end of a path have {first.size} and {last.size} numbers; give vectors of one size."
        )
    shape = np.shape(start)

    def direction(w: FloatArray) -> FloatArray:
        moved = _flat(system_or_field(w.reshape(shape)))
        if moved.shape != w.shape:
            raise MisuseError(f"The field returned {moved.size} numbers for {w.size} weights; return one for each.")
        return moved

    return direction, first, last


def _flat(values: ArrayLike) -> FloatArray:
    return np.array(values, dtype=float).ravel()


def _levels(alpha: FloatArray, cosine: FloatArray) -> tuple[float, float, float]:
    """Typical cosines on either side of the end, away from it, and how far it leaves both close to it."""
    reach = min(1.0 - alpha[0], alpha[-1] - 1.0)
    gap = np.abs(alpha - 1.0)
    sides = []
    for side in (alpha < 1.0, alpha > 1.0):
        far = cosine[side & (gap >= 0.25 * reach) & (gap <= reach) & np.isfinite(cosine)]
        sides.append(float(np.median(far)) if len(far) else 0.0)
    near = cosine[(gap <= 0.25 * reach) & np.isfinite(cosine)]
    if not len(near):
        return sides[0], sides[1], 0.0
    above, below = float(near.max()) - max(sides), float(near.min()) - min(sides)
    bump = above if above >= -below else below
    return sides[0], sides[1], bump if abs(bump) > 1e-12 else 0.0
