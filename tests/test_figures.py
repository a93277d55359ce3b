"""Figures: what is drawn is what was computed; nothing overlaps, nothing is missing."""

import itertools
import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

import gan_bifurcation as gb
from gan_bifurcation.figures.layout import lay_out
from gan_bifurcation.figures.lines import thinned
from gan_bifurcation.figures.scales import tidy
from gan_bifurcation.figures.style import STYLE
from gan_bifurcation.figures.text import math_name, place_labels
from gan_bifurcation.models.kernel_heat_map import kernel_radii
from gan_bifurcation.tables import Table

mpl.use("Agg")


@pytest.fixture(scope="module")
def henon() -> gb.System:
    return gb.System.from_equations("map", {"x": "a - x**2 + b*y", "y": "x"}, parameters={"a": 0.1, "b": 0.3})


@pytest.fixture(scope="module")
def fixed(henon: gb.System) -> gb.Branch:
    return gb.trace(gb.point(henon, {"x": 0.1, "y": 0.1}), {"a": (-1, 2)})


@pytest.fixture(scope="module")
def dirac() -> gb.System:
    game = gb.models.dirac_gan(gamma=0.3)
    return gb.tie(gb.system(game, gb.Simultaneous(), eta_d=0.2), eta_g="eta_d")


@pytest.fixture(scope="module")
def rmap(dirac: gb.System):
    return gb.regime_map(dirac, {"eta_d": (0.05, 6.0), "gamma": (0.05, 2.0)}, steps=500)


def new(aspect: float = 0.8):
    return gb.figures.figure(aspect=aspect)[1]


def texts(ax) -> list[str]:
    return [t.get_text() for t in ax.texts]


def test_a_stable_piece_ends_exactly_at_the_fold_and_the_flip(fixed: gb.Branch) -> None:
    ax = gb.figures.bifurcation_diagram(fixed, "x", ax=new())
    solid = [line for line in ax.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2]
    assert len(solid) == 1
    # Henon map: fold at a = -(1-b)^2/4, flip at a = 3(1-b)^2/4, with b = 0.3; stable between the two.
    ends = sorted([solid[0].get_xdata()[0], solid[0].get_xdata()[-1]])
    assert ends == pytest.approx([-0.1225, 0.3675], abs=1e-9)
    assert {"LP1", "PD1"} <= set(texts(ax))


def test_labels_cover_neither_each_other_nor_another_point(fixed: gb.Branch) -> None:
    ax = new()
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    place_labels(ax, [(0.5 + 0.01 * k, 0.5, f"NS{k}", "black") for k in range(6)])
    ax.figure.draw_without_rendering()
    # Of the text alone: an annotation's extent takes its line in.
    boxes = [Text.get_window_extent(t) for t in ax.texts]
    assert len(boxes) == 6
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_the_spectrum_of_a_map_is_drawn_with_the_unit_circle_and_of_a_flow_with_the_axis(fixed: gb.Branch) -> None:
    ax = gb.figures.spectrum_path(fixed, ax=new())
    circle = next(line for line in ax.lines if len(line.get_xdata()) == 361)
    assert np.hypot(circle.get_xdata(), circle.get_ydata()) == pytest.approx(np.ones(361))
    flow = gb.System.from_equations(
        "flow", {"x": "a*x - y - x*(x**2+y**2)", "y": "x + a*y - y*(x**2+y**2)"}, {"a": -0.5}
    )
    branch = gb.trace(gb.point(flow, {"x": 0, "y": 0}), {"a": (-1, 1)})
    ax = gb.figures.spectrum_path(branch, ax=new())
    # The normal form of the Hopf bifurcation has eigenvalues a +- i: the pair crosses at +- i.
    assert "H1" in texts(ax)
    marks = {
        (round(float(x.get_xdata()[0]), 9), round(float(x.get_ydata()[0]), 9))
        for x in ax.lines
        if x.get_marker() == "o"
    }
    assert marks == {(0.0, 1.0), (0.0, -1.0)}


def test_the_spectral_radius_meets_the_threshold_at_the_named_crossing(dirac: gb.System) -> None:
    branch = gb.trace(gb.point(dirac), {"eta_d": (0.05, 4.0)})
    ax = gb.figures.spectral_radius(branch, ax=new())
    (mark,) = [line for line in ax.lines if line.get_marker() == "o"]
    # Dirac-GAN with R1, simultaneous: eta f'(0)^2 = gamma, so eta = 0.3 * 4, and there the radius is 1.
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == pytest.approx((1.2, 1.0), abs=1e-9)
    assert ax.get_ylabel().startswith("spectral radius")


