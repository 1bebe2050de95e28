"""How the figures look: fonts, colours, margins, and where text and images lie; the same in all of them."""

from __future__ import annotations

import contextlib
import io
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

INK, GREY, LINE = "#1f2933", "#5f6b76", "#d5dae0"
DPI = 150
MARGIN = 0.4  # inches, at each side
_WIDEST_TITLE = 9.0  # inches
HEADER = 0.95  # inches, from the upper edge to what is below the title
# the first is installed with matplotlib; the others have the characters of East Asia, where they are installed
_FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic", "Microsoft YaHei", "WenQuanYi Zen Hei")
STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans", *sorted(set(_FONTS[1:]).intersection(font_manager.get_font_names()))],
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a dollar in the name of a class is a dollar
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "xtick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.color": LINE,
    "ytick.labelcolor": INK,
    "svg.fonttype": "none",  # text stays text: it can be searched, and read aloud
    "svg.hashsalt": "idxhub",  # the same picture is the same file
    "pdf.fonttype": 42,
}
_NO_DATES = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None}}


class Picture(Figure):  # type: ignore[misc]  # matplotlib is Any here: see pyproject.toml
    """A matplotlib figure that shows itself in a notebook, also without pyplot, and is saved in the style it has.

    `paper` is an axes over the whole figure, in inches from the upper left corner: text and images lie on it.
    """

    def __init__(self, width: float, height: float, **options: Any) -> None:
        super().__init__(figsize=(width, height), dpi=DPI, **options)
        FigureCanvasAgg(self)
        self.paper = self.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self.paper.set_axis_off()

    def write(self, left: float, top: float, text: str, *, fit: float | None = None, **options: Any) -> Any:
        """Text whose upper left corner is there, in inches.

        `fit` is the width that it may have; wider text loses characters in its middle, since names differ at their end.
        """
        rotation = options.pop("rotation", 0)
        text = " ".join(text.split())  # a name of two lines would lie over what is beside it
        written = self.paper.text(left, top, text, **{"va": "top", **options})

        def width_shortened(keep: int) -> float:
            written.set_text(f"{text[: -(-keep // 2)].rstrip()}\N{HORIZONTAL ELLIPSIS}{text[-(keep // 2) :].lstrip()}")
            return self.width_of(written)

        if fit is not None and len(text) > 2 and self.width_of(written) > fit:
            width_shortened(2 + bisect_right(range(3, len(text)), fit, key=width_shortened))
        written.set_rotation(rotation)
        return written

    def width_of(self, text: Any) -> float:
        """The width of text in inches."""
        return float(text.get_window_extent(self.canvas.get_renderer()).width / self.dpi)

    def show_image(self, pixels: NDArray[Any], left: float, top: float, side: float, **options: Any) -> Any:
        """An image, (H, W), in the middle of a square, at the same scale in both directions.

        A small image is enlarged by a whole number, so that all of its pixels have the same size.
        """
        height, width = pixels.shape
        scale = side * DPI / max(height, width)
        if scale >= 1:
            scale, options["interpolation"] = int(scale), "nearest"
        wide, high = (edge * scale / DPI for edge in (width, height))
        left = round((left + (side - wide) / 2) * DPI) / DPI
        top = round((top + (side - high) / 2) * DPI) / DPI
        return self.paper.imshow(pixels, extent=(left, left + wide, top + high, top), aspect="auto", **options)

    def add_box(self, left: float, top: float, width: float, height: float) -> Any:
        """New axes in a rectangle, in inches from the upper left corner of the figure."""
        whole_width, whole_height = self.get_size_inches()
        bottom = whole_height - top - height
        sizes = (left / whole_width, bottom / whole_height, width / whole_width, height / whole_height)
        return self.add_axes(sizes)

    def savefig(self, fname: Any, **options: Any) -> None:
        """As that of `Figure`; the file does not depend on the time at which it is made."""
        with mpl.rc_context(STYLE):
            super().savefig(fname, **options)

    def encode(self, ending: str) -> bytes:
        """The bytes of a file: `ending` is "png", "svg" or "pdf"."""
        file = io.BytesIO()
        self.savefig(file, format=ending, dpi=DPI, metadata=_NO_DATES[ending])
        return file.getvalue()

    def _repr_png_(self) -> bytes:
        return self.encode("png")


def widest(texts: Iterable[str], most: float, **options: Any) -> float:
    """The width of the widest of some texts in inches, or `most` if that is less."""
    with mpl.rc_context(STYLE):
        scratch = Picture(1, 1)
        return min(most, max((scratch.width_of(scratch.write(0, 0, text, **options)) for text in texts), default=0.0))


@contextlib.contextmanager
def new_picture(width: float, height: float, title: str, subtitle: str) -> Iterator[Picture]:
    """A context with a figure of this size in inches that has a title; what is drawn in it has the style of all.

    It is wider if the title needs that. What is too long for any figure is shortened.
    """
    head = {"fontsize": 14, "fontweight": "bold"}, {"fontsize": 9.5, "color": GREY}
    wanted = max(
        widest([text], _WIDEST_TITLE, **options) for text, options in zip((title, subtitle), head, strict=True)
    )
    width = max(width, wanted + 2 * MARGIN)
    with mpl.rc_context(STYLE):
        picture = Picture(width, height)
        for text, top, options in zip((title, subtitle), (0.27, 0.58), head, strict=True):
            picture.write(MARGIN, top, text, fit=width - 2 * MARGIN, **options)
        yield picture
