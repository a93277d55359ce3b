"""Reports: complete, self-contained, escaped, well formed."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import gan_bifurcation as gb
from gan_bifurcation.reports.answers import answers
from gan_bifurcation.reports.content import _curve
from gan_bifurcation.reports.equations import as_latex, equations_of

STUDY = """
title = "Two <b>rates</b> & a 'title'"
question = "Where does it converge? <script>alert(1)</script> | pipe"
[system]
model = "dirac_gan"
settings = {gamma = 0.3}
rule = "simultaneous"
tie = {eta_g = "eta_d"}
[[branch]]
name = "rates"
parameters = {eta_d = 0.2}
free = {eta_d = [0.05, 4.0]}
[[curve]]
name = "ns"
from = "rates:NS1"
free = {eta_d = [0.05, 4.0], gamma = [0.05, 0.9]}
[[map]]
name = "window"
free = {eta_d = [0.05, 4.0]}
steps = 300
[[orbit]]
name = "run"
parameters = {eta_d = 0.2}
initial = {psi = 1.0, theta = 1.0}
steps = 100
[[table]]
name = "trainings"
of = "kernel_trainings"
[table.settings]
rates = [[0.1, 0.1]]
lam = [0.5, 1.0, 2.0]
sigma = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
steps = 20
at = 20
[[table]]
name = "radii"
of = "kernel_radii"
settings = {cells = 8}
[[figure]]
name = "radius"
kind = "spectral_radius"
of = ["rates"]
caption = "A <i>caption</i>"
[[claim]]
text = "It rotates at eta = gamma/f'(0)^2 <img src=x onerror=alert(1)>"
paper = "mescheder2018"
point = "rates:NS1"
value = "eta_d"
expected = "4*gamma"
"""


class Reader(HTMLParser):
    """Tags, text, and whether every element is closed."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("report")
    (folder / "study.toml").write_text(STUDY)
    found = gb.run_study(folder / "study.toml", folder / "out")
    gb.write_report(found, folder / "out")
    return found


@pytest.fixture(scope="module")
def page(results) -> Reader:
    reader = Reader()
    reader.feed((results.folder / "report.html").read_text())
    assert reader.open == []
    return reader


def test_everything_that_was_found_is_in_the_report(page: Reader) -> None:
    text = " ".join(page.text.split())
    for piece in (
        "NS1", "eta_d = 1.2", "supercritical", "Reached the edge of the window", "converges", "oscillates",
        "largest interval", "nearest border", "1 of 1 claims agree",
        "gan-bifurcation run study", "numpy", "Mescheder", "The orbit reached",
    ):  # fmt: skip
        assert piece in text


def test_the_page_needs_no_network(page: Reader) -> None:
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"link", "iframe", "object", "embed", "form"}
    # Its data, and the one script that links the drawings.
    assert [a for t, a in page.tags if t == "script"] == [{"type": "application/json", "id": "page-data"}, {}]
    for _, attributes in page.tags:
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/svg+xml;base64,", "#", "tables/"))
        assert not [name for name in attributes if name.startswith("on")]
    assert [a for t, a in page.tags if t == "img"]


def test_text_from_the_study_is_escaped(results, page: Reader) -> None:
    html = (results.folder / "report.html").read_text()
    assert "<script>alert" not in html
    assert "<b>rates</b>" not in html
    assert "Two <b>rates</b> & a 'title'" in page.text
    assert not [a for t, a in page.tags if t == "img" and a.get("src") == "x"]
    markdown = (results.folder / "report.md").read_text()
    assert "<script" not in markdown
    assert r"\| pipe" in markdown


def test_equations_are_mathml(page: Reader) -> None:
    tags = [tag for tag, _ in page.tags]
    assert tags.count("math") == 2
    assert "η" in page.text
    assert "γ" in page.text


def test_steps_with_expectations_are_shown_as_steps() -> None:
    # Alternating steps put the discriminator's expectation into the generator's: that is shown in two lines.
    game = gb.models.dirac_gan(sigma=0.5)
    shown, _ = equations_of(gb.system(game, gb.Alternating()))
    assert [e.text.partition(" = ")[0] for e in shown] == ["psi__1", "theta__2", "psi+", "theta+"]
    assert r"\psi^{(1)}" in shown[1].latex
    # A tied parameter is no state: it has no next value.
    tied, _ = equations_of(gb.tie(gb.system(game, gb.Alternating()), eta_g="eta_d"))
    assert tied[0].text == "eta_g = eta_d"
    assert tied[0].latex == r"\eta_{g} = \eta_{d}"


def test_words_are_upright_in_latex() -> None:
    system = gb.System.from_equations("map", {"x": "rate*x - lam"}, parameters={"rate": 0.5, "lam": 1.0})
    (shown,) = as_latex(system)
    assert shown == r"x^{+} = - \lambda + \mathrm{rate} x"


def test_it_can_be_printed_and_read_in_the_dark(results) -> None:
    html = (results.folder / "report.html").read_text()
    assert "@media print" in html
    assert "prefers-color-scheme: dark" in html


