"""Points trained against a kernel discriminator: the isolated points model, in finitely many features.

References
----------
Becker, Pandit, Rangan, Fletcher: Local Convergence of Gradient Descent-Ascent for Training Generative Adversarial
Networks (2023), arXiv 2305.08277. The same: Instability and Local Minima in GAN Training with Kernel Discriminators
(2022), arXiv 2208.09938.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal

import sympy

from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.expressions import symbol
from gan_bifurcation.facts import DomainBound, Equilibrium, Symmetry
from gan_bifurcation.game import Game, Player
from gan_bifurcation.models.kernel_features import Features, fourier_features, random_features, taylor_features
from gan_bifurcation.models.kernel_layout import Layout, layout
from gan_bifurcation.models.kernel_profiles import Gaussians, gaussians, positive_numbers

__all__ = ["kernel_gan"]

FeatureKind = Literal["fourier", "taylor", "random"]

_MODES: Final[Mapping[str, Mapping[int, int]]] = {
    "fourier": {1: 12, 2: 6},
    "taylor": {1: 6, 2: 5},
    "random": {1: 50, 2: 100},
}
# Half the length of the circle in widths; in two dimensions a shorter one, since features are its square in number.
_ELL: Final = {1: 6.0, 2: 4.0}
_MOST_FEATURES: Final = 2000
# Where the equilibrium discriminator (p - P)/lam K(., 0) has no meaning.
_SMALLEST_LAM: Final = 1e-12
# Masses that ought to be equal may differ by rounding.
_EQUAL: Final = 1e-12


def kernel_gan(
    *,
    sigma: float | Sequence[float] = 1.0,
    weights: Sequence[float] | None = None,
    lam: float = 0.5,
    p: float | Sequence[float] | None = None,
    q: float | Sequence[float] | None = None,
    points: int | None = None,
    true_points: Sequence[float] | Sequence[Sequence[float]] | None = None,
    dimension: int = 1,
    features: FeatureKind = "fourier",
    modes: int | None = None,
    ell: float | None = None,
    length: float | None = None,
    smallest_sigma: float | None = None,
    seed: int = 0,
    **masses: float,
) -> Game:
    """Generated points that climb a discriminator linear in the features of a Gaussian kernel.

    Parameters
    ----------
    sigma : float or sequence of float
        Width of the kernel: the parameter ``sigma``; or the widths of a mixture: ``sigma1``, ``sigma2``, ...
    weights : sequence of float, optional
        Of the widths of a mixture: the parameters ``weight1``, ...; all 1/len by default.
    lam : float
        Regularisation of the discriminator.
    p : float or sequence of float, optional
        Masses of the true points, the parameters ``p1``, ...; 1/N each by default.
    q : float or sequence of float, optional
        Masses of the generated points. A sequence makes the parameters ``q1``, ``q2``, ...; a number makes the one
        parameter ``q1`` for all points, which then stay alike and may be permuted. By default a total of 0.8 is shared.
    points : int, optional
        Number of generated points; the number of masses given by default, or 1.
    true_points : sequence, optional
        Positions (N,) or (N, 2) of several true points: the parameters ``true1``, ... (``true1_1``, ``true1_2`` in two
        dimensions). By default there is one, at the origin, and no parameter.
    dimension : 1 or 2
    features : "fourier", "taylor" or "random"
        Fourier features on a circle (recommended), Taylor features about the origin, or random Fourier features.
    modes : int, optional
        Fourier: largest wave number, 12 (6 in two dimensions) by default, or what the narrowest width needs where the
        length is fixed. Taylor: bound of the degree, 6 (5) by default. Random: number of wave vectors, 50 (100) by
        default.
    ell : float, optional
        Fourier: half the length of the circle in widths, 6 (4 in two dimensions) by default.
    length : float, optional
        Fourier: half the length of the circle, fixed. By default one true point and one width have ``ell * sigma``,
        which scales with sigma; otherwise the largest distance of true points is added to `ell` times the largest
        width.
    smallest_sigma : float, optional
        Where the length is fixed, the smallest width that sigma will be given later; its present value by default.
    seed : int
        Random: where the wave vectors are drawn from.
    **masses : float
        Masses by name: ``p1``, ``q1``, ``q2``, ...

    Returns
    -------
    Game
        States: the discriminator's weights ``c0, c1, s1, c2, ...`` (Taylor: ``w0, w1, ...``), then the generated points
        ``x1, x2, ...`` (``x1_1, x1_2, ...`` in two dimensions).

    Raises
    ------
    MisuseError
        If a number is out of range, or the features cannot resolve the narrowest width.

    Notes
    -----
    With f = sum of w_k phi_k, the discriminator descends ``-sum p_i f(t_i) + sum q_j f(x_j) + lam/2 |w|^2`` and the
    generator ``-sum q_j f(x_j)``. The weights are linear states: all but as many multipliers as there are coordinates
    of points are ``1 - eta_d lam``. Local formulas of the Gaussian kernel hold exactly with the features' own curvature
    in the place of 1/sigma^2: see :func:`gan_bifurcation.models.kernel_theory.kernel_curvature`.

    Examples
    --------
    >>> game = kernel_gan(sigma=0.5, lam=1.0, p1=1.0, q1=0.8)
    >>> len(game.discriminator.states), game.generator.states
    (25, ('x1',))
    >>> dict(game.parameters)
    {'sigma': 0.5, 'lam': 1.0, 'p1': 1.0, 'q1': 0.8}
    >>> [s.name for s in kernel_gan(points=2, q=0.4).symmetries]
    ['reflection', 'swap of points 1 and 2']
    """
    if dimension not in (1, 2):
        raise MisuseError(f"'dimension' must be 1 or 2, but got {dimension!r}.")
    if features not in _MODES:
        raise unknown_name("kind of features", str(features), _MODES)
    kernel = gaussians(sigma, weights)
    if len(kernel.widths) == 1 and weights is not None:
        raise MisuseError("'weights' belong to a mixture of widths, but 'sigma' is one number; leave them out.")
    (regularisation,) = positive_numbers("lam", [lam], zero=True)
    placed = layout(p, q, points, true_points, dimension, masses)
    if features == "fourier":
        family, reach = _fourier(kernel, placed, dimension, modes, ell, length, smallest_sigma)
    else:
        for name, value in (("ell", ell), ("length", length), ("smallest_sigma", smallest_sigma)):
            if value is not None:
                raise MisuseError(f"'{name}' belongs to features='fourier', but features='{features}'; leave it out.")
        if len(kernel.widths) > 1:
            raise MisuseError(f"features='{features}' takes one width 'sigma', but got {len(kernel.widths)}.")
        count = _whole("modes", _MODES[features][dimension] if modes is None else modes)
        if features == "taylor":
            if len(placed.truth) > 1:
                raise MisuseError(
                    "Taylor features are made about one true point at the origin; use features='fourier'."
                )
            family, reach = taylor_features(dimension, count, symbol("sigma")), f"{math.sqrt(count)!r}*sigma"
        else:
            # Some widths away the kernel of random features is no more than noise.
            family = random_features(dimension, count, symbol("sigma"), seed)
            reach = f"6*sigma + {placed.spread!r}" if placed.spread else "6*sigma"
    if len(family.names) > _MOST_FEATURES:
        raise MisuseError(
            f"These modes make {len(family.names)} features, expected at most {_MOST_FEATURES}; lower 'modes'."
        )
    parameters = {**_width_parameters(kernel), "lam": regularisation, **placed.parameters}
    domain = (
        *_domain(placed, reach),
        *(DomainBound(name, "The width of a kernel is positive.") for name in _width_names(len(kernel.widths))),
    )
    return _assemble(placed, family, parameters, domain, f"{features} features")


def _assemble(
    placed: Layout, family: Features, parameters: Mapping[str, float], domain: tuple[DomainBound, ...], features: str
) -> Game:
    discriminator, generator, equilibria = _expressions(placed, family)
    single = len(placed.truth) == 1
    return Game(
        "kernel_gan",
        Player(family.names, discriminator, "eta_d"),
        Player(tuple(name for point in placed.names for name in point), generator, "eta_g"),
        parameters,
        symmetries=(_reflections(placed, family) if single else ()) + placed.permutations(),
        domain=domain,
        equilibria=equilibria,
        paper="becker2023,becker2022",
        description=(
            f"{len(placed.names)} generated and {len(placed.truth)} true point(s) under a discriminator of "
            f"{len(family.names)} {features} of a Gaussian kernel."
        ),
    )


@lru_cache(maxsize=32)
def _expressions(placed: Layout, family: Features) -> tuple[sympy.Expr, sympy.Expr, tuple[Equilibrium, ...]]:
    """The losses of both players and the known equilibria: the same for all values of the parameters."""
    lam = symbol("lam")
    w = [symbol(name) for name in family.names]
    generated = [family.evaluate(x) for x in placed.generated]
    true = [family.evaluate(t) for t in placed.truth]
    # arXiv 2208.09938, (124): the discriminator ascends the difference of means less the penalty.
    discriminator = sympy.Add(
        *(
            w_k * (_mean(placed.q, generated, k) - _mean(placed.p, true, k)) + lam * w_k**2 / 2
            for k, w_k in enumerate(w)
        )
    )
    f_of_generated = (sympy.Add(*(w_k * phi_k for w_k, phi_k in zip(w, phi, strict=True))) for phi in generated)
    generator = -sympy.Add(*(q * f for q, f in zip(placed.q, f_of_generated, strict=True)))
    known = _captured(placed, true[0], w) if len(true) == 1 else _matched(placed, w)
    return discriminator, generator, known


def _mean(masses: Sequence[sympy.Expr], phi: Sequence[Sequence[sympy.Expr]], k: int) -> sympy.Expr:
    return sympy.Add(*(mass * values[k] for mass, values in zip(masses, phi, strict=True)))


def _fourier(
    kernel: Gaussians,
    placed: Layout,
    dimension: int,
    modes: int | None,
    ell: float | None,
    length: float | None,
    smallest_sigma: float | None,
) -> tuple[Features, str]:
    """Fourier features, and how far from the nearest true point their circle can be trusted."""
    (relative,) = positive_numbers("ell", [_ELL[dimension] if ell is None else ell])
    names = _width_names(len(kernel.widths))
    weight_names = _weight_names(len(kernel.widths))
    widths = tuple(
        (symbol(weight) if weight else sympy.S.One, symbol(name))
        for weight, name in zip(weight_names, names, strict=True)
    )
    if len(widths) == 1 and len(placed.truth) == 1 and length is None:
        count = _whole("modes", _MODES["fourier"][dimension] if modes is None else modes)
        half = sympy.Float(relative) * widths[0][1]
        return fourier_features(dimension, count, widths, half, scaled=True), f"{relative / 2!r}*sigma"
    (half_length,) = positive_numbers(
        "length", [relative * max(kernel.widths) + placed.spread if length is None else length]
    )
    if half_length < placed.spread:
        raise MisuseError(
            f"A circle of half length {half_length:g} brings true points {placed.spread:g} apart close together again; "
            f"expected a 'length' of at least that distance."
        )
    (narrowest,) = positive_numbers(
        "smallest_sigma", [min(kernel.widths) if smallest_sigma is None else smallest_sigma]
    )
    needed = math.ceil(2 * half_length / narrowest - 1e-9)
    count = _whole("modes", max(needed, _MODES["fourier"][dimension]) if modes is None else modes)
    if count < needed:
        raise MisuseError(
            f"{count} modes on a circle of half length {half_length:g} cannot resolve the width {narrowest:g}; "
            f"expected at least 2*length/sigma = {needed}: raise 'modes' or shorten 'length'."
        )
    if count**dimension > _MOST_FEATURES:
        raise MisuseError(
            f"{count} modes in {dimension} dimension(s) make more than {_MOST_FEATURES} features; shorten 'length'."
        )
    family = fourier_features(dimension, count, widths, sympy.Float(half_length), scaled=False)
    return family, repr(half_length / 2)


def _width_names(count: int) -> list[str]:
    return ["sigma"] if count == 1 else [f"sigma{a + 1}" for a in range(count)]


def _weight_names(count: int) -> list[str]:
    return [""] if count == 1 else [f"weight{a + 1}" for a in range(count)]


def _width_parameters(kernel: Gaussians) -> dict[str, float]:
    count = len(kernel.widths)
    values = dict(zip(_width_names(count), kernel.widths, strict=True))
    if count > 1:
        values |= dict(zip(_weight_names(count), kernel.weights, strict=True))
    return values


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise MisuseError(f"'{name}' must be a positive whole number, but got {value!r}.")
    return value


def _reflections(placed: Layout, family: Features) -> tuple[Symmetry, ...]:
    found = []
    for label, (axes, features) in family.symmetries.items():
        action = dict(features)
        for point in placed.names:
            for name, (sign, axis) in zip(point, axes, strict=True):
                if point[axis] != name or sign != 1:
                    action[name] = (sign, point[axis])
        found.append(Symmetry(label, action))
    return tuple(found)


def _domain(placed: Layout, reach: str) -> tuple[DomainBound, ...]:
    """Every generated point has a true point within `reach`; from beyond, a circle would bring it back."""
    bounds = []
    for j, point in enumerate(placed.names):
        distances = []
        for t in placed.truth:
            terms = [f"({x} - {c})**2" if c != 0 else f"{x}**2" for x, c in zip(point, t, strict=True)]
            distances.append(" + ".join(terms))
        nearest = distances[0] if len(distances) == 1 else f"minimum({', '.join(distances)})"
        reason = f"Generated point {j + 1} ran away from every true point."
        bounds.append(DomainBound(f"({reach})**2 - ({nearest})", reason))
    return tuple(bounds)


def _captured(placed: Layout, phi: Sequence[sympy.Expr], w: Sequence[sympy.Symbol]) -> tuple[Equilibrium, ...]:
    """All generated points at the true point: f = (p - P)/lam K(., 0)."""
    excess = placed.p[0] - sympy.Add(*placed.q)
    state = {w_k.name: excess / symbol("lam") * phi_k for w_k, phi_k in zip(w, phi, strict=True)}
    state |= {name: sympy.S.Zero for point in placed.names for name in point}
    return (Equilibrium("all points at the true point", state, f"lam - {_SMALLEST_LAM!r}"),)


def _matched(placed: Layout, w: Sequence[sympy.Symbol]) -> tuple[Equilibrium, ...]:
    """Generated points at true points with as much mass as these have: f = 0.

    Where kernels overlap, no other equilibrium is known in closed form.
    """
    owners = placed.owners()
    if len(owners) < len(placed.truth):
        return ()
    gaps = [
        f"abs({p} - ({' + '.join(str(q) for q, owner in zip(placed.q, owners, strict=True) if owner == i)}))"
        for i, p in enumerate(placed.p)
    ]
    state = {w_k.name: sympy.S.Zero for w_k in w}
    for point, owner in zip(placed.names, owners, strict=True):
        state |= dict(zip(point, placed.truth[owner], strict=True))
    return (Equilibrium("masses matched at the true points", state, f"{_EQUAL!r} - ({' + '.join(gaps)})"),)