def test_a_curve_is_dashed_where_it_is_subcritical(dirac: gb.System) -> None:
    game = gb.models.dirac_gan(gamma=1.5)
    system = gb.tie(gb.system(game, gb.Simultaneous(), eta_d=0.2), eta_g="eta_d")
    flip = gb.trace(gb.point(system), {"eta_d": (0.05, 4.0)})["PD1"]
    assert flip.criticality == "subcritical"
    curve = gb.trace(flip, {"eta_d": (0.05, 4.0), "gamma": (1.1, 2.0)})
    ax = gb.figures.bifurcation_set(curve, ax=new())
    assert {line.get_linestyle() for line in ax.lines if len(line.get_xdata()) > 2} == {"--"}
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["flip (subcritical)"]


def test_axes_are_logarithmic_where_values_span_decades(dirac: gb.System) -> None:
    branch = gb.trace(gb.point(dirac), {"eta_d": gb.log_range(0.01, 4.0)})
    assert gb.figures.spectral_radius(branch, ax=new()).get_xscale() == "log"


def test_minor_ticks_and_places_of_axes_are_those_of_matplotlib() -> None:
    def drawn(own: bool) -> tuple[np.ndarray, np.ndarray]:
        with mpl.rc_context(STYLE):
            whole, axes = gb.figures.figure("page", 0.3, 1, 3)
            for k, ax in enumerate(axes):
                ax.plot([0.02, 7.0], [2e-3, 3.0 + k])
                ax.set(xscale="log", yscale="log", xlim=(0.01, 10.0), title="A panel", xlabel="$x$", ylabel="$y$")
            whole.legend(handles=axes[0].lines, labels=["a\nline"], loc="outside lower center")
            axes[1].tick_params(labelleft=False)
            ticks = [ax.yaxis.get_minor_locator() for ax in axes]
            for ax, minor in zip(axes, ticks, strict=True):
                tidy(ax)
                if not own:
                    ax.artists[-1].remove()
                    ax.yaxis.set_minor_locator(minor)
                    ax.yaxis.set_tick_params(which="minor", label1On=False)
            if own:
                lay_out(whole)
                whole.set_layout_engine(None)
            whole.canvas.draw()
            return np.array([ax.get_position().bounds for ax in axes]), np.asarray(whole.canvas.buffer_rgba()).copy()

    (places, picture), (theirs, expected) = drawn(True), drawn(False)
    # Matplotlib's own layout measures everything twice, and each of its minor ticks is an object; half a pixel is 6e-4.
    assert places == pytest.approx(theirs, abs=6e-4)
    # Without any minor tick a thousandth differs.
    assert np.mean(picture != expected) < 2e-4


def test_a_regime_map_has_a_patch_and_a_number_for_every_large_regime(rmap) -> None:
    ax = gb.figures.regime_map(rmap, ax=new(0.95))
    assert len(ax.patches) == len(rmap.faces)
    large = {str(f.number) for f in rmap.faces if f.area > 0.05}
    assert large <= set(texts(ax))
    assert (ax.get_xlim(), ax.get_ylim()) == ((0.05, 6.0), (0.05, 2.0))
    words = {t.get_text().split(",")[0] for t in ax.get_legend().get_texts()}
    assert {f.verdict for f in rmap.faces} <= words


def test_the_graph_names_every_border_and_sizes_nodes_by_area(rmap) -> None:
    ax = gb.figures.regime_graph(rmap, ax=new())
    assert len(ax.collections) == rmap.graph.number_of_nodes()
    shown = " ".join(texts(ax))
    assert all(b.label in shown for b in rmap.borders)
    sizes = [float(c.get_sizes()[0]) for c in ax.collections]
    order = np.argsort([rmap.graph.nodes[n]["area"] for n in rmap.graph])
    assert list(np.argsort(sizes)) == list(order)


def test_a_vector_field_marks_stable_and_unstable_equilibria() -> None:
    flow = gb.System.from_equations("flow", {"x": "x - x**3", "y": "-y"})
    ax = gb.figures.vector_field(flow, window={"x": (-2, 2), "y": (-1, 1)}, ax=new())
    # x' = x - x^3 has sinks at +-1 and a saddle between them.
    marks = {round(float(m.get_xdata()[0])): to_hex(m.get_markerfacecolor()) for m in ax.lines if m.get_marker() == "o"}
    assert marks == {-1: "#000000", 0: "#ffffff", 1: "#000000"}


