"""Compare `idxhub_compat.torchvision_datasets.FashionMNIST` with torchvision's own class, in one run.

    python tools/bench_torchvision.py --data-dir FOLDER [--passes 5]

with Fashion-MNIST's four .gz files in FOLDER. Both classes are read by the same `DataLoader`, in shuffled batches of
128, without worker processes and with one thread of torch. The two take turns; the table shows the median images/s of
the passes after the first, and the ratio of the medians. A pass of torchvision is 6,400 images, of idxhub the whole
train set. Before that, the first batches are compared: they must have the same bits.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from idxhub_bench import vision
from idxhub_compat import torchvision_datasets

SIZE = 128
EXAMPLES = {"torchvision": 6_400, "idxhub": 60_000}
MEAN, STD = (0.2860,), (0.3530,)


def pipelines(transforms: Any) -> dict[str, Any]:
    """The transforms that are measured."""
    from torchvision.transforms import v2  # noqa: PLC0415 -- `vision.modules` makes it importable

    scaled = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    return {
        "ToTensor()": transforms.ToTensor(),
        "ToTensor(), Normalize(...)": transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)]),
        "v2.ToImage(), v2.ToDtype(scale=True)": v2.Compose(scaled),
        "v2.ToImage(), v2.ToDtype(scale=True), v2.Normalize(...)": v2.Compose([*scaled, v2.Normalize(MEAN, STD)]),
    }


def rate(dataset: Any, examples: int) -> float:
    """The images/s of a pass over so many examples."""
    start, count = time.perf_counter(), 0
    for _, labels in DataLoader(dataset, batch_size=SIZE, shuffle=True):
        count += len(labels)
        if count >= examples:
            break
    return count / (time.perf_counter() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, type=Path, help="the folder with the four .gz files")
    parser.add_argument("--passes", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    datasets, transforms = vision.modules()
    with tempfile.TemporaryDirectory() as root:
        raw = Path(root, "FashionMNIST", "raw")  # where torchvision keeps its decompressed files
        raw.mkdir(parents=True)
        for path in options.data_dir.glob("*-ubyte.gz"):
            (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        os.environ |= {"IDXHUB_CACHE": os.path.join(root, "cache"), "IDXHUB_OFFLINE": "1"}
        print("| transform | torchvision | idxhub | ratio |\n| --- | ---: | ---: | ---: |")
        for name, transform in pipelines(transforms).items():
            both = {
                "torchvision": datasets.FashionMNIST(root, transform=transform),
                "idxhub": torchvision_datasets.FashionMNIST(root, transform=transform),
            }
            first = [next(iter(DataLoader(dataset, batch_size=SIZE))) for dataset in both.values()]
            if not all(torch.equal(one, other) for one, other in zip(*first, strict=True)):
                raise SystemExit(f"{name}: the batches differ")
            rates: dict[str, list[float]] = {which: [] for which in both}
            for _ in range(options.passes + 1):
                for which, dataset in both.items():
                    rates[which].append(rate(dataset, EXAMPLES[which]))
            theirs, mine = (statistics.median(rates[which][1:]) for which in both)
            print(f"| `{name}` | {theirs:,.0f} | {mine:,.0f} | {mine / theirs:.1f} |")


if __name__ == "__main__":
    main()
