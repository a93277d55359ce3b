"""Fourier series of games on the torus: coefficients of any game's value, truncations as games, the mode budget.

References
----------
Gonzalez-Prieto, Mozo, Talavera, Gomez-Canaval: Dynamics of Fourier Modes in Torus Generative Adversarial Networks,
Mathematics 9 (2021) 325.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation import lanes
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import symbol
from gan_bifurcation.facts import DomainBound, Equilibrium, checked_parameters
from gan_bifurcation.game import Game, Player
from gan_bifurcation.system import System

__all__ = ["FourierSeries", "fourier_coefficients", "fourier_game"]

FloatArray = NDArray[np.float64]
# (theta, omega).
Pair = tuple[float, float]

_FEWEST: Final = 32
_MOST: Final = 512
_HIGHEST_ORDER: Final = 64
# Coefficients below this part of the largest value are rounding of the transform.
_ROUNDING: Final = 2e-15


@dataclass(frozen=True, eq=False)
class FourierSeries:
    """A real function of two angles by its Fourier coefficients.

    The sum over m, n >= 0 of ``a cos(m theta) cos(n omega) + b cos(m theta) sin(n omega) + c sin(m theta) cos(n omega)
    + d sin(m theta) sin(n omega)``.

    Attributes
    ----------
    a, b, c, d : array (K, K)
        Coefficients, m along the rows and n along the columns.
    tail : float
        The largest coefficient among the modes with m or n in the last quarter: what was not resolved is of this size.

    Examples
    --------
    >>> none = np.zeros((2, 2))
    >>> series = FourierSeries(none + 0.5, none, none, none)
    >>> series.value([0.0], [0.0, np.pi])
    array([[2., 0.]])
    """

    a: FloatArray
    b: FloatArray
    c: FloatArray
    d: FloatArray
    tail: float = 0.0

    def __post_init__(self) -> None:
        for name in ("a", "b", "c", "d"):
            array = np.array(getattr(self, name), dtype=float)
            if array.ndim != 2 or array.shape != np.shape(self.a) or array.shape[0] != array.shape[1]:
                raise MisuseError(
                    f"The coefficients '{name}' have the shape {array.shape}, expected four square arrays of one size."
                )
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def truncated(self, order: int) -> "FourierSeries":
        """The modes with m and n up to `order`."""
        keep = slice(0, checked_order(order) + 1)
        a, b, c, d = (array[keep, keep] for array in (self.a, self.b, self.c, self.d))
        return FourierSeries(a, b, c, d)

    def value(self, theta: ArrayLike, omega: ArrayLike, by_theta: int = 0, by_omega: int = 0) -> FloatArray:
        """The function, or one of its derivatives, on the grid of `theta` (N,) and `omega` (M,): shape (N, M)."""
        cos_t, sin_t = _waves(len(self.a), theta, by_theta)
        cos_o, sin_o = _waves(len(self.a), omega, by_omega)
        return np.asarray(
            cos_t @ self.a @ cos_o.T + cos_t @ self.b @ sin_o.T + sin_t @ self.c @ cos_o.T + sin_t @ self.d @ sin_o.T
        )

    def hessian(self, theta: float, omega: float) -> tuple[float, float, float]:
        """The second derivatives p (theta, theta), r (theta, omega), q (omega, omega) at a place."""
        p, r, q = (self.value(theta, omega, i, j).item() for i, j in ((2, 0), (1, 1), (0, 2)))
        return p, r, q

    def critical_point(self, near: Pair) -> Pair | None:
        """Where the gradient vanishes, by Newton's method from a place nearby; None if there is nothing."""
        place = np.array(near, dtype=float)
        for _ in range(50):
            theta, omega = place.tolist()
            p, r, q = self.hessian(theta, omega)
            slope = np.array([self.value(theta, omega, 1, 0).item(), self.value(theta, omega, 0, 1).item()])
            hessian = np.array([[p, r], [r, q]])
            if not abs(np.linalg.det(hessian)) > 1e-14 * np.abs(hessian).max() ** 2:
                return None
            step = np.linalg.solve(hessian, slope)
            place = place - step
            if np.abs(place - near).max() > 0.8:
                return None
            if np.abs(step).max() < 1e-14:
                break
        return float(place[0]), float(place[1])

    def budget(self, theta: float, omega: float) -> FloatArray:
        """What each mode adds to the divergence of the flow at a place, shape (K, K).

        The divergence is the sum over m and n of (m**2 - n**2) F_mn(theta, omega): modes of the discriminator alone
        contract where they are largest, modes of the generator alone expand there, and m = n preserve area. At an
        equilibrium the sum is the trace of the Jacobian, twice the rate of a spiral.
        """
        cos_t, sin_t = (wave[0] for wave in _waves(len(self.a), theta, 0))
        cos_o, sin_o = (wave[0] for wave in _waves(len(self.a), omega, 0))
        modes = (
            self.a * np.outer(cos_t, cos_o)
            + self.b * np.outer(cos_t, sin_o)
            + self.c * np.outer(sin_t, cos_o)
            + self.d * np.outer(sin_t, sin_o)
        )
        k = np.arange(len(self.a)) ** 2.0
        return np.asarray((k[:, None] - k[None, :]) * modes)

    def sup_error(self, order: int, points: int = 256) -> float:
        """The largest difference to the truncation of that order, on a grid of points along each angle.

        >>> d = np.diag([0.0, 1.0, 0.25])
        >>> FourierSeries(d * 0, d * 0, d * 0, d).sup_error(1)
        0.25
        """
        kept = checked_order(order) + 1
        outside = np.maximum.outer(np.arange(len(self.a)), np.arange(len(self.a))) >= kept
        a, b, c, d = (np.where(outside, array, 0.0) for array in (self.a, self.b, self.c, self.d))
        angles = 2.0 * np.pi * np.arange(points) / points
        return float(np.abs(FourierSeries(a, b, c, d).value(angles, angles)).max())