def test_the_field_of_a_game_has_the_generator_along_x_and_its_orbits(dirac: gb.System) -> None:
    orbit = gb.simulate(dirac, {"psi": 1.0, "theta": 1.0}, steps=50)
    ax = gb.figures.vector_field(dirac, orbit, ax=new())
    assert ax.get_xlabel() == r"$\theta$"
    assert any(len(line.get_xdata()) == 51 for line in ax.lines)


def test_the_heat_map_shows_three_panels_and_the_unstable_region() -> None:
    axes = gb.figures.figure("page", 0.44, 1, 3)[1]
    words = {"published": "published formula", "threshold": "unstable"}
    drawn = gb.figures.heat_map(kernel_radii(cells=40), threshold=1.0, contour="rotating", labels=words, axes=axes)
    assert [ax.get_title() for ax in drawn] == ["published formula", "one point", "two points"]
    assert [ax.get_xscale() for ax in drawn] == ["log"] * 3
    shown = [t.get_text() for t in drawn[0].figure.legends[0].get_texts()]
    assert shown == ["unstable", "rotating (white)"]


ORDERS = Table(
    {"order": [1.0, 2.0, 4.0, 1.0, 2.0, 4.0], "fault": [1e-1, 1e-2, -1.0, 1e-2, 1e-4, 1e-8], "kind": list("aaabbb")}
)


def test_lines_are_told_apart_by_a_column() -> None:
    ax = gb.figures.lines(ORDERS, "order", "fault", group=["kind"], log="xy", labels={"fault": "error"}, ax=new())
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_ylabel()) == ("log", "log", "error")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b"]
    first, second = (line.get_ydata() for line in ax.lines)
    assert second.tolist() == [1e-2, 1e-4, 1e-8]
    # A logarithmic axis has no place for what is not positive.
    assert np.isnan(first[2])


def test_rows_of_a_field_are_lines_in_panels() -> None:
    steps = np.arange(5.0)
    table = Table(
        {"eta": [0.1, 0.1, 0.2], "lam": [1.0, 2.0, 1.0]},
        axes={"run": [0, 1, 2], "step": steps},
        fields={"square": np.outer([1.0, 2.0, 3.0], steps)},
    )
    drawn = gb.figures.lines(table, "step", "square", group=["lam"], panel=["eta"], width="page")
    panels = [ax for ax in drawn.axes if ax.get_visible()]
    assert [ax.get_title() for ax in panels] == [r"$\eta$ = 0.1", r"$\eta$ = 0.2"]
    assert [len(ax.lines) for ax in panels] == [2, 1]
    assert panels[1].lines[0].get_ydata().tolist() == (3 * steps).tolist()
    # The same lam looks alike in every panel.
    assert panels[0].lines[0].get_color() == panels[1].lines[0].get_color() != panels[0].lines[1].get_color()


def test_several_runs_have_a_panel_for_each_state_and_one_run_has_one(dirac: gb.System) -> None:
    run = gb.simulate(dirac, {"psi": 1.0, "theta": 1.0}, steps=50)
    (alone,) = gb.figures.time_series(run, axes=new())
    assert [line.get_label() for line in alone.lines] == [r"$\psi$", r"$\theta$"]
    axes = gb.figures.figure("column", 0.9, 2, 1)[1]
    both = gb.figures.time_series({"first": run, "second": run}, ["theta", "psi"], axes=axes)
    assert [ax.get_ylabel() for ax in both] == [r"$\theta$", r"$\psi$"]
    assert both[0].lines[1].get_ydata().tolist() == run["theta"].tolist()
    assert both[1].get_xlabel() == "step"


def test_a_landscape_has_contours_a_colour_bar_and_orbits_on_top(dirac: gb.System) -> None:
    grid = np.linspace(-2, 2, 21)
    table = Table(axes={"psi": grid, "theta": grid}, fields={"value": np.add.outer(grid**2, 2 * grid)})
    run = gb.simulate(dirac, {"psi": 1.0, "theta": 1.5}, steps=50)
    ax = gb.figures.landscape(table, "value", {"training": run}, x="theta", labels={"value": "value $J$"}, ax=new())
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"$\theta$", r"$\psi$")
    start = next(line for line in ax.lines if line.get_marker() == "o")
    assert (start.get_xdata()[0], start.get_ydata()[0]) == (1.5, 1.0)
    assert [a.get_ylabel() for a in ax.figure.axes if a is not ax] == ["value $J$"]
    # psi^2 + 2 theta goes from -4 to 8.
    low, high = ax.collections[0].get_clim()
    assert low <= -4 < 8 <= high


