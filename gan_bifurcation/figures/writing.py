"""Figures as SVG and PNG files, both of them from one drawing."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, Final, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.transforms import Affine2D, Bbox, TransformedPath

from gan_bifurcation.figures.layout import lay_out, measured_once
from gan_bifurcation.figures.style import STYLE, figure_of
from gan_bifurcation.records import write_atomically

# The places of transforms among what each way of drawing is given, the graphics context at 0.
_TRANSFORMS: Final[Mapping[str, tuple[int, ...]]] = {
    "draw_path": (2,), "draw_markers": (2, 4), "draw_path_collection": (1, 5), "draw_quad_mesh": (1, 6),
    "draw_gouraud_triangles": (3,),
}  # fmt: skip
_Pixels: Final[Any] = RendererAgg
_Svg: Final[Any] = RendererSVG
_TEXTS: Final = ("draw_text", "draw_tex")
# SVG counts in points.
_POINTS: Final = 72.0


def places(drawn: Figure) -> list[dict[str, Any]]:
    """Where the axes of a drawn figure lie, and their scales: what turns a place on paper into numbers and back.

    Returns
    -------
    list of dict
        ``box`` is left, top, right and bottom in the SVG file's units; ``x`` and ``y`` are low, high and the scale.
    """
    wide, high = (_POINTS * float(v) for v in drawn.get_size_inches())
    found = []
    for ax in drawn.axes:
        box = ax.get_position()
        corners = (box.x0 * wide, (1.0 - box.y1) * high, box.x1 * wide, (1.0 - box.y0) * high)
        scales = {
            "x": [*(float(v) for v in ax.get_xlim()), ax.get_xscale()],
            "y": [*(float(v) for v in ax.get_ylim()), ax.get_yscale()],
        }
        found.append({"box": [round(v, 4) for v in corners], **scales})
    return found


def as_svg(drawn: Figure) -> bytes:
    """A figure as SVG, with the places of its axes in a description."""
    return _rendered(drawn, pixels=False)[0]


def save(drawn: Axes | Figure, path: str | Path) -> tuple[Path, Path]:
    """Write a figure as SVG and as PNG, each under a temporary name first.

    Parameters
    ----------
    drawn : Axes or Figure
    path : path
        ``.svg`` and ``.png`` are added, or take the place of one another.

    Returns
    -------
    pair of Path

    Raises
    ------
    ResultsError
        If the folder cannot be written.
    """
    whole = drawn if isinstance(drawn, Figure) else figure_of(drawn)
    base = Path(path)
    if base.suffix in (".svg", ".png"):
        base = base.with_suffix("")
    svg, png = _rendered(whole, pixels=True)
    written = base.with_name(f"{base.name}.svg"), base.with_name(f"{base.name}.png")
    for target, data in zip(written, (svg, png), strict=True):
        write_atomically(target, data)
    return written


def save_all(drawn: Mapping[str, Axes | Figure], folder: str | Path) -> list[Path]:
    """Write several figures under their names."""
    return [path for name, item in drawn.items() for path in save(item, Path(folder) / name)]


def _rendered(drawn: Figure, *, pixels: bool) -> tuple[bytes, bytes]:
    """A figure as SVG, and as PNG if that is wanted.

    Matplotlib draws a figure for each file, and where everything is and how large each word is takes it longer than
    the lines and the pixels: here one drawing goes to both.
    """
    plain = {**STYLE, "figure.autolayout": False, "figure.constrained_layout.use": False}
    with mpl.rc_context(plain), _as_fine_as(drawn, STYLE["savefig.dpi"]), measured_once(drawn):
        lay_out(drawn)
        renderer = _renderer(drawn)
        lines = _Lines(drawn, renderer, pixels)
        engine = drawn.get_layout_engine()
        drawn.set_layout_engine(None)
        try:
            with _instead(renderer, lines.methods()):
                drawn.draw(renderer)
        finally:
            drawn.set_layout_engine(engine)
        # Only numbers and names of scales: nothing in it needs escaping.
        about = f'<desc id="places">{json.dumps(places(drawn)).replace("<", "")}</desc>'
        svg = lines.finished().replace("</svg>", f"{about}\n</svg>").encode()
        return svg, _packed(renderer) if pixels else b""


@contextmanager
def _as_fine_as(drawn: Figure, dpi: float) -> Iterator[None]:
    canvas: Any = drawn.canvas
    # A window would grow with the number of pixels.
    manager, canvas.manager = canvas.manager, None
    before = drawn.dpi
    try:
        drawn.set_dpi(dpi)
        yield
    finally:
        drawn.set_dpi(before)
        canvas.manager = manager


def _renderer(drawn: Figure) -> Any:
    """The figure's own, which knows the sizes of words that were asked for already."""
    if isinstance(drawn.canvas, FigureCanvasAgg):
        found = cast(Any, drawn.canvas).get_renderer()
        found.clear()
        return found
    wide, high = drawn.bbox.size
    return _Pixels(int(wide), int(high), drawn.dpi)


def _packed(renderer: Any) -> bytes:
    """What was drawn, as PNG: packed harder, a picture of lines takes twice the time and a tenth less room."""
    buffer = BytesIO()
    imsave(
        buffer, renderer.buffer_rgba(), format="png", origin="upper", dpi=renderer.dpi,
        metadata={"Software": "gan_bifurcation"}, pil_kwargs={"compress_level": 3},
    )  # fmt: skip
    return buffer.getvalue()


@contextmanager
def _instead(thing: Any, methods: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """While something is drawn, other methods of an object."""
    own = {name: vars(thing)[name] for name in methods if name in vars(thing)}
    vars(thing).update(methods)
    try:
        yield
    finally:
        for name in methods:
            del vars(thing)[name]
        vars(thing).update(own)


class _Lines:
    """What a renderer of pixels is told to draw, told to one of SVG too, in points instead of pixels."""

    def __init__(self, drawn: Figure, renderer: Any, pixels: bool) -> None:
        self.wide, self.high = (float(v) for v in drawn.get_size_inches())
        self.dpi = float(drawn.dpi)
        self.scale = _POINTS / self.dpi
        self.smaller = Affine2D().scale(self.scale)
        # Pixels are whole numbers of them.
        self.cut = self.high * self.dpi - renderer.height
        self.file = StringIO()
        size = _POINTS * self.wide, _POINTS * self.high
        self.svg = _Svg(*size, self.file, image_dpi=self.dpi, metadata={"Date": None})
        self.pixels = renderer if pixels else None
        # What is drawn as pixels in the SVG too, while that goes on.
        self.picture: Any = None

    def finished(self) -> str:
        self.svg.finalize()
        return self.file.getvalue()

    def methods(self) -> dict[str, Callable[..., Any]]:
        """For the renderer of pixels, in place of its own."""
        drawing = [*_TRANSFORMS, *_TEXTS, "draw_image"]
        grouping = {name: getattr(self.svg, name) for name in ("open_group", "close_group")}
        pictures = {"start_rasterizing": self._start, "stop_rasterizing": self._stop}
        return {**{name: self._both(name) for name in drawing}, **grouping, **pictures}

    def _both(self, name: str) -> Callable[..., Any]:
        to_pixels = getattr(self.pixels, name) if self.pixels is not None else None
        to_lines = getattr(self.svg, name)

        def draw(gc: Any, *given: Any, **named: Any) -> None:
            if to_pixels is not None:
                to_pixels(gc, *given, **named)
            if self.picture is not None:
                getattr(self.picture, name)(gc, *given, **named)
            else:
                to_lines(self._context(gc), *self._in_points(name, given), **named)

        return draw

    def _in_points(self, name: str, given: tuple[Any, ...]) -> list[Any]:
        changed = list(given)
        for place in _TRANSFORMS.get(name, ()):
            changed[place - 1] = self._smaller(given[place - 1])
        if name in _TEXTS:
            # From the top.
            changed[:2] = self.scale * given[0], self.scale * (given[1] + self.cut)
        elif name == "draw_image":
            changed[:2] = self.scale * given[0], self.scale * given[1]
            if len(given) > 3:
                changed[3] = self._smaller(given[3])
        return changed

    def _smaller(self, transform: Any) -> Any:
        if transform.is_affine:
            return Affine2D(self.smaller.get_matrix() @ transform.get_matrix())
        return transform + self.smaller

    def _context(self, gc: Any) -> Any:
        """The same with what clips in points."""
        made = self.svg.new_gc()
        made.copy_properties(gc)
        box = gc.get_clip_rectangle()
        if box is not None:
            made.set_clip_rectangle(Bbox(self.scale * np.asarray(box.get_points())))
        path, transform = gc.get_clip_path()
        if path is not None:
            made.set_clip_path(TransformedPath(path, self._smaller(transform)))
        return made

    def _start(self) -> None:
        self.picture = _Pixels(int(self.wide * self.dpi), int(self.high * self.dpi), self.dpi)

    def _stop(self) -> None:
        drawn = np.asarray(self.picture.buffer_rgba())
        self.picture = None
        rows, columns = (np.flatnonzero(drawn[..., 3].any(axis=axis)) for axis in (1, 0))
        if len(rows):
            top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
            low = self.scale * (drawn.shape[0] - bottom + self.cut)
            self.svg.draw_image(self.svg.new_gc(), self.scale * left, low, drawn[top:bottom, left:right][::-1])
