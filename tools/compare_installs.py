"""Compare the speed of two installations of idxhub, in turns, in fresh processes: before and after a change.

    python tools/compare_installs.py BEFORE AFTER [--rounds 15] [--data-dir FOLDER]

BEFORE and AFTER are the Python interpreters of two virtual environments, each with idxhub and torch. Each has a cache
of its own: Fashion-MNIST if FOLDER has its files, otherwise the sample that is installed with the package. The arrays
in both caches are the same files, by hard links. Two copies of the same 47 MB differ by up to 20 % in the time that it
takes to read them, for as long as they stay in memory, and that would be taken for a difference of the installations.

Each round runs one process for each figure and installation, in alternating order, so that a change of the machine's
speed meets both alike. The table shows medians, and the ratio after / before of the medians, with the quartiles of the
rounds' own ratios. For times less is better, for images/s more.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import statistics
import subprocess
import tempfile
import textwrap
from pathlib import Path

FIGURES = {
    "import idxhub, after NumPy (ms)": """
        import time, numpy, json
        start = time.perf_counter()
        import idxhub
        print(json.dumps((time.perf_counter() - start) * 1e3))
    """,
    "warm open, first call (ms)": """
        import os, time, json
        import idxhub
        start = time.perf_counter()
        idxhub.get_dataset(os.environ["NAME"])
        print(json.dumps((time.perf_counter() - start) * 1e3))
    """,
    "warm open, later call (ms)": """
        import os, time, json, statistics
        import idxhub
        def once():
            start = time.perf_counter()
            idxhub.get_dataset(os.environ["NAME"])
            return (time.perf_counter() - start) * 1e3
        once()
        print(json.dumps(statistics.median(once() for _ in range(200))))
    """,
    **{
        f"DataLoader, {dtype} (images/s)": f"""
        import os, time, json, statistics, torch, idxhub
        torch.set_num_threads(1)
        data = idxhub.get_dataset(os.environ["NAME"], framework="torch", dtype="{dtype}")
        loader = torch.utils.data.DataLoader(data, batch_size=128, shuffle=True)
        def once():
            start = time.perf_counter()
            count = sum(len(images) for images, labels in loader)
            return count / (time.perf_counter() - start)
        once()
        print(json.dumps(statistics.median(once() for _ in range(5))))
    """
        for dtype in ("uint8", "float32")
    },
    **{
        f"get_loader, {framework} (images/s)": f"""
        import os, time, json, statistics, idxhub
        loader = idxhub.get_loader(os.environ["NAME"], framework="{framework}", batch_size=128)
        def once():
            start = time.perf_counter()
            count = sum(len(batch[1]) for batch in loader)
            return count / (time.perf_counter() - start)
        once()
        print(json.dumps(statistics.median(once() for _ in range(10))))
    """
        for framework in ("numpy", "torch")
    },
}


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data-dir", help="the folder of Fashion-MNIST's four files")
    asked = parser.parse_args()
    pythons = (asked.before, asked.after)
    values: dict[str, tuple[list[float], list[float]]] = {figure: ([], []) for figure in FIGURES}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.rounds + 1):  # the first fills caches and counts for nothing
            for figure, code in FIGURES.items():
                for which in (0, 1) if number % 2 else (1, 0):
                    value = measured(pythons[which], code, os.path.join(folder, str(which)), asked.data_dir)
                    if number:
                        values[figure][which].append(value)
            if not number:
                link_equal_arrays(*(Path(folder, str(which)) for which in (0, 1)))
    print(f"{'figure':36} {'before':>12} {'after':>12}  after / before (quartiles)")
    for figure, (before, after) in values.items():
        ratios = [new / old for old, new in zip(before, after, strict=True)]
        low, _, high = statistics.quantiles(ratios, n=4)
        middle = statistics.median(after) / statistics.median(before)
        print(
            f"{figure:36} {statistics.median(before):12,.2f} {statistics.median(after):12,.2f}  "
            f"{middle:.3f} ({low:.3f} to {high:.3f})"
        )


def link_equal_arrays(cache: Path, other: Path) -> None:
    """Replace each array in the other cache by a hard link to the one of the same name and content in the first."""
    arrays = {path.name: path for path in cache.rglob("*.npy")}
    for path in other.rglob("*.npy"):
        if path.name in arrays and filecmp.cmp(path, arrays[path.name], shallow=False):
            path.unlink()
            path.hardlink_to(arrays[path.name])


def measured(python: str, code: str, cache: str, data_dir: str | None) -> float:
    """The number that a fresh process prints."""
    name, mirror = ("fashion-mnist", data_dir) if data_dir else ("fashion-mnist-sample", "")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(  # noqa: S603 -- the interpreters are the caller's
        [python, "-c", textwrap.dedent(code)],
        env=environment | {"IDXHUB_CACHE": cache, "IDXHUB_OFFLINE": "1", "NAME": name, "IDXHUB_MIRRORS": mirror},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout))


if __name__ == "__main__":
    main()
