"""Reports: complete, self-contained, escaped, well formed."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import gan_bifurcation as gb
from gan_bifurcation.reports.answers import answers
from gan_bifurcation.reports.equations import equations_of

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
        "largest circle", "nearest border", "1 of 1 claims agree",
        "gan-bifurcation run study", "numpy", "Mescheder", "The orbit reached",
    ):  # fmt: skip
        assert piece in text


def test_the_page_needs_no_network_and_no_script(page: Reader) -> None:
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "form"}
    for _, attributes in page.tags:
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/svg+xml;base64,", "#"))
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
