"""Draw docs/gallery/*.png, one picture for each kind of figure, and write docs/gallery.md.

python docs/make_gallery.py [NAME ...]
"""

import sys
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from PIL import Image

import gan_bifurcation as gb
from gan_bifurcation.figures.style import figure_of

HERE = Path(__file__).parent
DOTS = 110
COLOURS = 256

HEAD = """# Gallery

One picture for each kind of figure, by functions of `gb.figures`; `docs/make_gallery.py` has the code of each and makes
this page. All take `ax=None` and return the Axes; `figure` makes axes in the style, `save` and `save_all` write SVG and
PNG. In a study, `kind` is the function's name.

"""


@cache
def dirac() -> Any:
    system = gb.tie(gb.system(gb.models.dirac_gan(gamma=0.3), gb.Simultaneous(), eta_d=0.2), eta_g="eta_d")
    return system, gb.trace(gb.point(system), {"eta_d": (0.05, 4.0)})


@cache
def dirac_map() -> Any:
    return gb.regime_map(dirac()[0], {"eta_d": (0.05, 4.0), "gamma": (0.05, 0.9)}, steps=500)


@cache
def logistic() -> Any:
    text = {"x": "r*x*(1 - y) + e", "y": "x"}
    system = gb.System.from_equations("map", text, parameters={"r": 1.9, "e": 0.0})
    return gb.trace(gb.point(system, {"x": 0.5, "y": 0.5}), {"r": (1.5, 2.3)})


@cache
def circles() -> Any:
    return gb.trace(gb.neimark_sacker_to_circles(logistic()["NS1"]), {"r": (1.5, 2.12)})


def basins(ax: Any) -> Any:
    """The map x -> 1.5 x - x^3 + y/5, y -> x/2: initial conditions by the attractor that they end on."""
    system = gb.System.from_equations("map", {"x": "1.5*x - x**3 + y/5", "y": "x/2"})
    return gb.figures.basins(gb.basins(system, {"x": (-2.2, 2.2), "y": (-2.2, 2.2)}, resolution=120), ax=ax)


def bifurcation_diagram(ax: Any) -> Any:
    """Delayed logistic map: the fixed point, its Neimark-Sacker point, and the extent of the circles beyond."""
    return gb.figures.bifurcation_diagram([logistic(), circles()], "x", ax=ax)


def bifurcation_set(ax: Any) -> Any:
    """Dirac-GAN with R1, simultaneous steps: all curves over two parameters, found in one call."""
    found = gb.bifurcation_set(dirac()[0], {"eta_d": (0.05, 6.0), "gamma": (0.05, 2.0)}, depth=0)
    return gb.figures.bifurcation_set(found, ax=ax)


def field_panels(ax: None) -> Any:
    """Two games (`mescheder_games`) under two rules (`mescheder_rules`): one step from each place, and a run."""
    games, rules = gb.figures.mescheder_games(), gb.figures.mescheder_rules()
    some = {name: games[name] for name in ("GAN", "R1, 0.3")}
    return gb.figures.field_panels(some, dict(list(rules.items())[:2]), width=4.2)


def heat_map(ax: Any) -> Any:
    """Kernel GAN: spectral radius by the published formula; hatched where it is above 1."""
    table = gb.models.table("kernel_radii")(cells=60)
    return gb.figures.heat_map(table, ["published"], threshold=1.0, axes=ax)


def landscape(ax: Any) -> Any:
    """Torus GAN: the value over both angles, and a run of the flow."""
    run = gb.simulate(gb.system(gb.models.torus_gan(), gb.Flow()), {"theta": 0.5, "omega": 0.5}, duration=200)
    table = gb.models.table("torus_surface")()
    return gb.figures.landscape(table, "value", {"training": run}, ax=ax)


def lines(ax: Any) -> Any:
    """Bilinear game: spectral radius of five rules over the learning rate."""
    rules = ["simultaneous", "alternating", "extragradient", "optimistic", "implicit"]
    table = gb.models.table("rule_radii")(rules=rules, largest=1.4)
    return gb.figures.lines(table, "step", "radius", group=["rule"], reference=[1.0], ax=ax)


def noise_map(ax: Any) -> Any:
    """Dirac-GAN with instance noise: where training on minibatches of 16 stays within a radius of 0.03."""
    game = gb.models.dirac_gan(gamma=1.0, sigma=0.5)
    system = gb.tie(gb.system(game, gb.Alternating(), eta_d=0.2), eta_g="eta_d")
    window = {"gamma": (0.5, 2.0), "eta_d": gb.log_range(0.01, 4)}
    return gb.figures.noise_map(gb.noisy_border(system, window, batch=16, radius=0.03, cells=16), ax=ax)


def noise_spreads(ax: Any) -> Any:
    """The same at penalty 1 and rate 0.1, over the size of minibatches: linear theory and simulation."""
    game = gb.models.dirac_gan(gamma=1.0, sigma=0.5)
    system = gb.tie(gb.system(game, gb.Alternating(), eta_d=0.2), eta_g="eta_d")
    window, at = {"gamma": (0.5, 2.0), "eta_d": gb.log_range(0.01, 4)}, {"gamma": 1.0, "eta_d": 0.1}
    found = gb.noise_map(system, window, batch=16, radius=0.03, at=at, batches=(2, 4, 8, 32, 64), cells=8, points=0)
    return gb.figures.noise_spreads(found, ax=ax)


def orbit_panels(ax: None) -> Any:
    """Runs that were made already, each on the field of its system."""
    system = dirac()[0]
    runs = {
        f"rate {rate:g}": gb.simulate(system, {"psi": 1.0, "theta": 1.0}, steps=200, parameters={"eta_d": rate})
        for rate in (0.2, 1.1, 1.5)
    }
    return gb.figures.orbit_panels(runs, columns=3, width=5.4)


def path_angle(ax: Any) -> Any:
    """Bilinear game: the angle between the field and the line from start to end shows a rotation."""
    system = gb.system(gb.models.bilinear(), gb.Flow())
    found = gb.path_angle(system, {"psi": 1.0, "theta": 1.0}, {"psi": 0.05, "theta": 0.0})
    return gb.figures.path_angle(found, ax=ax)


def profile(ax: Any) -> Any:
    """Delayed logistic map: circles in the plane, coloured by the parameter."""
    return gb.figures.profile(circles(), ax=ax)


def profiles(ax: None) -> Any:
    """The same, and beside it how well each is resolved."""
    return gb.figures.profiles(circles(), axes=gb.figures.figure(5.6, 0.42, 1, 2)[1])


def regime_graph(ax: Any) -> Any:
    """Dirac-GAN with R1: the regimes and the borders that they share."""
    return gb.figures.regime_graph(dirac_map(), ax=ax)


def regime_map(ax: Any) -> Any:
    """Dirac-GAN with R1: where simultaneous steps converge, oscillate or diverge."""
    return gb.figures.regime_map(dirac_map(), ax=ax)


def resolution(ax: Any) -> Any:
    """Delayed logistic map: decay of the Fourier modes of the circles."""
    return gb.figures.resolution(circles(), colour_bar=True, ax=ax)


def slices(ax: None) -> Any:
    """Dirac-GAN, simultaneous steps: the regimes over rate and penalty for three rates of the generator."""
    game = gb.models.dirac_gan()
    system = gb.system(game, gb.Simultaneous(), eta_d=0.2, eta_g=0.2)
    window = {"eta_d": (0.05, 4.0), "gamma": (0.05, 0.9)}
    return gb.figures.slices(gb.regime_stack(system, window, {"eta_g": [0.5, 1.0, 2.0]}, steps=500))


def spectral_radius(ax: Any) -> Any:
    """Dirac-GAN with R1: simultaneous and alternating steps over the learning rate."""
    other = gb.tie(gb.system(gb.models.dirac_gan(gamma=0.3), gb.Alternating(), eta_d=0.2), eta_g="eta_d")
    branch = gb.trace(gb.point(other), {"eta_d": (0.05, 4.0)})
    return gb.figures.spectral_radius([dirac()[1], branch], ax=ax)


def spectrum_path(ax: Any) -> Any:
    """Dirac-GAN with R1: multipliers of simultaneous steps leave the unit circle as the rate grows."""
    return gb.figures.spectrum_path(dirac()[1], ax=ax)


def staircase(ax: Any) -> Any:
    """Circle map: rotation number of runs over the frequency, flat where the map locks."""
    text = {"x": "x + w - sin(2*pi*x)/(2*pi)*k"}
    system = gb.System.from_equations("map", text, parameters={"w": 0.3, "k": 0.95}, periods={"x": 1.0})
    stairs = gb.rotation_numbers(system, {"w": (0.0, 1.0)}, {"x": 0.2}, points=200, steps=1000)
    return gb.figures.staircase(stairs, ax=ax)


def time_series(ax: Any) -> Any:
    """Dirac-GAN with R1 below its border: both states against the step."""
    run = gb.simulate(dirac()[0], {"psi": 1.0, "theta": 1.0}, steps=120)
    return gb.figures.time_series(run, axes=ax)


def tongues(ax: Any) -> Any:
    """Delayed logistic map: Arnold tongues on the Neimark-Sacker curve."""
    window = {"r": (1.5, 2.3), "e": (-0.15, 0.35)}
    curve = gb.trace(logistic()["NS1"], window)
    return gb.figures.tongues(gb.arnold_tongues(curve, window, order=7), curve, ax=ax)


def vector_field(ax: Any) -> Any:
    """Dirac-GAN with R1: one step from each place, and 200 steps from (1, 1)."""
    run = gb.simulate(dirac()[0], {"psi": 1.0, "theta": 1.0}, steps=200)
    return gb.figures.vector_field(dirac()[0], run, window={"theta": (-2, 2), "psi": (-2, 2)}, ax=ax)


PICTURES: dict[str, Callable[[Any], Any]] = {
    made.__name__: made
    for made in (
        bifurcation_diagram, spectral_radius, spectrum_path, bifurcation_set, regime_map, slices, regime_graph, basins,
        vector_field, field_panels, orbit_panels, time_series, profile, resolution, profiles, staircase, tongues,
        noise_map, noise_spreads, path_angle, lines, heat_map, landscape,
    )
}  # fmt: skip


def save(drawn: Any, path: Path) -> None:
    """As a PNG of few colours: small enough for a repository."""
    while not hasattr(drawn, "savefig"):
        drawn = figure_of(drawn) if hasattr(drawn, "get_figure") else drawn[0]
    buffer = BytesIO()
    drawn.savefig(buffer, format="png", dpi=DOTS, bbox_inches="tight", pad_inches=0.04)
    picture = Image.open(buffer).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


def page() -> str:
    """The page as it should be now."""
    parts = [f"## `{n}`\n\n{(f.__doc__ or '').strip()}\n\n![{n}](gallery/{n}.png)\n" for n, f in PICTURES.items()]
    return HEAD + "\n".join(parts)


if __name__ == "__main__":
    (HERE / "gallery").mkdir(exist_ok=True)
    for name in sys.argv[1:] or PICTURES:
        save(PICTURES[name](gb.figures.figure()[1]), HERE / "gallery" / f"{name}.png")
    (HERE / "gallery.md").write_text(page(), encoding="utf-8")
