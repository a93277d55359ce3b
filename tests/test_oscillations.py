"""Circles and tongues in studies, figures, reports, on the command line and in PyDSTool."""

import json
import shutil
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

import gan_bifurcation as gb
from gan_bifurcation.cli import main
from gan_bifurcation.errors import Outcome
from gan_bifurcation.figures.bands import band
from gan_bifurcation.figures.cycles import modes
from gan_bifurcation.figures.polylines import extremes
from gan_bifurcation.interop._builder import missing_tools
from gan_bifurcation.studies.beginnings import begin_at, begin_on, hold_period
from gan_bifurcation.studies.reading import parse_study, read_study

mpl.use("Agg")

STUDY = Path(__file__).parent / "oscillations.toml"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("oscillations")
    shutil.copy(STUDY, folder)
    return gb.run_study(folder / STUDY.name, folder / "out")


@pytest.fixture(scope="module")
def circles(results) -> gb.Branch:
    return results["circles"]


def axes(count: int = 1):
    return gb.figures.figure("page", 0.45, 1, count)[1]


def cycles(turns: int = 6) -> gb.Branch:
    """Cycles of radius sqrt(a) and period 2 pi/(1 + a), written down and not traced: unstable beyond a = 1/2."""
    system = gb.System.from_equations(
        "flow", {"x": "a*x - (1 + a)*y - x*(x**2 + y**2)", "y": "(1 + a)*x + a*y - y*(x**2 + y**2)"}, {"a": 0.5}
    )
    a = np.linspace(0.1, 0.9, turns)
    mesh = np.linspace(0, 1, 11)
    phases = np.linspace(0, 1, 41)
    curve = np.column_stack([np.cos(2 * np.pi * phases), np.sin(2 * np.pi * phases)])
    profiles = tuple(gb.Profile(phases, np.sqrt(v) * curve, period=2 * np.pi / (1 + v), mesh=mesh) for v in a)
    other = np.where(a > 0.5, 1.5, 0.5)
    at = system.with_parameters(a=0.5)
    flip = gb.Point(
        at, np.array([np.sqrt(0.5), 0.0]), np.array([1.0, -1.0 + 0j]), "PD", "PD1", free=("a",), index=2.5,
        profile=gb.Profile(phases, np.sqrt(0.5) * curve, period=2 * np.pi / 1.5, mesh=mesh),
    )  # fmt: skip
    told = Outcome("window", "Reached the edge of the window.", True)
    return gb.Branch(
        system, ("a",), "cycles", a[:, None], np.column_stack([np.sqrt(a), 0 * a]),
        np.column_stack([np.ones_like(a), other]).astype(complex), (a > 0.5).astype(np.int64), (flip,), (told, told),
        measures={
            "period": 2 * np.pi / (1 + a), **{f"min_{s}": -np.sqrt(a) for s in "xy"},
            **{f"max_{s}": np.sqrt(a) for s in "xy"},
        },
        profiles=profiles,
    )  # fmt: skip


# -- studies ----------------------------------------------------------------------------------------------------------


def test_a_branch_from_an_ns_point_is_of_circles_and_its_claims_hold(results, circles: gb.Branch) -> None:
    assert circles.curve == "circles"
    assert [c.agrees for c in results.claims] == [True] * 6
    # Fixed points x = r x (1 - x) + e lose stability where r x = 1; tongues of 1/6 begin at r = 2.
    assert results["fixed"]["NS1"].parameters["r"] == pytest.approx(2 / 1.02, abs=1e-10)
    assert results["locked"][0].tip.parameters == pytest.approx({"r": 2.0, "e": 0.0}, abs=1e-10)
    # At fixed rotation number, over two parameters.
    turn = results["same-turn"].column("rotation_number")
    assert np.ptp(turn) < 1e-12
    assert turn[0] == pytest.approx(circles["UZ1"].rotation_number, abs=1e-12)


def test_a_branch_from_a_run(results, circles: gb.Branch) -> None:
    settled = results["settled"]
    assert settled.curve == "circles"
    k = int(np.argmin(np.abs(settled.column("r") - 2.03)))
    # The branch from the Neimark-Sacker point passes the same circle.
    assert settled.column("r")[k] == pytest.approx(2.03, abs=1e-12)
    assert settled.column("rotation_number")[k] == pytest.approx(circles["UZ1"].rotation_number, abs=1e-10)


