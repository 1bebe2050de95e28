"""Draw the images per second of idxhub in each framework, beside the loader that its users usually take.

    python tools/draw_benchmark.py [RECORDS] [PICTURE]

RECORDS is a file of `idxhub bench load`, by default the published one. The picture is a PNG; it needs the extra `plot`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from idxhub_bench.load.jobs import RATE
from idxhub_bench.report import loading, records, summary
from idxhub_bench.report.model import number, ratio
from idxhub_plot.colours import class_colours
from idxhub_plot.style import GREY, HEADER, INK, LINE, MARGIN, new_picture

FOLDER = Path(__file__).parents[1] / "docs" / "_static" / "benchmarks"
WIDTH, BAR, GAP = 8.0, 0.21, 0.2  # inches: the picture, a bar, and the space between two frameworks
NAMES, NUMBERS = 2.5, 1.5  # inches: left of the bars, and right of them


def draw(path: Path, picture: Path) -> None:
    """A pair of bars for each framework, in the order of the report."""
    runs = [run for run in records.runs(records.read(path), path.name) if run.bench == "load"]
    pairs = list(loading.usual_loaders(summary.summarise(runs)))
    longest = max(line.value for pair in pairs for line in pair)
    title = "Images per second, beside each framework's usual loader"
    subtitle = f"Thousands; shuffled batches of {loading.USUAL_BATCH} of Fashion-MNIST, no worker processes"
    height = HEADER + len(pairs) * (2 * BAR + GAP) + MARGIN
    blue = class_colours(1)[0]
    with new_picture(WIDTH, height, title, subtitle) as figure:
        top, left = HEADER + 0.1, MARGIN + NAMES
        for ours, theirs in pairs:
            for line, colour, ink in ((ours, blue, INK), (theirs, LINE, GREY)):
                length = line.value / longest * (WIDTH - MARGIN - left - NUMBERS)
                figure.paper.barh(top + BAR / 2, length, BAR * 0.86, left=left, color=colour)
                says = number(line.value, RATE)
                if line is ours:
                    says += f"  ({ratio(ours.value / theirs.value)} times)"
                figure.write(left - 0.1, top + 0.035, line.name, ha="right", color=ink)
                figure.write(left + length + 0.08, top + 0.035, says, color=ink)
                top += BAR
            top += GAP
        picture.write_bytes(figure.encode("png"))


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="?", default=FOLDER / "run.jsonl")
    parser.add_argument("picture", type=Path, nargs="?", default=FOLDER / "usual-loaders.png")
    given = parser.parse_args()
    draw(given.records, given.picture)


if __name__ == "__main__":
    main()