def fourier_coefficients(game: Game, **parameters: float) -> FourierSeries:
    """The Fourier series of the value of a game on the torus, by the fast Fourier transform.

    Parameters
    ----------
    game : Game
        Of the states ``theta`` and ``omega``, with one value that the generator descends and the discriminator ascends,
        of period 2 pi in both.
    **parameters : float
        Values that differ from the game's.

    Returns
    -------
    FourierSeries
        As many modes as it takes for the last ones to be rounding, at most 256 along each angle; see ``tail``.

    Raises
    ------
    MisuseError
        If the game is not one on the torus.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> series = fourier_coefficients(gb.models.torus_gan(objective="wgan", kappa=0.5))
    >>> series.d[1, 1].item(), series.b[0, 1].item()
    (0.375, 0.125)
    """
    if not isinstance(game, Game) or game.discriminator.states != ("omega",) or game.generator.states != ("theta",):
        raise MisuseError(
            "A Fourier series is of a Game of the states 'theta' (generator) and 'omega', such as torus_gan()."
        )
    if game.field is not None:
        raise MisuseError(f"A Fourier series is of the value of a game, but '{game.name}' has a field and no losses.")
    for name in parameters:
        if name not in game.parameters:
            raise unknown_name(f"parameter of '{game.name}'", name, game.parameters)
    values = {**game.parameters, **checked_parameters(parameters, f"'{game.name}'")}
    losses = System("map", game.name, game.states, values, (), (game.discriminator.loss, game.generator.loss))
    points = _FEWEST
    while True:
        series = _transformed(losses, points)
        if series.tail <= _ROUNDING * np.abs(series.a).max() or points >= _MOST:
            return series
        points *= 2


def fourier_game(
    series: FourierSeries,
    *,
    order: int | None = None,
    name: str = "fourier_modes",
    near: Iterable[tuple[str, Pair]] = (),
    domain: tuple[DomainBound, ...] = (),
    paper: str = "gonzalez2021",
    description: str = "A Fourier series as the value of a game on the torus.",
) -> Game:
    """A Fourier series as the value of a game, its coefficients as numbers.

    Parameters
    ----------
    series : FourierSeries
    order : int, optional
        Keep modes up to this order.
    name : str
    near : iterable of (name, (theta, omega))
        Where to look for equilibria; those found are listed as known ones.
    domain : tuple of DomainBound
    paper, description : str

    Returns
    -------
    Game
        States ``omega`` (discriminator) and ``theta`` (generator), no parameters.
    """
    kept = series if order is None else series.truncated(order)
    theta, omega = symbol("theta"), symbol("omega")
    smallest = _ROUNDING * max(float(np.abs(array).max()) for array in (kept.a, kept.b, kept.c, kept.d))
    terms = [
        sympy.Float(float(array[m, n])) * of_theta(m * theta) * of_omega(n * omega)
        for array, of_theta, of_omega in (
            (kept.a, sympy.cos, sympy.cos),
            (kept.b, sympy.cos, sympy.sin),
            (kept.c, sympy.sin, sympy.cos),
            (kept.d, sympy.sin, sympy.sin),
        )
        for m, n in np.argwhere(np.abs(array) > smallest).tolist()
    ]
    value = sympy.Add(*terms)
    found = [(label, kept.critical_point(place)) for label, place in near]
    return Game(
        name,
        Player(("omega",), -value, "eta_d"),
        Player(("theta",), value, "eta_g"),
        domain=domain,
        equilibria=tuple(
            Equilibrium(label, {"omega": sympy.Float(place[1]), "theta": sympy.Float(place[0])})
            for label, place in found
            if place is not None
        ),
        paper=paper,
        description=description,
    )


