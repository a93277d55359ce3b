"""The page's drawings and its script: linked, harmless, working in a browser where one is installed."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import gan_bifurcation as gb
from gan_bifurcation import figures
from gan_bifurcation.figures.writing import as_svg
from gan_bifurcation.regimes.crossing import Transition
from gan_bifurcation.reports.content import _crossings
from gan_bifurcation.reports.drawings import drawing

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)> ' \\\" ${1} {{ 2 }} --> ]]>"
STUDY = f"""
title = "Page"
[system]
kind = "map"
equations = {{x = "a - x**2 + b*y", y = "x"}}
parameters = {{a = 0.1, b = 0.3}}
[system.domain]
"4 - x**2" = "{HOSTILE}"
[[branch]]
name = "line"
start = {{x = 0.1, y = 0.1}}
free = {{a = [-0.1, 1.6]}}
[[map]]
name = "plane"
free = {{a = [-0.1, 1.6], b = [0.1, 0.5]}}
steps = 128
initial = {{x = 0.1, y = 0.1}}
tolerance = 0.05
[[map]]
name = "edge"
free = {{a = [-0.1, 1.6]}}
steps = 128
initial = {{x = 0.1, y = 0.1}}
[[figure]]
name = "diagram"
kind = "bifurcation_diagram"
of = ["line"]
caption = "{HOSTILE}"
"""
BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("page")
    (made / "study.toml").write_text(STUDY)
    gb.write_report(gb.run_study(made / "study.toml", made / "out"))
    return made / "out"


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text()


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="page-data">(.*?)</script>', page, re.DOTALL)[1])


def test_only_the_script_of_the_page_may_run(page: str) -> None:
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)
    # The data and the script: what a study says can neither end an element nor begin one.
    assert len(scripts) == 2
    checksum = base64.b64encode(hashlib.sha256(scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{checksum}'; base-uri 'none'" in page
    assert "<" not in scripts[0]


def test_a_diagram_lies_on_its_line_through_the_map(page: str) -> None:
    group, edge = data_of(page)["groups"]
    assert [d["role"] for d in group["drawings"]] == ["diagram", "map", "graph"]
    # The study's diagram stands with the first map; that over one parameter gets its own.
    assert [d["role"] for d in edge["drawings"]] == ["map", "diagram", "graph"]
    about = group["drawings"][0]["about"]
    assert about["parameter"] == "a"
    assert about["lines"][0]["fixed"] == {"b": 0.3}
    # The Henon map's fixed point is stable up to a = 3 (1 - b)^2 / 4 = 0.3675.
    assert {a < 0.3675 for a, s in zip(about["lines"][0]["at"], about["lines"][0]["stable"], strict=True) if s} == {
        True
    }


def test_hostile_words_are_shown_as_words(page: str) -> None:
    # The reason of the domain in each map's card of what diverges; the caption twice: as a label, below the drawing.
    assert html.unescape(page).count(HOSTILE.replace('\\"', '"')) == 4
    assert page.count("<script>document") == 0


def test_each_regime_is_in_the_drawings_the_cards_and_the_table(page: str, folder: Path) -> None:
    sections = page.split('<div class="map"')[1:]
    for section, rmap in zip(sections, gb.load(folder).maps.values(), strict=True):
        for face in rmap.faces:
            # Map, graph, card, row of the table.
            assert section.count(f'data-regime="{face.number}"') == 4


def test_a_hostile_drawing_loses_what_could_run() -> None:
    figure, ax = figures.figure()
    ax.plot([1, 2], [3, 4], gid="regime-1")
    svg = as_svg(figure).decode()
    attacks = (
        "<script>alert(1)</script>"
        '<foreignObject><body xmlns="http://www.w3.org/1999/xhtml" onload="a()"/></foreignObject>'
        '<a xlink:href="javascript:a()"><path d="M 0 0"/></a><g id="x" onclick="a()" style="fill: url(http://b)">'
        '<image xlink:href="http://c/x.png"/><use xlink:href="http://d#e"/><path d="M 0 0&quot;/>&lt;script>"/></g>'
        '<animate attributeName="href" to="javascript:a()"/><style>* {{ background: url(http://f) }}</style></svg>'
    )
    made = drawing(svg.replace("</svg>", attacks).encode(), "p-")
    assert made is not None
    assert made.parts == {"regime-1"}
    assert 'data-regime="1"' in made.markup
    for word in ("script", "foreign", "javascript", "onclick", "onload", "http:", "animate", "<style"):
        assert word not in made.markup.replace('d="M 0 0', "")
    identifiers = re.findall(r' id="([^"]*)"', made.markup)
    assert identifiers
    assert all(name.startswith("p-") for name in identifiers)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<!DOCTYPE svg", '<!DOCTYPE svg [<!ENTITY a "aaaa">] svg'),
        ('"box": [', '"box": [NaN, '),
        ('"linear"', '"symlog"'),
        ('<desc id="places">', "<desc>"),
        ("</svg>", ""),
    ],
)
def test_a_drawing_that_cannot_be_trusted_stays_an_image(old: str, new: str) -> None:
    figure, ax = figures.figure()
    ax.plot([1, 2], [3, 4])
    svg = as_svg(figure).decode()
    assert drawing(svg.encode(), "") is not None
    assert drawing(svg.replace(old, new).encode(), "") is None


def test_places_are_where_the_axes_are() -> None:
    figure, ax = figures.figure()
    ax.set_xscale("log")
    ax.set_xlim(0.01, 1.0)
    made = drawing(as_svg(figure), "")
    assert made is not None
    assert vars(made.x) == {"low": 0.01, "high": 1.0, "log": True}
    # Matplotlib draws the frame of the axes as its second patch, from the lower left corner on.
    x0, y0, x1, _, _, y1 = re.search(
        r'id="patch_2"><path d="M (\S+) (\S+) L (\S+) (\S+) L (\S+) (\S+)', made.markup
    ).groups()
    assert made.box == pytest.approx((float(x0), float(y1), float(x1), float(y0)), abs=0.02)


STEPS = """
const said = [], section = document.getElementById("map-0");
const at = (id, s, t, type) => {
  const svg = document.getElementById(id).querySelector("svg");
  const p = new DOMPoint(s, t).matrixTransform(svg.getScreenCTM());
  svg.dispatchEvent(new PointerEvent(type, {clientX: p.x, clientY: p.y, bubbles: true}));
};
const where = () => section.querySelector("output").textContent;
const line = svg => document.querySelector("#" + svg + " .over line.cross").getAttribute("x1");
for (const [id, s, t, type] of places) {
  at(id, s, t, type);
  said.push([where(), line("m0-diagram"), line("m0-map")]);
}
said.push(section.querySelector(".card.pinned h4").textContent);
said.push([...section.querySelectorAll("tr.lit")].map(row => row.cells[0].textContent));
const node = section.querySelector("#m0-graph [data-regime]");
node.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true}));
said.push(node.dataset.regime, section.querySelector(".card.pinned").dataset.regime);
said.push(node.getAttribute("aria-pressed"));
const slider = section.querySelector("input");
slider.value = 1000;
slider.dispatchEvent(new Event("input"));
said.push(where());
const head = section.querySelectorAll("th button")[3], body = head.closest("table").tBodies[0];
for (let times = 0; times < 2; times++) {
  head.click();
  said.push([...body.rows].map(row => parseFloat(row.cells[3].textContent)));
}
const edge = document.getElementById("map-1");
const [id, s, t] = onEdge;
at(id, s, t, "click");
const told = edge.querySelector("output"), only = edge.querySelector("input");
said.push([told.textContent, line("m1-map"), line("m1-diagram"), edge.querySelector(".card.pinned h4").textContent]);
only.value = 0;
only.dispatchEvent(new Event("input"));
said.push([told.textContent, edge.querySelectorAll("input").length]);
said.push(document.title, document.querySelectorAll("img[src=x]").length);
const out = document.createElement("pre");
out.id = "said";
out.textContent = JSON.stringify(said);
document.body.append(out);
"""


@pytest.mark.skipif(not BROWSER, reason="no Chromium is installed; the script of the page is not tried")
def test_in_a_browser_map_diagram_graph_and_tables_are_linked(page: str, tmp_path: Path) -> None:
    group, edge = data_of(page)["groups"]
    places = {d["role"]: d for d in group["drawings"]}
    left, top, right, bottom = places["diagram"]["box"]
    wide, middle = right - left, 0.5 * (top + bottom)
    l2, t2, r2, b2 = places["map"]["box"]
    moves = [
        ["m0-diagram", left + 0.25 * wide, middle, "pointermove"],
        ["m0-map", l2 + 0.1 * (r2 - l2), b2 + 0.5 * (t2 - b2), "click"],
    ]
    # Over one parameter: at a = 1.175, half way up the band and three quarters along it.
    l3, t3, r3, b3 = next(d["box"] for d in edge["drawings"] if d["role"] == "map")
    there = ["m1-map", l3 + 0.75 * (r3 - l3), 0.5 * (t3 + b3)]
    script = f"const places = {json.dumps(moves)}, onEdge = {json.dumps(there)};{STEPS}"
    checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    changed = page.replace("script-src '", f"script-src 'sha256-{checksum}' '", 1)
    tried = tmp_path / "tried.html"
    tried.write_text(changed.replace("</body>", f"<script>{script}</script></body>"))
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=2000", "--dump-dom", tried.as_uri(),
    ]  # fmt: skip
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r'<pre id="said">(.*?)</pre>', dom, re.DOTALL)
    assert found, "the script of the page stopped with an error"
    first, second, card, rows, node, pinned, pressed, slid, up, down, one, least, title, images = json.loads(
        html.unescape(found[1])
    )
    # A quarter of the way along the diagram's axis; the line it is drawn along has b = 0.3, in the middle of the map.
    low, high = places["diagram"]["x"]["low"], places["diagram"]["x"]["high"]
    a = low + 0.25 * (high - low)
    said = dict(re.findall(r"\b([ab]) = ([\d.]+)", first[0]))
    assert float(said["a"]) == pytest.approx(a, abs=2e-3)
    assert float(said["b"]) == 0.3
    # Each line stands where its own axis has that value.
    assert float(first[1]) == pytest.approx(left + 0.25 * wide, abs=0.2)
    assert float(first[2]) == pytest.approx(l2 + (a + 0.1) / 1.7 * (r2 - l2), abs=0.2)
    # Just inside the left edge, a = 0.07 < 0.3675, training converges there.
    assert "converges" in second[0]
    assert card.startswith("Regime")
    assert "converges" in card
    assert rows == [re.search(r"\d+", card)[0]]
    assert (node, "true") == (pinned, pressed)
    assert "a = 1.6," in slid
    assert up == sorted(up)
    assert down == up[::-1]
    # As far as a pixel is wide.
    assert float(re.match(r"a = ([\d.]+); regime", one[0])[1]) == pytest.approx(1.175, abs=2e-3)
    # The line of the map and that of the diagram stand where their axes have that value.
    assert float(one[1]) == pytest.approx(there[1], abs=0.2)
    assert "on the line of the diagram: unstable" in one[0]
    assert one[3].split(":")[0].lower() in one[0]
    # At the left end training converges, and the rate under the pointer is called what it is.
    assert least[0].startswith("a = -0.1; regime")
    assert "converges" in least[0]
    assert "(interpolated)" in least[0]
    assert least[1] == 1
    assert (title, images) == ("Page", 0)


def test_what_becomes_of_attractors_across_borders_is_a_table(folder: Path) -> None:
    rmap = gb.load(folder).maps["plane"]
    planted = Transition(1, 2, 0, 1, 0, "diverges", "left the domain", 0.25, False)
    (row,) = _crossings(replace(rmap, crossings=(planted,)))
    assert (row["label"], row["becomes"]) == (rmap.borders[1].label, "diverges (left the domain)")
    assert (row["share"], row["back"]) == ("25 %", "leads elsewhere")
    # A map of which nothing of the kind was asked has no table.
    assert _crossings(replace(rmap, crossings=None)) == []