def test_cells_by_category_have_a_colour_and_a_word_each() -> None:
    table = Table(axes={"a": [0, 1, 2], "b": [0, 1]}, fields={"outcome": [[0, 1], [1, 1], [0, 2]]})
    (ax,) = gb.figures.heat_map(table, categories=["works", "collapses", "runs away"], axes=new())
    shown = [t.get_text() for t in ax.figure.legends[0].get_texts()]
    assert shown == ["works", "collapses", "runs away"]
    # Cells reach half a step beyond the outer places.
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 2.5), (-0.5, 1.5))
    with pytest.raises(gb.MisuseError, match="whole numbers from 0 to 1, but got 2"):
        gb.figures.heat_map(table, categories=["works", "collapses"], axes=new())


def test_eight_panels_take_two_rows_and_do_not_overlap() -> None:
    names = [f"rule {k}" for k in range(8)]
    table = Table(axes={"a": [0, 1, 2], "b": [0, 1]}, fields={n: np.eye(3, 2) for n in names})
    drawn = gb.figures.heat_map(table, names)
    figure = drawn[0].figure
    figure.canvas.draw()
    boxes = [ax.get_tightbbox() for ax in drawn]
    assert len(drawn) == 8
    assert not any(p.overlaps(q) for p, q in itertools.combinations(boxes, 2))
    assert len({round(ax.get_position().y0, 3) for ax in drawn}) == 2


def test_equilibria_whose_spectrum_does_not_decide_are_half_filled() -> None:
    centre = gb.System.from_equations("flow", {"x": "-y + x**2/7", "y": "x"})
    circle = gb.System.from_equations("flow", {"x": "x*(1 - x**2 - y**2)", "y": "y*(1 - x**2 - y**2)"})
    for system, state in ((centre, (0.0, 0.0)), (circle, (0.6, 0.8))):
        # Eigenvalues +-i, and 0 and -2: rounding would call either stable or not.
        ax = gb.figures.vector_field(system, equilibria=[gb.point(system, state)], ax=new())
        assert [line.get_fillstyle() for line in ax.lines] == ["bottom"]
        assert [t.get_text() for t in ax.get_legend().get_texts()] == ["equilibrium, neutral"]
    repelling = gb.System.from_equations("flow", {"x": "x", "y": "-y"})
    ax = gb.figures.vector_field(repelling, equilibria=[gb.point(repelling, (0, 0))], ax=new())
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["equilibrium, not stable"]


def test_long_lines_are_thinned_to_what_a_page_resolves() -> None:
    y = np.zeros(100_001)
    y[77_777] = 5.0
    x, shown = thinned(np.arange(100_001.0), y)
    assert len(x) <= 4000
    assert x[shown == 5.0].tolist() == [77_777.0]


def test_figures_are_saved_as_svg_and_png_and_are_the_same_every_time(fixed: gb.Branch, tmp_path: Path) -> None:
    once = gb.figures.save(gb.figures.bifurcation_diagram(fixed, ax=new()), tmp_path / "a")
    again = gb.figures.save(gb.figures.bifurcation_diagram(fixed, ax=new()), tmp_path / "b")
    assert [p.suffix for p in once] == [".svg", ".png"]
    assert once[0].read_bytes() == again[0].read_bytes()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_one_drawing_makes_the_files_that_matplotlib_makes_by_two(tmp_path: Path) -> None:
    drawn, ax = gb.figures.figure(aspect=0.55)
    ax.plot([0.2, 1.0, 3.0], [1.0, 4.0, 2.0], marker="o", ls=(0, (4, 2)), label=r"a line, $\eta_{d}$")
    ax.fill([0.5, 2.0, 2.5], [1.0, 1.5, 3.0], hatch="xx", fc="white", ec="red", gid="regime-1")
    ax.scatter([0.5, 1.5, 9.0], [3.0, 3.5, 3.0], s=[20.0, 90.0, 30.0], c=["red", "blue", "green"])
    ax.pcolormesh([1.0, 2.0], [2.0, 2.5], [[1.0]], rasterized=True)
    ax.annotate("a note", (1.0, 4.0), xytext=(12.0, -9.0), textcoords="offset points", arrowprops={"arrowstyle": "->"})
    ax.set(xlim=(0.1, 5.0), ylabel="rotated")
    ax.legend()
    svg, png = gb.figures.save(drawn, tmp_path / "own")
    with mpl.rc_context(STYLE):
        drawn.set_layout_engine(None)
        drawn.savefig(tmp_path / "theirs.svg", metadata={"Date": None})
        drawn.savefig(tmp_path / "theirs.png")
    assert np.array_equal(plt.imread(png), plt.imread(tmp_path / "theirs.png"))
    own, theirs = (_shapes(path.read_text()) for path in (svg, tmp_path / "theirs.svg"))
    assert [tag for tag, _ in own] == [tag for tag, _ in theirs]
    assert "image" in [tag for tag, _ in own]
    for (_, mine), (_, other) in zip(own, theirs, strict=True):
        for name, values in mine.items():
            # In points. Words are as large as their pixels for the one, as their outlines for the other.
            assert values == pytest.approx(other[name], abs=1.2 if name == "transform" else 0.3)


