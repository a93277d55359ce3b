"""Tables of the functional-space theory for studies: losses, spectra, rates, and the nonlinear game beside them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.models.augmentation import best_noise, noisy_gap, visible_modes
from gan_bifurcation.models.densities import gaussian_mixture
from gan_bifurcation.models.dispersion import Dispersion
from gan_bifurcation.models.functional_gan import functional_gan, functional_theory
from gan_bifurcation.models.gan_losses import LOSSES, as_floats, loss_constants
from gan_bifurcation.models.image_augmentation import Augmentation, digits, rank_augmentations
from gan_bifurcation.models.laplacian_estimators import graph_laplacian, polynomial_features, random_fourier
from gan_bifurcation.models.settings import whole_number
from gan_bifurcation.models.weighted_laplacian import finite_volumes, galerkin
from gan_bifurcation.rules import Flow, system
from gan_bifurcation.simulate import simulate
from gan_bifurcation.tables import Table

__all__ = [
    "functional_augmentation",
    "functional_cloud",
    "functional_gaps",
    "functional_losses",
    "functional_mixture",
    "functional_noise",
    "functional_nonlinear",
    "functional_rates",
    "functional_spectra",
]

_MOST_POINTS: Final = 500
# Of a sample's points, those in the tails that have no neighbours.
_TRIM: Final = 0.002


def functional_losses() -> Table:
    """The constants a, b and the level of every loss, derived from its link functions.

    Numbers ``a_minimax``, ``b_minimax``, ``level_minimax`` (where there is one level) and so on.
    """
    names = [*LOSSES, "kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon", "relativistic"]
    rows = [as_floats(loss_constants(name)) for name in names]
    numbers = {f"a_{n}": row[0] for n, row in zip(names, rows, strict=True)}
    numbers |= {f"b_{n}": row[1] for n, row in zip(names, rows, strict=True)}
    numbers |= {f"level_{n}": row[2] for n, row in zip(names, rows, strict=True) if math.isfinite(row[2])}
    levels = [f"{row[2]:g}" if math.isfinite(row[2]) else "any" for row in rows]
    columns: dict[str, Any] = {
        "loss": names,
        "a": [row[0] for row in rows],
        "b": [row[1] for row in rows],
        "level": levels,
    }
    return Table(columns, numbers)


def functional_spectra(
    *,
    means: Sequence[float] = (0.0,),
    variances: Sequence[float] = (1.0,),
    cells: int = 4000,
    degree: int = 30,
    sample: int = 2000,
    seed: int = 1,
    epsilon: float = 0.05,
    count: int = 5,
) -> Table:
    """The spectrum of a mixture of normal distributions by every method, a row for each eigenvalue.

    Columns ``k``, then for each method its values and, where it has them, ``..._error``: finite_volumes, legendre,
    hermite, random_fourier, polynomials, graph (alpha = 1/2), graph_walk (alpha = 0) and graph_plain (alpha = 1).
    Numbers: the same by ``METHOD_k``.
    """
    count = whole_number("count", count, 1, 8)
    sample = whole_number("sample", sample, 200, 6000)
    density = gaussian_mixture(means=means, variances=variances)
    rng = np.random.default_rng(seed)
    spread = np.array(list(variances) * len(means) if len(variances) == 1 else variances)
    which = rng.integers(len(means), size=sample)
    points = np.array(means)[which] + np.sqrt(spread[which]) * rng.normal(size=sample)
    found = {
        "finite_volumes": finite_volumes(density, cells=cells, count=count),
        "legendre": galerkin(density, degree=degree, count=count),
        "hermite": galerkin(density, basis="hermite", degree=degree, count=count),
        "random_fourier": random_fourier(points, count=count),
        "polynomials": polynomial_features(points, degree=count + 1, count=count),
        # Isolated points in the tails would each add a small eigenvalue.
        "graph": graph_laplacian(points, epsilon=epsilon, trim=_TRIM, count=count),
        "graph_walk": graph_laplacian(points, epsilon=epsilon, alpha=0.0, trim=_TRIM, count=count),
        "graph_plain": graph_laplacian(points, epsilon=epsilon, alpha=1.0, trim=_TRIM, count=count),
    }
    columns: dict[str, Any] = {"k": np.arange(1, count + 1)}
    numbers: dict[str, float] = {}
    for name, spectrum in found.items():
        columns[name], columns[f"{name}_error"] = spectrum.values, spectrum.errors
        numbers |= {f"{name}_{k + 1}": float(value) for k, value in enumerate(spectrum.values)}
    return Table(columns, numbers)


def functional_rates(
    *,
    losses: Sequence[str] = ("minimax", "wgan"),
    variance: float = 1.0,
    modes: int = 20,
    low: float = 0.02,
    high: float = 20.0,
    points: int = 121,
    at: Sequence[float] = (),
    eta_d: float = 1.0,
    eta_g: float = 1.0,
) -> Table:
    """The rate of convergence over the gradient penalty, for normal data with all of its modes.

    Columns ``loss``, ``gamma``, ``rate``. Numbers: ``best_gamma_LOSS``, ``best_rate_LOSS``, and ``rate_LOSS_i`` for the
    i-th value of `at`.
    """
    xi = np.arange(1, whole_number("modes", modes, 1, 1000) + 1) / variance
    grid = np.geomspace(low, high, whole_number("points", points, 2, _MOST_POINTS))
    columns: dict[str, Any] = {"loss": [], "gamma": [], "rate": []}
    numbers: dict[str, float] = {}
    for loss in losses:
        made = Dispersion.of_loss(loss, eta_d=eta_d, eta_g=eta_g)
        best, rate = made.best_penalty(xi)
        numbers |= {f"best_gamma_{loss}": best, f"best_rate_{loss}": rate}
        numbers |= {f"rate_{loss}_{i + 1}": _rate(made, xi, gamma) for i, gamma in enumerate(at)}
        # The corner at the best penalty is drawn as one.
        for gamma in sorted([*grid.tolist(), *([best] if low < best < high else [])]):
            columns["loss"].append(loss)
            columns["gamma"].append(gamma)
            columns["rate"].append(_rate(made, xi, gamma))
    return Table(columns, numbers)


def functional_gaps(
    *,
    loss: str = "minimax",
    ratios: Sequence[float] = (1.0,),
    low: float = 1e-3,
    high: float = 10.0,
    points: int = 81,
    at: Sequence[float] = (),
) -> Table:
    """The rate without penalty over the spectral gap, for some ratios eta_g/eta_d: discriminator balancing.

    Columns ``ratio``, ``xi_1``, ``rate``. Numbers: ``rate_i`` at the i-th gap of `at` and the first ratio, and
    ``oscillates_from``, the gap from which the slowest mode oscillates there.
    """
    grid = np.geomspace(low, high, whole_number("points", points, 2, _MOST_POINTS)).tolist()
    if not ratios:
        raise MisuseError("'ratios' needs at least one ratio eta_g/eta_d, but got none.")
    made = [(ratio, Dispersion.of_loss(loss, eta_g=ratio)) for ratio in ratios]
    rows = [(ratio, xi, dispersion.rate([xi])) for ratio, dispersion in made for xi in grid]
    first = made[0][1]
    band = first.oscillatory_band()
    numbers = {f"rate_{i + 1}": first.rate([xi]) for i, xi in enumerate(at)}
    if band is not None:
        numbers["oscillates_from"] = band[0]
    return Table(_columns(("ratio", "xi_1", "rate"), rows), numbers)


def functional_mixture(
    *,
    low: float = 0.0,
    high: float = 3.0,
    points: int = 31,
    at: Sequence[float] = (0.5, 1.0, 1.5),
    cells: int = 4000,
    loss: str = "minimax",
) -> Table:
    """Two normal distributions that move apart: their spectrum and the rate without penalty.

    Columns ``m`` (half the distance), ``xi_1``, ``xi_2``, ``xi_3``, ``rate``. Numbers: ``xi_k_i`` at the i-th of `at`.
    """
    dispersion = Dispersion.of_loss(loss)

    def spectrum(m: float) -> NDArray[np.float64]:
        return finite_volumes(gaussian_mixture(means=(-m, m)), cells=cells, count=3).values

    rows = []
    for m in np.linspace(low, high, whole_number("points", points, 2, _MOST_POINTS)).tolist():
        xi = spectrum(m)
        rows.append((m, *xi.tolist(), dispersion.rate(xi)))
    numbers = {f"xi_{k + 1}_{i + 1}": float(x) for i, m in enumerate(at) for k, x in enumerate(spectrum(m))}
    return Table(_columns(("m", "xi_1", "xi_2", "xi_3", "rate"), rows), numbers)


def functional_noise(
    *, m: float = 1.5, deviation: float = 0.5, high: float = 3.0, points: int = 61, modes: int = 5
) -> Table:
    """The spectral gap of two normal distributions over the noise that is added, and the best noise.

    Columns ``tau``, ``mixture``, ``normal`` (the gap of one standard normal distribution) and ``visible_k``: what is
    left of its modes if real and generated points get the noise. Numbers: ``best_tau``, ``best_gap``, ``gap_without``.
    """
    tau = np.linspace(0.0, high, whole_number("points", points, 2, _MOST_POINTS))
    settings: dict[str, Any] = {"means": (-m, m), "variances": (deviation**2,)}
    best = best_noise(**settings, most=high)
    visible = np.array([visible_modes(whole_number("modes", modes, 1, 20), tau=t) for t in tau.tolist()])
    columns: dict[str, Any] = {
        "tau": tau,
        "mixture": [noisy_gap(t, **settings) for t in tau.tolist()],
        "normal": 1 / (1 + tau**2),
        **{f"visible_{k + 1}": visible[:, k] for k in range(visible.shape[1])},
    }
    return Table(columns, {"best_tau": best.noise, "best_gap": best.gap, "gap_without": best.gap_without})


def functional_cloud(
    *,
    loss: str = "minimax",
    gammas: Sequence[float] = (0.0, 0.1, 0.5, 1.0, 2.0),
    modes: int = 12,
    variance: float = 1.0,
) -> Table:
    """Eigenvalues of the flow of normal data in the complex plane, for some penalties.

    Columns ``gamma``, ``k``, ``real``, ``imaginary`` (both eigenvalues of a mode, a row each). Numbers: ``real_k_i``
    and ``imaginary_k_i``, the first eigenvalue of mode k at the i-th penalty.
    """
    k = np.arange(1, whole_number("modes", modes, 1, 200) + 1)
    rows: list[tuple[float, ...]] = []
    numbers: dict[str, float] = {}
    for i, gamma in enumerate(gammas):
        values = replace(Dispersion.of_loss(loss), gamma=float(gamma)).eigenvalues(k / variance)
        numbers |= {f"real_{mode}_{i + 1}": float(v.real) for mode, v in zip(k.tolist(), values[:, 0], strict=True)}
        numbers |= {
            f"imaginary_{mode}_{i + 1}": float(v.imag) for mode, v in zip(k.tolist(), values[:, 0], strict=True)
        }
        # Down one side and back on the other one, so that a line through them is the curve that they lie on.
        for side, order in ((0, slice(None, None, -1)), (1, slice(None))):
            rows += [
                (float(gamma), float(n), v.real, v.imag) for n, v in zip(k[order], values[order, side], strict=True)
            ]
    return Table(_columns(("gamma", "k", "real", "imaginary"), rows), numbers)


def functional_nonlinear(
    *,
    losses: Sequence[str] = ("minimax", "non_saturating", "wgan", "lsgan"),
    modes: int = 4,
    gamma: float = 0.3,
    amplitude: float = 1e-4,
    duration: float = 10.0,
) -> Table:
    """The nonlinear game beside the linear theory: its spectrum at the identity, and a run from nearby.

    Columns ``loss``, ``spectrum`` (largest difference of eigenvalues), ``run`` (largest difference of the modes over
    the run, in units of their largest deviation). Numbers: ``spectrum_LOSS``, ``run_LOSS``.
    """
    names = list(losses)
    compared = [_beside(loss, modes, gamma, amplitude, duration) for loss in names]
    columns: dict[str, Any] = {
        "loss": names,
        "spectrum": [pair[0] for pair in compared],
        "run": [pair[1] for pair in compared],
    }
    numbers = {f"spectrum_{loss}": pair[0] for loss, pair in zip(names, compared, strict=True)}
    numbers |= {f"run_{loss}": pair[1] for loss, pair in zip(names, compared, strict=True)}
    return Table(columns, numbers)


def _beside(loss: str, modes: int, gamma: float, amplitude: float, duration: float) -> tuple[float, float]:
    flow = system(functional_gan(loss=loss, modes=modes, gamma=gamma), Flow())
    rest = np.asarray(flow.equilibrium_guess())
    found = np.linalg.eigvals(flow.jacobian(rest)[:, : flow.n])
    theory = functional_theory(loss=loss, modes=modes, gamma=gamma)
    difference = float(np.abs(np.sort_complex(found) - np.sort_complex(theory)).max())
    deviation = amplitude * np.random.default_rng(0).normal(size=flow.n)
    deviation[0] = 0.0
    orbit = simulate(flow, rest + deviation, duration=duration)
    moved = orbit.states - rest
    block = replace(Dispersion.of_loss(loss), gamma=gamma)
    worst = 0.0
    for k in range(1, modes + 1):
        pair = [flow.states.index(f"d{k}"), flow.states.index(f"y{k}")]
        matrix = block.matrix(k)
        expected = np.array([expm(matrix * t) @ deviation[pair] for t in orbit.times.tolist()])
        worst = max(worst, float(np.abs(moved[:, pair] - expected).max()))
    return difference, worst / float(np.abs(moved).max())


def functional_augmentation(
    *,
    kinds: Sequence[str] = ("none", "translation", "rotation", "noise", "cutout", "flip"),
    strengths: Sequence[float] = (0.0, 1.0, 15.0, 0.1, 3.0, 0.0),
    copies: int = 1,
    seed: int = 0,
) -> Table:
    """Augmentations of scikit-learn's digits by spectral gap, the largest first; needs the extra ``[data]``.

    Columns ``augmentation``, ``gap``, ``error``, ``linear_bound`` (all at the mean variance 1 a pixel), ``data_gap``
    (in the units of the images). Numbers: ``gap_i`` and ``error_i`` in the order of `kinds`.
    """
    if len(kinds) != len(strengths):
        raise MisuseError(f"Each kind needs a strength, but got {len(kinds)} kinds and {len(strengths)} strengths.")
    wanted: list[Augmentation] = [
        Augmentation(kind, float(strength))  # type: ignore[arg-type]  # its name is checked there
        for kind, strength in zip(kinds, strengths, strict=True)
    ]
    ranked = rank_augmentations(digits(), wanted, copies=copies, seed=seed)
    columns: dict[str, Any] = {
        "augmentation": [r.augmentation.name for r in ranked],
        "gap": [r.gap for r in ranked],
        "error": [r.error for r in ranked],
        "linear_bound": [r.linear_bound for r in ranked],
        "data_gap": [r.gap / r.variance for r in ranked],
    }
    order = [next(r for r in ranked if r.augmentation == augmentation) for augmentation in wanted]
    numbers = {f"gap_{i + 1}": r.gap for i, r in enumerate(order)} | {
        f"error_{i + 1}": r.error for i, r in enumerate(order)
    }
    return Table(columns, numbers)


def _columns(names: Sequence[str], rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    return {name: [row[j] for row in rows] for j, name in enumerate(names)}


def _rate(dispersion: Dispersion, xi: NDArray[np.float64], gamma: float) -> float:
    return replace(dispersion, gamma=float(gamma)).rate(xi, unbounded=True)