def checked_order(order: float) -> int:
    """An order of truncation, refused unless it is a whole number from 1 on."""
    if isinstance(order, bool | str) or int(order) != order or not 1 <= order <= _HIGHEST_ORDER:
        raise MisuseError(f"The order of a truncation is a whole number from 1 to {_HIGHEST_ORDER}, but got {order!r}.")
    return int(order)


def _waves(count: int, angle: ArrayLike, derivative: int) -> tuple[FloatArray, FloatArray]:
    """cos(k x) and sin(k x), or their derivatives, for k below `count`: arrays (N, count)."""
    k = np.arange(count)
    phase = np.atleast_1d(np.asarray(angle, dtype=float))[:, None] * k + derivative * np.pi / 2.0
    return k**derivative * np.cos(phase), k**derivative * np.sin(phase)


def _surface(losses: System, places: FloatArray) -> FloatArray:
    """Both losses at places (N, 2) of omega and theta, all in one sweep: the map whose next state they are."""
    x = np.ascontiguousarray(places)
    p = np.ascontiguousarray(np.broadcast_to(losses.parameter_vector(), (len(x), losses.m)))
    scratch = lanes.make_lane_scratch(losses.tape, losses.n, len(x))
    low, high, ahead = np.zeros((3, *x.shape))
    exits = np.zeros((len(x), 2), dtype=np.int64)
    lanes.sweep(
        losses.tape.data, 1, x, p, 1, np.inf, scratch, low, high, ahead, exits, np.zeros((len(x), losses.n, 0)), 1
    )
    return x


def _transformed(losses: System, points: int) -> FourierSeries:
    angles = 2.0 * np.pi * np.arange(points) / points
    theta, omega = (grid.ravel() for grid in np.meshgrid(angles, angles, indexing="ij"))
    turned = (theta == 0.0) | (omega == 0.0)
    again = np.column_stack([omega[turned] + 2.0 * np.pi, theta[turned] + 2.0 * np.pi])
    both = _surface(losses, np.vstack([np.column_stack([omega, theta]), again]))
    if not np.isfinite(both).all():
        raise MisuseError(f"The value of '{losses.name}' is not finite everywhere on the torus.")
    size = max(float(np.abs(both).max()), 1e-300)
    if np.abs(both.sum(axis=1)).max() > 1e-12 * size:
        raise MisuseError(f"The losses of '{losses.name}' do not sum to zero, so there is no one value to transform.")
    value = both[: points**2, 1]
    if np.abs(both[points**2 :, 1] - value[turned]).max() > 1e-11 * size:
        raise MisuseError(f"The value of '{losses.name}' does not have the period 2 pi in both angles.")
    z = np.fft.fft2(value.reshape(points, points)) / points**2
    half = points // 2
    # Modes (m, n) and (m, -n) make the four real ones; a mode that is its own mirror image counts once.
    plus, minus = z[:half, :half], z[:half, -np.arange(half) % points]
    once = np.ones((half, half))
    once[0, :] *= 0.5
    once[:, 0] *= 0.5
    a, b = 2.0 * (plus + minus).real, -2.0 * (plus - minus).imag
    c, d = -2.0 * (plus + minus).imag, -2.0 * (plus - minus).real
    late = np.maximum.outer(np.arange(half), np.arange(half)) >= 3 * half // 4
    tail = max(float(np.abs(array * once)[late].max()) for array in (a, b, c, d))
    return FourierSeries(a * once, b * once, c * once, d * once, tail)
