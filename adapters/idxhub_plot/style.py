"""How the figures look: fonts, colours and margins, the same in all of them."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, GREY, LINE = "#1f2933", "#66707a", "#d5dae0"
# the first is installed with matplotlib; the others have the characters of East Asia, where they are installed
_FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic", "Microsoft YaHei", "WenQuanYi Zen Hei")
STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans", *sorted(set(_FONTS[1:]).intersection(font_manager.get_font_names()))],
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a dollar in the name of a class is a dollar
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.facecolor": "white",
    "axes.unicode_minus": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "svg.fonttype": "none",  # text stays text: it can be searched, and read aloud
    "svg.hashsalt": "idxhub",  # the same picture is the same file
    "pdf.fonttype": 42,
    "image.interpolation": "nearest",
}
DPI = 150
MARGIN = 0.35  # inches, at each side
_NO_DATES = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None}}


class Picture(Figure):  # type: ignore[misc]  # matplotlib is Any here: see pyproject.toml
    """A matplotlib figure that shows itself in a notebook, also without pyplot, and is saved in the style it has."""

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


def new_picture(width: float, height: float) -> Picture:
    """An empty figure of this size in inches. Call it, and draw, in `matplotlib.rc_context(STYLE)`."""
    figure = Picture(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure
