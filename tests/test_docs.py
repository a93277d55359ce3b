"""The pages of the docs: every block runs, every link leads somewhere, tables of public names are as the code is."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

import gan_bifurcation as gb
from gan_bifurcation.cli import main

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
# Their blocks run in tests/test_own_games.py and test_homoclinic.py, beside what these test else.
ELSEWHERE = {"own-games.md", "codimension-two.md"}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of every code block."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [p for p in PAGES if p.name not in ELSEWHERE and blocks(p)], ids=lambda p: p.stem)
def test_every_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for language, text in blocks(page):
        if language == "python":
            exec(compile(text, page.name, "exec"), names)  # noqa: S102 -- our own page
        elif language == "toml":
            (tmp_path / text.split()[1]).write_text(text, encoding="utf-8")
        else:
            assert language == "sh", "a block that nothing runs is not checked by anything"
            for line in text.splitlines():
                program, *words = line.split()
                assert program == "gan-bifurcation"
                with pytest.raises(SystemExit) as stop:
                    main(words)
                assert stop.value.code == 0, line
    plt.close("all")


def test_links_lead_somewhere_and_every_page_is_in_the_index() -> None:
    for page in [*PAGES, ROOT / "README.md"]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", BLOCK.sub("", page.read_text(encoding="utf-8"))):
            assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [p.name for p in PAGES if p.name != "index.md" and f"({p.name})" not in index] == []
    assert "(docs/index.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_reference_is_as_the_code_is() -> None:
    made = runpy.run_path(str(DOCS / "make_reference.py"))["page"]()
    assert made == (DOCS / "reference.md").read_text(encoding="utf-8"), "run `python docs/make_reference.py`"
    for name in gb.__all__:
        assert f"`{name}`" in made, name


def test_the_gallery_shows_every_figure() -> None:
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(DOCS / "make_gallery.py"))["page"]() == page, "run `python docs/make_gallery.py`"
    for name in gb.figures.__all__:
        assert f"`{name}`" in page, name
    pictures = sorted((DOCS / "gallery").iterdir())
    assert {p.name for p in pictures} == set(re.findall(r"\(gallery/([\w.-]+)\)", page))
    assert max(p.stat().st_size for p in pictures) < 40_000
