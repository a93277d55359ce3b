"""The second moment model: a cloud of generated points near one true point, by its mean and covariance.

References
----------
Becker, Pandit, Rangan, Fletcher: GAN Training with Kernel Discriminators: What Parameters Control Convergence Rates?
IEEE Transactions on Signal Processing 73 (2025) 433-445.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import sympy

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import symbol
from gan_bifurcation.facts import Equilibrium, Symmetry
from gan_bifurcation.game import Game
from gan_bifurcation.models.kernel_profiles import gaussians, positive_numbers

__all__ = ["second_moment_gan"]

Form = Literal["spread", "principal", "full"]
Coordinates = Literal["variance", "factor"]
Equations = dict[str, sympy.Expr]

_FORMS: Final = ("spread", "principal", "full")
_MOST_DIMENSIONS: Final = 20
_SMALLEST_LAM: Final = 1e-12


def second_moment_gan(
    *,
    form: Form = "spread",
    dimension: int = 1,
    coordinates: Coordinates = "variance",
    sigma: float | Sequence[float] = 1.0,
    weights: Sequence[float] | None = None,
    lam: float = 0.1,
    p1: float = 1.0,
    q1: float | None = None,
    points: int = 20,
) -> Game:
    """A discriminator with slope b and curvature C against a cloud with mean e and covariance V.

    Parameters
    ----------
    form : "spread", "principal" or "full"
        "spread": a centred isotropic cloud, states ``C`` and ``V``; "principal": a centred cloud along its principal
        axes, ``C1, C2, ...`` and ``V1, V2, ...``; "full": with mean and all entries, ``b1, ..., C1_1, C1_2, ...`` and
        ``e1, ..., V1_1, ...`` (without numbers in one dimension).
    dimension : int
    coordinates : "variance" or "factor"
        With "factor" the generator's states are a factor ``R`` of V = R R^T. Then the alternating rule takes exactly
        the authors' steps: C first, V to (I - eta_g q C) V (I - eta_g q C). With "variance" a step is one of Euler's.
    sigma : float or sequence of float
        Width of the kernel (parameter ``sigma``), or widths of a mixture (``sigma1``, ...).
    weights : sequence of float, optional
        Of a mixture (``weight1``, ...); all 1/len by default.
    lam, p1 : float
        Regularisation and mass of the true point.
    q1 : float, optional
        Mass of each generated point; by default a total of 0.8 is shared.
    points : int
        Number of generated points; their total mass is P = points q1.

    Returns
    -------
    Game

    Notes
    -----
    With K2 = 1/sigma^2, K4 = 1/sigma^4 (weighted sums of them for a mixture) and Delta = p1 - P::

        b' = -lam b - P K2 e
        C' = -lam C + Delta K2 I + (P K4/2) ( tr(V + e e^T) I + 2 (V + e e^T) )
        e' = mu q (b - C e),   V' = -mu q (C V + V C)

    Examples
    --------
    >>> second_moment_gan(points=10).vector_field()["V"]
    -2*C*V*q1
    >>> second_moment_gan(form="full", dimension=2).generator.states
    ('e1', 'e2', 'V1_1', 'V1_2', 'V2_2')
    """
    if form not in _FORMS:
        raise unknown_name("form of second_moment_gan", str(form), _FORMS)
    if coordinates not in ("variance", "factor"):
        raise unknown_name("kind of coordinates", str(coordinates), ("variance", "factor"))
    for name, value, most in (("dimension", dimension, _MOST_DIMENSIONS), ("points", points, 10**9)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise MisuseError(f"'{name}' must be a whole number from 1 to {most}, but got {value!r}.")
    kernel = gaussians(sigma, weights)
    single = len(kernel.widths) == 1
    numbers = [""] if single else [str(a + 1) for a in range(len(kernel.widths))]
    parameters = {f"sigma{a}": width for a, width in zip(numbers, kernel.widths, strict=True)}
    if not single:
        parameters |= {f"weight{a}": weight for a, weight in zip(numbers, kernel.weights, strict=True)}
    (parameters["lam"],) = positive_numbers("lam", [lam], zero=True)
    (parameters["p1"],) = positive_numbers("p1", [p1], zero=True)
    (parameters["q1"],) = positive_numbers("q1", [0.8 / points if q1 is None else q1])
    shares = [(sympy.S.One if single else symbol(f"weight{a}"), symbol(f"sigma{a}")) for a in numbers]
    moments = _Moments(
        dimension,
        coordinates == "factor",
        points,
        sympy.Add(*(w / s**2 for w, s in shares)),
        sympy.Add(*(w / s**4 for w, s in shares)),
    )
    build: dict[str, Callable[[], Game]] = {
        "spread": lambda: _spread(moments, parameters),
        "principal": lambda: _principal(moments, parameters),
        "full": lambda: _full(moments, parameters),
    }
    return build[form]()


@dataclass(frozen=True)
class _Moments:
    """What the three forms share."""

    dimension: int
    factor: bool
    points: int
    k2: sympy.Expr
    k4: sympy.Expr

    @property
    def total(self) -> sympy.Expr:
        return self.points * symbol("q1")

    @property
    def drive(self) -> sympy.Expr:
        """Delta K2, what drives the curvature of an empty cloud."""
        return (symbol("p1") - self.total) * self.k2

    @property
    def resting_variance(self) -> sympy.Expr:
        """V of the flat equilibrium, 2 |Delta| K2/((d + 2) P K4): an excess of generated mass spreads out."""
        return -2 * self.drive / ((self.dimension + 2) * self.total * self.k4)

    def equilibria(
        self, curvatures: Sequence[str], spreads: Sequence[str], others: Sequence[str]
    ) -> tuple[Equilibrium, ...]:
        """The point cloud, and the flat one; `curvatures` and `spreads` name the diagonal entries."""
        zero = dict.fromkeys(others, sympy.S.Zero)
        variance = self.resting_variance
        size = sympy.sqrt(variance) if self.factor else variance
        collapsed = dict.fromkeys(curvatures, self.drive / symbol("lam")) | dict.fromkeys(spreads, sympy.S.Zero)
        flat = dict.fromkeys(curvatures, sympy.S.Zero) | dict.fromkeys(spreads, size)
        return (
            Equilibrium("all mass at the true point", zero | collapsed, f"lam - {_SMALLEST_LAM!r}"),
            Equilibrium("spread cloud", zero | flat, f"{self.points}*q1 - p1"),
        )

    def game(
        self, discriminator: Equations, generator: Equations, parameters: dict[str, float], **facts: object
    ) -> Game:
        return Game.from_field(
            "second_moment_gan",
            discriminator=discriminator,
            generator=generator,
            parameters=parameters,
            paper="becker2025",
            description=f"The second moment model of a cloud of {self.points} points in {self.dimension} dimension(s).",
            **facts,
        )


def _spread(m: _Moments, parameters: dict[str, float]) -> Game:
    C, lam, q = symbol("C"), symbol("lam"), symbol("q1")
    name = "R" if m.factor else "V"
    state = symbol(name)
    variance = state**2 if m.factor else state
    gain = sympy.Rational(m.dimension + 2, 2) * m.total * m.k4
    return m.game(
        {"C": -lam * C + m.drive + gain * variance},
        {name: -(1 if m.factor else 2) * q * C * state},
        parameters,
        symmetries=(Symmetry("sign of the factor", {"R": (-1, "R")}),) if m.factor else (),
        equilibria=m.equilibria(["C"], [name], []),
    )


def _principal(m: _Moments, parameters: dict[str, float]) -> Game:
    lam, q = symbol("lam"), symbol("q1")
    stem = "R" if m.factor else "V"
    axes = range(1, m.dimension + 1)
    curvatures, spreads = [f"C{a}" for a in axes], [f"{stem}{a}" for a in axes]
    variances = [symbol(s) ** (2 if m.factor else 1) for s in spreads]
    trace = sympy.Add(*variances)
    discriminator = {
        c: -lam * symbol(c) + m.drive + m.total * m.k4 / 2 * (trace + 2 * v)
        for c, v in zip(curvatures, variances, strict=True)
    }
    generator = {
        s: -(1 if m.factor else 2) * q * symbol(c) * symbol(s) for c, s in zip(curvatures, spreads, strict=True)
    }
    symmetries = [Symmetry(f"sign of factor {s}", {s: (-1, s)}) for s in spreads] if m.factor else []
    for a in range(m.dimension - 1):
        swap = {names[i]: (1, names[j]) for names in (curvatures, spreads) for i, j in ((a, a + 1), (a + 1, a))}
        symmetries.append(Symmetry(f"swap of axes {a + 1} and {a + 2}", swap))
    return m.game(
        discriminator,
        generator,
        parameters,
        symmetries=tuple(symmetries),
        equilibria=m.equilibria(curvatures, spreads, []),
    )


def _full(m: _Moments, parameters: dict[str, float]) -> Game:
    d, lam, q = m.dimension, symbol("lam"), symbol("q1")

    def one(stem: str, a: int) -> str:
        return stem if d == 1 else f"{stem}{a + 1}"

    def two(stem: str, a: int, b: int) -> str:
        """Entry of a matrix; a symmetric one has names for its upper half."""
        return stem if d == 1 else f"{stem}{a + 1}_{b + 1}" if a <= b or stem == "R" else f"{stem}{b + 1}_{a + 1}"

    def matrix(stem: str) -> sympy.Matrix:
        return sympy.Matrix(d, d, lambda a, b: symbol(two(stem, a, b)))

    b, e = (sympy.Matrix([symbol(one(stem, a)) for a in range(d)]) for stem in ("b", "e"))
    C, state = matrix("C"), matrix("R" if m.factor else "V")
    spread = (state * state.T if m.factor else state) + e * e.T
    slope = -lam * b - m.total * m.k2 * e
    curvature = -lam * C + m.drive * sympy.eye(d) + m.total * m.k4 / 2 * (spread.trace() * sympy.eye(d) + 2 * spread)
    mean = q * (b - C * e)
    motion = -q * (C * state) if m.factor else -q * (C * state + state * C)
    upper = [(a, c) for a in range(d) for c in range(a, d)]
    entries = list(itertools.product(range(d), repeat=2)) if m.factor else upper
    stem = "R" if m.factor else "V"
    discriminator = {one("b", a): slope[a] for a in range(d)}
    discriminator |= {two("C", a, c): curvature[a, c] for a, c in upper}
    generator = {one("e", a): mean[a] for a in range(d)} | {two(stem, a, c): motion[a, c] for a, c in entries}
    curvatures, spreads = ([two(s, a, a) for a in range(d)] for s in ("C", stem))
    others = [n for n in (*discriminator, *generator) if n not in (*curvatures, *spreads)]
    inversion = {one(s, a): (-1, one(s, a)) for s in ("b", "e") for a in range(d)}
    symmetries = [Symmetry("inversion", inversion)]
    if d > 1:
        symmetries += [_axis_reflection(axis, d, one, two, stem) for axis in range(d - 1)]
    return m.game(
        discriminator,
        generator,
        parameters,
        symmetries=tuple(symmetries),
        equilibria=m.equilibria(curvatures, spreads, others),
    )


def _axis_reflection(
    axis: int, d: int, one: Callable[[str, int], str], two: Callable[[str, int, int], str], stem: str
) -> Symmetry:
    """Every index that is the axis brings a sign; of a factor R only the row does, its columns mean nothing."""
    action = {one(s, axis): (-1, one(s, axis)) for s in ("b", "e")}
    for a in range(d):
        if a != axis:
            name = two("C", axis, a)
            action[name] = (-1, name)
        if stem == "R" or a != axis:
            name = two(stem, axis, a)
            action[name] = (-1, name)
    return Symmetry(f"reflection of axis {axis + 1}", action)