def test_the_command_line_begins_at_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["trace", "kernel_gan", "--setting", "sigma=0.5", "--set", "eta_d=0.5"]
    for more, said in (
        (["--set", "eta_g=1.8", "--free", "eta_g=1.79:1.81", "--orbit", "x1=0.1"], "points of circles over eta_g"),
        (["--set", "eta_g=0.5", "--free", "eta_g=0.4:0.6", "--orbit", "x1=0.1"], "settled on a fixed point"),
        (["--set", "eta_g=1.25", "--free", "eta_g=1.2:1.3", "--orbit", "x1=0.1"], "repeats every 4 steps"),
        (["--set", "eta_g=2.6", "--free", "eta_g=2.5:2.7", "--orbit", "x1=0.1"], "settled on no cycle or circle: "),
        (["--free", "eta_g=0.4:0.6", "--orbit", "x1=0.1", "--length", "2.5"], "whole number of steps"),
        (["--free", "eta_g=0.4:0.6", "--orbit", "z=0.1"], "Unknown state 'z'"),
        (["--free", "eta_g=0.4:0.6", "--length", "10"], "--length belongs to --orbit"),
    ):
        with pytest.raises(SystemExit):
            main([*words, *more])
        shown = capsys.readouterr()
        assert said in shown.out + shown.err
    pol = gb.System.from_equations("flow", {"x": "y", "y": "(1 - x**2)*y - x"})
    run = gb.simulate(pol, [2.0, 0.0], duration=50)
    # The period of van der Pol's equation at mu = 1 (Buonomo 1998: 6.66329).
    assert begin_on(run, intervals=20).profile.period == pytest.approx(6.66329, abs=1e-4)


