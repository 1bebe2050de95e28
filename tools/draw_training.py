"""Draw the test accuracy after each epoch of a long training, and print the figures of docs/explanation/convnet.md.

    python tools/draw_training.py [RECORDS] [PICTURE]

RECORDS is a file of `idxhub bench train`, by default that of the H200. The picture is a PNG; it needs the extra `plot`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "docs" / "_static" / "benchmarks"
PUBLISHED = 0.916  # "2 Conv Layers with max pooling", in the table of zalandoresearch/fashion-mnist
LAST = 20  # epochs, whose mean is the accuracy that a row stands at
NAMES = {"torch": "PyTorch", "jax": "JAX", "tensorflow": "TensorFlow"}


def epochs(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The records of the epochs of each row."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["kind"] == "epoch":
            found.setdefault(record["row"], []).append(record)
    return found


def table(path: Path) -> str:
    """A row for each framework, in Markdown."""
    heads = ("", f"first epoch at {PUBLISHED} or more", "best", f"mean of the last {LAST} epochs", "seconds in all")
    lines = [f"| {' | '.join((*heads, 'waits for data'))} |", "| --- | --- | --- | --- | --- | --- |"]
    for row, records in epochs(path).items():
        accuracies = [record["accuracy"] for record in records]
        first = next(record["epoch"] for record in records if record["accuracy"] >= PUBLISHED)
        seconds = sum(record["seconds"] for record in records)
        waiting = sum(record["waiting"] for record in records)
        mean = statistics.fmean(accuracies[-LAST:])
        cells = (
            NAMES[row],
            first,
            f"{max(accuracies):.4f}",
            f"{mean:.4f}",
            f"{seconds:.0f}",
            f"{waiting / seconds:.1%}",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def draw(path: Path, picture: Path) -> None:
    """Both curves over each other, with the published accuracy as a line."""
    # the table needs no matplotlib
    from idxhub_plot.colours import class_colours  # noqa: PLC0415 -- as above
    from idxhub_plot.style import GREY, HEADER, LINE, MARGIN, new_picture  # noqa: PLC0415 -- as above

    rows = epochs(path)
    count = max(len(records) for records in rows.values())
    width, height = 7.2, 4.4
    title = "Fashion-MNIST: two convolutions, on the same batches"
    subtitle = f"Test accuracy after each of {count} epochs; batches of 400, plain gradient descent, rate 0.05"
    with new_picture(width, height, title, subtitle) as figure:
        axes = figure.add_box(MARGIN + 0.35, HEADER + 0.1, width - 2 * MARGIN - 0.35, height - HEADER - 0.1 - 0.65)
        axes.axhline(PUBLISHED, color=GREY, linewidth=0.8, linestyle="--")
        axes.text(2, PUBLISHED + 0.001, f"published after more than 300 epochs: {PUBLISHED}", color=GREY, fontsize=8)
        colours = class_colours(len(rows))
        for (row, records), colour, line in zip(rows.items(), colours, ("solid", (0, (2, 1.5))), strict=False):
            values = [record["accuracy"] for record in records]
            axes.plot(range(1, len(values) + 1), values, color=colour, linewidth=1.4, linestyle=line, label=NAMES[row])
        axes.set(xlim=(1, count), ylim=(0.84, 0.925), xlabel="epoch")
        axes.grid(axis="y", color=LINE, linewidth=0.6)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.legend(loc="lower right", frameon=False)
        picture.write_bytes(figure.encode("png"))


def main() -> None:
    """Draw the picture, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="?", default=FOLDER / "train150-h200.jsonl")
    parser.add_argument("picture", type=Path, nargs="?", default=FOLDER / "train150-h200.png")
    given = parser.parse_args()
    draw(given.records, given.picture)
    print(table(given.records))


if __name__ == "__main__":
    main()
