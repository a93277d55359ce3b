"""Features of a kernel discriminator f(x) = sum of w_k phi_k(x), so that K(x, y) = sum of phi_k(x) phi_k(y).

Fourier and random features make a translation-invariant kernel with K(0) = 1: every local formula of the Gaussian
kernel then holds exactly with K2 = sum of c_m Q_m^2 in the place of 1/sigma^2, however few features there are.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import sympy

from gan_bifurcation.models.kernel_profiles import half_lattice

__all__ = ["AxisAction", "Features", "fourier_features", "random_features", "taylor_features"]

# The image of a point under a reflection or swap of axes: coordinate i becomes sign * coordinate axis.
AxisAction = tuple[tuple[int, int], ...]
FeatureAction = Mapping[str, tuple[int, str]]


@dataclass(frozen=True, eq=False)
class Features:
    """A family of features.

    Attributes
    ----------
    names : tuple of str
        The discriminator's weights, one for each feature.
    evaluate : callable
        From the coordinates of a point (expressions) to the features there (expressions).
    symmetries : mapping of str to (axis action, feature action)
        What the features do when a point is reflected about the origin or its axes are swapped.
    """

    names: tuple[str, ...]
    evaluate: Callable[[Sequence[sympy.Expr]], tuple[sympy.Expr, ...]]
    symmetries: Mapping[str, tuple[AxisAction, FeatureAction]] = field(default_factory=dict)


# Games of the same features share them, and what is derived of them.
@lru_cache(maxsize=32)
def fourier_features(
    dimension: int,
    modes: int,
    widths: tuple[tuple[sympy.Expr, sympy.Expr], ...],
    length: sympy.Expr,
    *,
    scaled: bool,
) -> Features:
    """Fourier features on a circle (torus) of half length `length` in each coordinate.

    Parameters
    ----------
    dimension, modes : int
        Wave vectors are pi k/length with whole numbers k, |k| <= modes.
    widths : tuple of (weight, sigma)
        Of the Gaussians whose mixture the kernel approximates.
    length : Expr
    scaled : bool
        True if `length` is a number times the only width, so that the coefficients are numbers.

    Notes
    -----
    The features are sqrt(c_k) cos(Q_k . x) and sqrt(c_k) sin(Q_k . x), where c_k is proportional to
    (2 - delta_k0) exp(-sigma^2 Q_k^2/2). If `scaled`, the sum of c_k is 1. Otherwise the c_k are those of the Gaussian
    wrapped around the circle, whose sum misses 1 by no more than what the modes leave out: 1e-9 where modes >= 2
    length/sigma.
    """
    lattice = half_lattice(dimension, modes)
    numbers = [tuple(math.pi * k for k in vector) for vector in lattice]
    squares = [sum(v * v for v in vector) for vector in numbers]
    doubled = [2.0 if square else 1.0 for square in squares]
    if scaled:
        ((_, sigma),) = widths
        bare = np.array(doubled) * np.exp(-np.array(squares) / float(length / sigma) ** 2 / 2)
        roots = [sympy.Float(c) for c in np.sqrt(bare / bare.sum()).tolist()]
    else:
        half = float(length)
        share = (math.sqrt(math.pi / 2) / half) ** dimension
        exponents = [sympy.Float(-square / half**2 / 2) for square in squares]
        if len(widths) == 1:
            # Not the root of an exponential: that has no derivative where the exponential underflows.
            ((_, s),) = widths
            root = s if dimension == 2 else sympy.sqrt(s)
            roots = [
                sympy.Float(math.sqrt(twice * share)) * root * sympy.exp(e * s**2 / 2)
                for twice, e in zip(doubled, exponents, strict=True)
            ]
        else:
            roots = [
                sympy.sqrt(
                    sympy.Float(twice * share) * sympy.Add(*(w * s**dimension * sympy.exp(e * s**2) for w, s in widths))
                )
                for twice, e in zip(doubled, exponents, strict=True)
            ]
    names = _wave_names(lattice)
    symmetries = {}
    for label, axes in _axis_actions(dimension).items():
        symmetries[label] = (axes, _lattice_action(lattice, axes))
    return Features(
        names,
        _wave_evaluation([[sympy.Float(v) / length for v in vector] for vector in numbers], roots),
        symmetries,
    )


def random_features(dimension: int, modes: int, sigma: sympy.Expr, seed: int) -> Features:
    """Random Fourier features: `modes` wave vectors drawn from the Gaussian kernel's spectrum, N(0, I/sigma^2).

    Each wave vector has a cosine and a sine, so that the kernel is translation invariant and K(0) = 1 without noise;
    the drawn vectors do not depend on sigma, which only scales them.
    """
    drawn = np.random.default_rng(seed).standard_normal((modes, dimension))
    vectors = [[sympy.Float(v) / sigma for v in row] for row in drawn.tolist()]
    roots = [sympy.Float(1 / math.sqrt(modes))] * modes
    names = tuple(name for m in range(1, modes + 1) for name in (f"c{m}", f"s{m}"))
    inversion = tuple((-1, axis) for axis in range(dimension))
    return Features(
        names,
        _wave_evaluation(vectors, roots),
        {"reflection": (inversion, {name: (-1, name) for name in names if name.startswith("s")})},
    )


def taylor_features(dimension: int, modes: int, sigma: sympy.Expr) -> Features:
    """Taylor features of the Gaussian kernel about the origin: phi_m(x) = exp(-x^2/(2 sigma^2)) (x/sigma)^m/sqrt(m!).

    In d dimensions products of these, of total degree below `modes`. Local spectra at the origin are exact from two on,
    cubic terms from three on; K(x, x) falls below 1 where |x| > sigma sqrt(modes).
    """
    degrees = sorted(
        (m for m in itertools.product(range(modes), repeat=dimension) if sum(m) < modes), key=lambda m: (sum(m), m)
    )
    names = tuple("w" + "_".join(map(str, m)) for m in degrees)

    def evaluate(x: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
        scaled = [v / sigma for v in x]
        bell = sympy.exp(-sympy.Add(*(s**2 for s in scaled)) / 2)
        return tuple(
            bell
            * sympy.Float(1 / math.sqrt(math.prod(math.factorial(k) for k in m)))
            * sympy.Mul(*(s**k for s, k in zip(scaled, m, strict=True)))
            for m in degrees
        )

    symmetries = {}
    for label, axes in _axis_actions(dimension).items():
        action: dict[str, tuple[int, str]] = {}
        for m, name in zip(degrees, names, strict=True):
            # The monomial of degrees m in R^-1 x is that of permuted degrees in x.
            image = tuple(m[axis] for _, axis in axes)
            sign = math.prod(s**k for (s, _), k in zip(axes, image, strict=True))
            target = "w" + "_".join(map(str, image))
            if target != name or sign != 1:
                action[target] = (sign, name)
        symmetries[label] = (axes, action)
    return Features(names, evaluate, symmetries)


def _axis_actions(dimension: int) -> dict[str, AxisAction]:
    """Generators of the symmetries of the square lattice about the origin."""
    if dimension == 1:
        return {"reflection": ((-1, 0),)}
    kept = tuple((1, axis) for axis in range(dimension))
    actions = {f"reflection of axis {i + 1}": (*kept[:i], (-1, i), *kept[i + 1 :]) for i in range(dimension)}
    for i in range(dimension - 1):
        swapped = list(kept)
        swapped[i], swapped[i + 1] = kept[i + 1], kept[i]
        actions[f"swap of axes {i + 1} and {i + 2}"] = tuple(swapped)
    return actions


def _wave_names(lattice: Sequence[tuple[int, ...]]) -> tuple[str, ...]:
    """c0, then c1, s1, c2, s2, ...: the zero vector has no sine."""
    return ("c0", *(name for m in range(1, len(lattice)) for name in (f"c{m}", f"s{m}")))


def _lattice_action(lattice: Sequence[tuple[int, ...]], axes: AxisAction) -> FeatureAction:
    place = {k: m for m, k in enumerate(lattice)}
    action: dict[str, tuple[int, str]] = {}
    for m, k in enumerate(lattice):
        # cos(Q_k . R^-1 x) = cos(Q_Rk . x), and Rk or -Rk is in the half lattice.
        image = tuple(sign * k[axis] for sign, axis in axes)
        sign = 1 if image in place else -1
        target = place[tuple(sign * v for v in image)]
        if target != m:
            action[f"c{target}"] = (1, f"c{m}")
        if m and (target != m or sign != 1):
            action[f"s{target}"] = (sign, f"s{m}")
    return action


def _wave_evaluation(
    vectors: Sequence[Sequence[sympy.Expr]], roots: Sequence[sympy.Expr]
) -> Callable[[Sequence[sympy.Expr]], tuple[sympy.Expr, ...]]:
    def evaluate(x: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
        values = []
        for vector, root in zip(vectors, roots, strict=True):
            phase = sympy.Add(*(v * c for v, c in zip(vector, x, strict=True)))
            values.append(root * sympy.cos(phase))
            if any(v != 0 for v in vector):
                values.append(root * sympy.sin(phase))
        return tuple(values)

    return evaluate
