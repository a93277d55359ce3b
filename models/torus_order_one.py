"""Games on the torus of first order: the conservative mode (1, 1), and what the modes (1, 0) and (0, 1) do to it.

References
----------
Gonzalez-Prieto, Mozo, Talavera, Gomez-Canaval: Dynamics of Fourier Modes in Torus Generative Adversarial Networks,
Mathematics 9 (2021) 325.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import sympy
from numpy.typing import ArrayLike, NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.expressions import symbol
from gan_bifurcation.facts import Equilibrium, checked_parameters
from gan_bifurcation.game import Game, Player

__all__ = ["CriticalPoint", "aligned_invariant", "critical_points", "mode_invariant", "torus_order_one"]

FloatArray = NDArray[np.float64]
Matrix = Sequence[Sequence[float]]

_NAMES: Final = ("m11", "m12", "m21", "m22", "a1", "a2", "b1", "b2")


def torus_order_one(
    *,
    matrix: Matrix = ((0.2, -0.3), (0.5, 0.1)),
    generator: Sequence[float] = (0.0, 0.0),
    discriminator: Sequence[float] = (0.0, 0.0),
) -> Game:
    """All Fourier modes of first order: u(theta)^T M v(omega) + A . u(theta) + B . v(omega), u = v = (cos, sin).

    Parameters
    ----------
    matrix : 2 x 2 numbers
        M, the parameters ``m11``, ``m12``, ``m21``, ``m22``: the mode (1, 1).
    generator : two numbers
        A, the parameters ``a1`` and ``a2``: the mode (1, 0).
    discriminator : two numbers
        B, the parameters ``b1`` and ``b2``: the mode (0, 1).

    Returns
    -------
    Game
        States ``omega`` and ``theta``: angles, with orbits on the cover.

    Notes
    -----
    Without A and B the flow is Hamiltonian, with :func:`mode_invariant` as its energy: every orbit but those that join
    saddles is periodic, in places by winding round the torus. Where all modes are multiples of sin(theta), sin(omega)
    and their product ("aligned", as for exponential variables), :func:`aligned_invariant` is conserved.

    Examples
    --------
    >>> game = torus_order_one(matrix=[[0.0, 0.0], [0.0, 1.0]])
    >>> [known.name for known in game.equilibria][:2]
    ['centre 1', 'centre 2']
    """
    m = _matrix(matrix)
    values = checked_parameters(
        dict(zip(_NAMES, [*m.ravel().tolist(), *_pair("generator", generator), *_pair("discriminator", discriminator)],
                 strict=True)),
        "the model 'torus_order_one'",
    )  # fmt: skip
    m11, m12, m21, m22, a1, a2, b1, b2 = map(symbol, _NAMES)
    theta, omega = symbol("theta"), symbol("omega")
    u, v = (sympy.cos(theta), sympy.sin(theta)), (sympy.cos(omega), sympy.sin(omega))
    value = (
        u[0] * (m11 * v[0] + m12 * v[1]) + u[1] * (m21 * v[0] + m22 * v[1])
        + a1 * u[0] + a2 * u[1] + b1 * v[0] + b2 * v[1]
    )  # fmt: skip
    return Game(
        "torus_order_one",
        Player(("omega",), -value, "eta_d"),
        Player(("theta",), value, "eta_g"),
        values,
        equilibria=_known(),
        paper="gonzalez2021",
        description="A game on the torus of all Fourier modes of first order.",
    )


@dataclass(frozen=True)
class CriticalPoint:
    """A critical point of the mode (1, 1).

    Attributes
    ----------
    theta, omega : float
        Angles above -pi and up to pi.
    kind : "centre" or "saddle"
    value : float
        Of the mode there.
    eigenvalue : complex
        Of the flow; the other one is its negative.
    """

    theta: float
    omega: float
    kind: str
    value: float
    eigenvalue: complex


def critical_points(matrix: Matrix) -> tuple[CriticalPoint, ...]:
    """The four centres and four saddles of the mode (1, 1): u(theta)^T M v(omega).

    Raises
    ------
    MisuseError
        If the singular values of M are equal: then there are lines of critical points.

    Examples
    --------
    >>> found = critical_points([[0.2, -0.3], [0.5, 0.1]])
    >>> [point.kind for point in found].count("centre"), found[0].eigenvalue
    (4, 0.43709236066j)
    """
    m = _matrix(matrix)
    rho, alpha, sigma, beta = _rotations(m)
    if not min(rho, sigma) > 1e-14 * max(rho, sigma):
        raise MisuseError("The singular values of the matrix are equal: its critical points lie on lines; change it.")
    made = []
    for k, el in ((0, 1), (1, 0), (0, 3), (1, 2), (0, 0), (1, 1), (0, 2), (1, 3)):
        difference, total = alpha + k * math.pi, beta + el * math.pi
        centre = (k + el) % 2 == 1
        size = 2.0 * math.sqrt(rho * sigma)
        made.append(
            CriticalPoint(
                _angle((total + difference) / 2.0),
                _angle((total - difference) / 2.0),
                "centre" if centre else "saddle",
                (-1) ** k * rho + (-1) ** el * sigma,
                complex(0.0, size) if centre else complex(size, 0.0),
            )
        )
    return tuple(made)


def mode_invariant(matrix: Matrix, theta: ArrayLike, omega: ArrayLike) -> FloatArray:
    """The energy of the mode (1, 1): its mixed second derivative. theta' = dH/d(omega), omega' = -dH/d(theta).

    Between the singular values of M in size, orbits go round a centre; below both they wind round the torus.

    >>> mode_invariant([[0.0, 0.0], [0.0, 1.0]], [0.0, 1.0], 0.0).tolist()
    [1.0, 0.540302306]
    """
    m = _matrix(matrix)
    theta, omega = np.asarray(theta, dtype=float), np.asarray(omega, dtype=float)
    du, dv = (-np.sin(theta), np.cos(theta)), (-np.sin(omega), np.cos(omega))
    return np.asarray(du[0] * (m[0, 0] * dv[0] + m[0, 1] * dv[1]) + du[1] * (m[1, 0] * dv[0] + m[1, 1] * dv[1]))


def aligned_invariant(a: float, b: float, theta: ArrayLike, omega: ArrayLike) -> FloatArray:
    """What the flow of (sin(theta) + a)(sin(omega) + b) conserves.

    Parameters
    ----------
    a, b : float
        Of the truncation of first order: the coefficients of sin(omega) and of sin(theta), over that of their product.
    theta, omega : array

    Returns
    -------
    array
        1 at a = b = theta = omega = 0, and 0 on the lines cos(theta) = 0 and cos(omega) = 0, which no orbit crosses.
    """
    st, so = np.sin(np.asarray(theta, dtype=float)), np.sin(np.asarray(omega, dtype=float))
    of_theta = (1.0 - st) ** ((1.0 + a) / 2.0) * (1.0 + st) ** ((1.0 - a) / 2.0)
    of_omega = (1.0 - so) ** ((1.0 + b) / 2.0) * (1.0 + so) ** ((1.0 - b) / 2.0)
    return np.asarray(of_theta * of_omega)


def _matrix(matrix: Matrix) -> FloatArray:
    try:
        m = np.array(matrix, dtype=float)
    except (TypeError, ValueError):
        m = np.zeros(0)
    if m.shape != (2, 2) or not np.isfinite(m).all():
        raise MisuseError(f"The matrix of the mode (1, 1) is two rows of two finite numbers, but got {matrix!r}.")
    return m


def _pair(name: str, values: Sequence[float]) -> list[float]:
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != 2:
        raise MisuseError(f"'{name}' of torus_order_one is two numbers, before cos and before sin, but got {values!r}.")
    return list(values)


def _rotations(m: FloatArray) -> tuple[float, float, float, float]:
    """The mode as rho cos(theta - omega - alpha) + sigma cos(theta + omega - beta), of singular values rho +- sigma."""
    down, up = complex(m[0, 0] + m[1, 1], m[1, 0] - m[0, 1]) / 2.0, complex(m[0, 0] - m[1, 1], m[0, 1] + m[1, 0]) / 2.0
    return abs(down), math.atan2(down.imag, down.real), abs(up), math.atan2(up.imag, up.real)


def _angle(x: float) -> float:
    return math.pi - (math.pi - x) % (2.0 * math.pi)


def _known() -> tuple[Equilibrium, ...]:
    """The critical points of the mode (1, 1), for as long as the other modes are not there."""
    m11, m12, m21, m22 = map(symbol, _NAMES[:4])
    alpha, beta = sympy.atan2(m21 - m12, m11 + m22), sympy.atan2(m12 + m21, m11 - m22)
    alone = "-(" + " + ".join(f"abs({name})" for name in _NAMES[4:]) + ")"
    made = []
    for number, (k, el) in enumerate(((0, 1), (1, 0), (0, 3), (1, 2), (0, 0), (1, 1), (0, 2), (1, 3))):
        difference, total = alpha + k * sympy.pi, beta + el * sympy.pi
        kind = "centre" if number < 4 else "saddle"
        state = {"omega": (total - difference) / 2, "theta": (total + difference) / 2}
        made.append(Equilibrium(f"{kind} {number % 4 + 1}", state, alone))
    return tuple(made)