def test_tables_of_the_markdown_report_have_as_many_cells_as_heads(results) -> None:
    width = 0
    for line in (results.folder / "report.md").read_text().splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        assert cells == (width or cells)
        width = cells


def test_tables_are_shown_in_part_and_lie_beside_in_full(results, page: Reader) -> None:
    text = " ".join(page.text.split())
    # 3 strengths times 15 widths are 45 runs, of which a page shows 40.
    assert "5 more rows are left out here" in text
    assert "Squared distances from the true point in training with the exact kernel" in text
    assert "sigma from 0.01 to 1 (8)" in text
    links = [a["href"] for t, a in page.tags if t == "a" and a.get("href", "#")[0] != "#"]
    assert links == ["tables/trainings.csv"]
    lines = (results.folder / "tables" / "trainings.csv").read_text().splitlines()
    assert len(lines) == 46
    assert lines[0] == "eta_d,eta_g,lam,sigma,computed,expected,agrees,verdict"
    assert float(lines[1].split(",")[4]) == results["trainings"].columns["computed"][0]


def test_claims_have_their_sources_and_tolerances(page: Reader) -> None:
    text = " ".join(page.text.split())
    # Cells follow each other without a space: source, expected, computed; tolerance, agrees.
    assert "Mescheder et al. 20181.21.2" in text
    assert "1e-08yes" in text
    assert "Which Training Methods for GANs do actually Converge? (2018)" in text
    assert ("a", {"href": "#ref-mescheder2018"}) in page.tags
    assert ("li", {"id": "ref-mescheder2018"}) in page.tags


def test_where_the_criticality_of_a_curve_changes_is_said() -> None:
    game = gb.models.dirac_gan(gamma=1.5)
    flip = gb.trace(
        gb.point(gb.tie(gb.system(game, gb.Simultaneous(), eta_d=0.2), eta_g="eta_d")), {"eta_d": (0.05, 6)}
    )
    curve = gb.trace(flip["PD1"], {"eta_d": (0.05, 6), "gamma": (0.05, 2)})
    # The 1:2 resonance of simultaneous steps on the Dirac-GAN lies at eta_d = 4, gamma = 1.
    assert _curve("flips", curve)["criticality"] == "changes at R2"


def test_large_systems_are_shown_in_part_and_this_is_said() -> None:
    shown, left_out = equations_of(gb.system(gb.models.kernel_gan(), gb.Simultaneous()))
    # 25 features and one point: two equations from each end.
    assert len(shown) == 4
    assert left_out.startswith("22 equations")
    assert all(len(e.text) < 300 for e in shown)


def test_a_prime_or_a_plus_says_what_the_equation_gives() -> None:
    game = gb.models.dirac_gan()
    assert equations_of(gb.system(game, gb.Flow()))[0][0].text.startswith("psi' = ")
    assert equations_of(gb.system(game, gb.Simultaneous()))[0][0].text.startswith("psi+ = ")


def test_answers_name_border_change_and_circle(results) -> None:
    found = answers(results["window"], {"eta_d": 1.1})
    # The Neimark-Sacker point lies at 4 gamma = 1.2.
    assert found["nearest border"]["label"] == "NS"
    assert found["nearest border"]["parameters"]["eta_d"] == pytest.approx(1.2, abs=1e-8)
    assert found["largest circle"]["extent"]["eta_d"][1] == pytest.approx(1.2, abs=1e-8)
    assert answers(results["window"], {"eta_d": 1.5})["smallest change"]["change"]["eta_d"] == pytest.approx(
        -0.3, abs=1e-8
    )
    # Beyond a supercritical Neimark-Sacker point there is a circle, whatever lies in the middle of that regime.
    assert answers(results["window"], {"eta_d": 1.6}, circle=False)["regime"]["detail"] == "circle"


def test_a_missing_figure_is_one_sentence(results, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(results.folder, copy)
    (copy / "figures" / "radius.svg").unlink()
    with pytest.raises(gb.ResultsError, match="'radius' is missing"):
        gb.write_report(gb.load(copy), copy)


def test_the_example_in_the_readme_runs() -> None:
    import doctest

    readme = Path(__file__).parent.parent / "README.md"
    found = doctest.testfile(str(readme), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 10
    assert found.failed == 0


def test_rounding_is_no_number_of_an_answer() -> None:
    from types import SimpleNamespace

    from gan_bifurcation.ranges import Range, log_range
    from gan_bifurcation.reports.answers import _named, _signed

    rmap = SimpleNamespace(window=SimpleNamespace(ranges={"a": Range(-1.0, 1.0), "b": log_range(1e-20, 1e-10)}))
    # 1e-16 is nothing on an axis of length 2, and something on one from 1e-20 on.
    assert _named(rmap, {"a": -1.1e-16, "b": 1e-16}) == "a = 0, b = 1e-16"
    assert _signed(rmap, {"a": -1.1e-16, "b": 1e-17}, {"a": 0.0, "b": 1e-16}) == "b by +1e-17"
    assert _signed(rmap, {"a": 1.1e-16}, {"a": 0.0}) == "by less than rounding"