def test_circles_and_tongues_come_back_from_disk(results) -> None:
    loaded = gb.load(results.folder)
    one, two = results["locked"][0], loaded["locked"][0]
    assert (two.rotation, two.order, two.outcome) == (one.rotation, one.order, one.outcome)
    assert np.array_equal(two.edges[1].parameters, one.edges[1].parameters)
    assert list(loaded.tongues) == ["locked"]
    assert loaded["circles"].profiles[3].rotation_number == results["circles"].profiles[3].rotation_number
    broken = results.folder.parent / "broken"
    shutil.copytree(results.folder, broken)
    (broken / "tongues" / "locked" / "tongues.json").write_text("[{}]")
    with pytest.raises(gb.ResultsError, match="damaged"):
        gb.load(broken)["locked"]
    # A damaged part is computed again, everything else is kept.
    events = []
    gb.run_study(results.folder.parent / STUDY.name, broken, progress=events.append)
    assert [e.part for e in events if e.event == "done"] == ["tongues-locked"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('from = "fixed:NS1"\namplitude', "amplitude", "'amplitude' and 'intervals' belong"),
        ('of = "ns"', 'of = "nowhere"', "part of the study"),
        ('rotations = ["1/6"]', 'rotations = ["sixth"]', "rotations"),
        ('orbit = "run"\nfree', 'orbit = "fixed"\nfree', "names an .*orbit.*, but 'fixed' is a branch"),
        ('orbit = "run"\nfree', 'orbit = "run"\nstart = {x = 1}\nfree', "takes all from that run"),
        ('states = ["y", "x"]', 'states = ["y"]', "plane of two"),
        ('against = "circles:UZ1"', 'against = "nothing:UZ1"', "part of the study"),
    ],
)
def test_faults_of_a_study_are_said(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = STUDY.read_text()
    assert old in text
    (tmp_path / "s.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(gb.StudyFileError, match=said):
        gb.run_study(tmp_path / "s.toml", tmp_path / "out")


def test_what_begins_at_a_point(results, circles: gb.Branch) -> None:
    assert begin_at(results["fixed"]["NS1"]).kind == "circle"
    with pytest.raises(gb.MisuseError, match="an H \\(cycles\\) or an NS"):
        begin_at(circles["UZ1"])
    with pytest.raises(gb.MisuseError, match="'intervals' belongs to what begins at an H"):
        begin_at(results["fixed"]["NS1"], intervals=20)
    with pytest.raises(gb.MisuseError, match="this run is of a map"):
        begin_on(gb.simulate(circles.system, [0.6, 0.5], steps=100), intervals=20)
    with pytest.raises(gb.MisuseError, match="begins at a cycle"):
        hold_period(circles["UZ1"])


def test_the_shipped_study_can_be_read() -> None:
    study = read_study("oscillations").study
    assert {t.name for t in study.tongues} == {"logistic-tongues"}
    words = 'value = "rotation_number"\nagainst = "circles:UZ1"\nexpected = "rotation_number"'
    with pytest.raises(gb.StudyFileError, match="add 'expected'"):
        parse_study(STUDY.read_text().replace(words, 'verdict = "oscillates"\nagainst = "circles:UZ1"'), "s", None)


# -- figures ----------------------------------------------------------------------------------------------------------


def test_a_band_reaches_from_the_least_to_the_largest_value(circles: gb.Branch) -> None:
    shown = band(circles, "x")
    k = int(np.argmin(np.abs(shown.parameter - 2.03)))
    # A simulation of 20 000 steps, half of them on the circle.
    orbit = gb.simulate(circles.system.with_parameters(r=2.03), [0.6, 0.5], steps=20_000)["x"][10_000:]
    assert [shown.low[k], shown.high[k]] == pytest.approx([orbit.min(), orbit.max()], abs=1e-6)
    assert shown.stable.all()
    assert extremes(cycles().profiles[0], 0) == pytest.approx((-np.sqrt(0.1), np.sqrt(0.1)), abs=2e-6)


def test_stability_of_a_band_changes_at_the_special_point() -> None:
    ax = gb.figures.bifurcation_diagram(cycles(), "x", ax=axes())
    solid = [line for line in ax.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 1]
    # Stable up to the flip at 1/2; both edges.
    assert [max(line.get_xdata()) for line in solid] == [0.5, 0.5]
    assert len(ax.patches) == 2
    assert "PD1" in [t.get_text() for t in ax.texts]


def test_tongues_are_marks_on_the_band_with_an_entry_in_the_legend(results, circles: gb.Branch) -> None:
    ax = gb.figures.bifurcation_diagram([results["fixed"], circles], ax=axes())
    words = [t.get_text() for t in ax.get_legend().get_texts()]
    assert {"circles", "locked (tongue)", "stable", "unstable"} <= set(words)
    assert {"1:6", "NS1"} <= {t.get_text() for t in ax.texts}


@pytest.mark.parametrize("axis", ["rotation_number", "period"])
def test_what_turns_can_be_the_axis(axis: str, results, circles: gb.Branch) -> None:
    branch = circles if axis == "rotation_number" else cycles()
    ax = gb.figures.bifurcation_diagram(branch, axis, ax=axes())
    assert ax.get_ylabel() == axis.replace("_", " ")
    drawn = np.concatenate([line.get_ydata() for line in ax.lines if len(line.get_xdata()) > 2])
    assert drawn.max() == pytest.approx(branch.column(axis).max())
    with pytest.raises(gb.MisuseError, match="None of the branches has"):
        gb.figures.bifurcation_diagram(results["fixed"], axis, ax=axes())


def test_profiles_are_closed_and_coloured_by_the_parameter() -> None:
    left, right = gb.figures.profiles(cycles(), count=4, axes=axes(2))
    assert len(left.lines) == 4
    for line in left.lines:
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (line.get_xdata()[-1], line.get_ydata()[-1])
    assert len({line.get_color() for line in left.lines}) == 4
    # Beyond a = 1/2 they are unstable.
    assert [line.get_linestyle() for line in left.lines] == ["-", "-", "--", "--"]
    assert right.get_ylabel() == "length of interval (turns)"
    assert np.hypot(*left.lines[-1].get_xydata().T) == pytest.approx(np.full(601, np.sqrt(0.9)), abs=1e-4)


def test_fourier_modes_fall(circles: gb.Branch) -> None:
    ax = gb.figures.resolution(circles, ax=axes())
    assert ax.get_xlabel() == "Fourier mode"
    sizes = modes(circles.point(len(circles) - 1))
    # The trace keeps as many modes as it takes to reach 1e-9.
    assert sizes[0] == 1.0
    assert sizes[-1] < 1e-8


def test_a_staircase_is_flat_inside_a_tongue(circles: gb.Branch) -> None:
    ax = gb.figures.staircase(circles, ax=axes())
    form = circles["1:6"].normal_form
    line = ax.lines[0].get_xydata()
    inside = line[(line[:, 0] >= form["low"]) & (line[:, 0] <= form["high"])]
    assert len(inside) == 2
    assert inside[:, 1] == pytest.approx([1 / 6, 1 / 6], abs=1e-15)
    # The rotation number falls with r all along.
    assert np.all(np.diff(line[:, 1]) <= 0)
    with pytest.raises(gb.MisuseError, match="invariant circles"):
        gb.figures.staircase(cycles(), ax=axes())


def test_tongues_are_filled_from_their_tip(results) -> None:
    ax = gb.figures.tongues(results["locked"], results["ns"], ax=axes())
    (patch,) = ax.patches
    # It begins at the tip, r = 2 and e = 0.
    assert patch.get_xy()[0] == pytest.approx([2.0, 0.0], abs=1e-10)
    assert "1/6" in [t.get_text() for t in ax.texts]
    with pytest.raises(gb.MisuseError, match="same two parameters"):
        gb.figures.tongues(results["locked"], results["circles"], ax=axes())


def test_profiles_of_what_has_none_are_refused(results) -> None:
    for wrong, said in ((results["fixed"], "cycles or invariant circles"), ([], "at least one")):
        with pytest.raises(gb.MisuseError, match=said):
            gb.figures.profile(wrong, ax=axes())
    with pytest.raises(gb.MisuseError, match="all of cycles or all of circles"):
        gb.figures.profile([cycles(), results["circles"]], ax=axes())
    with pytest.raises(gb.MisuseError, match="Did you mean"):
        gb.figures.profile(results["circles"], ["x", "Y"], ax=axes())


def test_the_spectrum_of_cycles_leaves_the_trivial_multiplier_out() -> None:
    ax = gb.figures.spectral_radius(cycles(), ax=axes())
    drawn = np.concatenate([line.get_ydata() for line in ax.lines if len(line.get_xdata()) > 2])
    # 1/2 and 3/2 by construction, and the flip at -1.
    assert set(drawn[np.isfinite(drawn)].tolist()) == {0.5, 1.0, 1.5}
    assert isinstance(gb.figures.spectrum_path(cycles(), ax=axes()).figure, Figure)


# -- report and command line ------------------------------------------------------------------------------------------


def test_the_report_has_circles_gaps_and_tongues(results) -> None:
    gb.write_report(results, results.folder)
    for name in ("report.html", "report.md"):
        text = (results.folder / name).read_text()
        assert "Cycles and circles" in text
        assert "Arnold tongues" in text
        assert "both edges" in text
        # Both edges of the gap, as they stand in the branch.
        form = results["circles"]["1:6"].normal_form
        assert f"{form['low']:.10g}" in text
        assert f"rotation number {results['circles']['UZ1'].rotation_number:.10g}" in text


def test_the_command_line_goes_on_to_circles(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    # Dirac-GAN with an R1 penalty: a Neimark-Sacker point at gamma/f'(0)^2 = 1.2 (Mescheder et al. 2018).
    words = ["trace", "dirac_gan", "--set", "gamma=0.3", "--tie", "eta_g=eta_d", "--free", "eta_d=1.0:1.3"]
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--switch", "NS1", "--figure", str(tmp_path / "figure"), "--json"])
    assert stopped.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert said["curve"] == "circles"
    assert said["points"]["eta_d"][0] == pytest.approx(1.2, abs=1e-3)
    # At the point the angle is that of the multiplier: cos(theta) = 1 - gamma eta/2.
    assert said["points"]["rotation_number"][0] == pytest.approx(np.arccos(1 - 0.3 * 1.2 / 2) / (2 * np.pi), abs=1e-3)
    assert (tmp_path / "figure.png").exists()
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--switch", "PD1"])
    assert stopped.value.code == 2
    assert "special point" in capsys.readouterr().err


# -- PyDSTool ---------------------------------------------------------------------------------------------------------


def test_cycles_and_circles_are_pointsets(circles: gb.Branch) -> None:
    shown = cycles()
    one = gb.to_pointset(shown.point(0))
    assert one["t"][-1] == pytest.approx(2 * np.pi / 1.1)
    assert np.hypot(one["x"], one["y"]) == pytest.approx(np.full(41, np.sqrt(0.1)))
    table = gb.to_pointset(shown)
    assert sorted(table.coordnames) == ["_T", "a", "x_max", "x_min", "y_max", "y_min"]
    assert len(table) == len(shown) + 1
    labels = [point.labels for point in table]
    assert [entry["LC"]["stab"] for entry in labels] == ["S", "S", "S", "N", "U", "U", "U"]
    assert labels[3]["PD"]["cycle"]["t"][-1] == pytest.approx(2 * np.pi / 1.5)
    turning = gb.to_pointset(circles)
    assert turning["_rho"][0] == circles.point(0).rotation_number
    closed = gb.to_pointset(circles.point(0))
    assert closed["x"][0] == pytest.approx(closed["x"][-1], abs=1e-14)
    with pytest.raises(gb.MisuseError, match="no cycle or circle"):
        gb.to_pointset(gb.point(circles.system, [0.5, 0.5]))
    with pytest.raises(gb.MisuseError, match="no curve of circles"):
        gb.to_contclass(circles)


def test_without_a_compiler_pycont_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_bifurcation.interop._builder.missing_tools", lambda: ("a C compiler",))
    with pytest.raises(gb.GanBifurcationError, match=r"compiles AUTO .* needs a C compiler"):
        gb.to_contclass(cycles())


@pytest.mark.slow
@pytest.mark.usefixtures("built_in_haste")
@pytest.mark.skipif(bool(missing_tools()), reason="AUTO cannot be compiled here")
def test_pycont_goes_on_with_a_branch_of_cycles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # AUTO writes its log into the current folder.
    monkeypatch.chdir(tmp_path)
    curves = gb.to_contclass(cycles())
    curves["LC"].MaxNumPoints = 12
    curves["LC"].forward()
    a, period = (np.array(curves["LC"].sol[name]) for name in ("a", "_T"))
    # Our seven points, then AUTO's: the period is 2 pi/(1 + a), the radius sqrt(a).
    assert len(a) == 7 + 11
    assert a[-1] > 1.0
    assert period == pytest.approx(2 * np.pi / (1 + a), abs=1e-6)
