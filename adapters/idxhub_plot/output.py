"""The bytes of a picture's file, and the paths that may become one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from idxhub import errors
from idxhub.cli.files import check_absent

if TYPE_CHECKING:
    from PIL import Image

    from idxhub_plot.style import Picture

ENDINGS = (".png", ".svg", ".pdf")


def check_target(path: Path, endings: Sequence[str], *, force: bool) -> None:
    """Refuse a path that cannot become a picture, before the picture is made.

    Raises `UnknownNameError` for an ending that is not one of `endings`, and `click.UsageError` if the folder does not
    exist or the file exists and `force` is not set.
    """
    if path.suffix.lower() not in endings:
        raise errors.UnknownNameError("picture file ending", path.suffix, endings)
    check_absent([path], force=force)


def encode(picture: Picture | Image.Image, ending: str) -> bytes:
    """The bytes of a picture's file, by the ending of its name."""
    from idxhub_plot.style import Picture  # noqa: PLC0415 -- needs matplotlib, and `idxhub plot --help` does without

    if isinstance(picture, Picture):
        return picture.encode(ending.lower().removeprefix("."))
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()