def _shapes(svg: str) -> list[tuple[str, dict[str, list[float]]]]:
    found = re.findall(r"<(path|use|rect|image)([^>]*)", svg)
    places = [(tag, re.findall(r'\b(d|x|y|width|height|transform)="([^"]*)"', text)) for tag, text in found]
    return [(tag, {k: [float(v) for v in re.findall(r"-?\d[\d.]*", text)] for k, text in all_}) for tag, all_ in places]


def test_without_axes_a_figure_of_pyplot_is_made(fixed: gb.Branch) -> None:
    ax = gb.figures.bifurcation_diagram(fixed)
    assert isinstance(ax.figure, Figure)
    assert ax.figure.number in plt.get_fignums()
    plt.close(ax.figure)


def test_misuse_is_one_sentence(fixed: gb.Branch, henon: gb.System) -> None:
    with pytest.raises(gb.MisuseError, match="at least one branch"):
        gb.figures.bifurcation_diagram([])
    with pytest.raises(gb.UnknownNameError, match="Did you mean 'x'"):
        gb.figures.vector_field(henon, states=("X", "y"))
    with pytest.raises(gb.MisuseError, match="same two parameters"):
        gb.figures.bifurcation_set(fixed)
    with pytest.raises(gb.UnknownNameError, match="Did you mean 'column'"):
        gb.figures.figure("colum")


def test_misuse_of_tables_is_one_sentence(dirac: gb.System) -> None:
    field = Table(axes={"a": [0, 1], "b": [0, 1]}, fields={"z": [[0, 1], [2, 3]]})
    run = gb.simulate(dirac, {"psi": 1.0, "theta": 1.0}, steps=5)
    for draw, sentence in [
        (lambda: gb.figures.lines(ORDERS, "order", "faults"), "Did you mean 'fault'"),
        (lambda: gb.figures.lines(ORDERS, "order", "kind"), "holds text; lines are drawn of numbers"),
        (lambda: gb.figures.lines(ORDERS, "order", "fault", group=["kinds"]), "Did you mean 'kind'"),
        (lambda: gb.figures.lines(field, "a", "z"), "against its second axis 'b', not 'a'"),
        (lambda: gb.figures.lines(Table({"x": [], "y": []}), "x", "y"), "nothing to draw"),
        (lambda: gb.figures.landscape(field, "w"), "Unknown field of the table 'w'"),
        (lambda: gb.figures.landscape(field, "z", x="c"), "Unknown axis of the table 'c'"),
        (lambda: gb.figures.landscape(field, "z", log="z"), "positive values, but 'z' goes down to 0"),
        (lambda: gb.figures.landscape(field, "z", {"run": run}), "Unknown state of 'run' 'a'"),
        (lambda: gb.figures.landscape(ORDERS, "z"), "needs a table with two axes"),
        (lambda: gb.figures.time_series(run, ["omega"]), "Unknown state 'omega'"),
    ]:
        with pytest.raises(gb.MisuseError, match=sentence):
            draw()


def test_names_become_mathematics() -> None:
    assert math_name("eta_g") == r"$\eta_{g}$"
    assert math_name("x1_2") == "$x_{1,2}$"


def test_a_legend_says_what_the_fifth_order_decides() -> None:
    """x -> -(1 + a) x + c x^5 flips at a = 0 with a vanishing cubic coefficient; two-cycles a = c x^4 lie beyond it."""
    flip = gb.System.from_equations("map", {"x": "-(1 + a)*x + c*x**5"}, {"a": -0.1, "c": 1.0})
    window = {"a": (-0.5, 0.5), "c": (0.5, 2.0)}
    curve = gb.trace(gb.trace(gb.point(flip, {"x": 0.0}), {"a": (-0.5, 0.5)})["PD1"], window)
    legend = gb.figures.bifurcation_set(curve, ax=new()).get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["flip (supercritical at fifth order)"]


def test_a_path_with_a_suffix_is_a_path_without(fixed: gb.Branch, tmp_path: Path) -> None:
    written = gb.figures.save(gb.figures.bifurcation_diagram(fixed, ax=new()), tmp_path / "a.b.png")
    assert [path.name for path in written] == ["a.b.svg", "a.b.png"]
