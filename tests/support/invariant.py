"""What must hold after every fault, checked by one function.

In the cache there is nothing but right files under final names; an error was one of idxhub's own and names the file,
the places tried, what was expected and what was found; the next healthy call succeeds with nothing cleaned up by hand.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import xxhash

from idxhub import Plugins, Split, load
from idxhub.cache.record import CHUNK
from idxhub.cache.store import Cache
from idxhub.catalog.resource import Archive, Resource
from idxhub.errors import ChecksumError, DownloadError, IdxHubError
from support.made import Made

TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n"


def check(
    toy: Made,
    cache_dir: Path,
    raised: BaseException | None = None,
    *,
    file: str | None = None,
    places: Iterable[object] = (),
    expected: object = "",
    found: object = "",
    spoiled: Mapping[Path, bytes] = MappingProxyType({}),
    also: Mapping[str, bytes] = MappingProxyType({}),
    healthy: Callable[[], Iterable[Split]] | None = None,
) -> None:
    """Check all three promises for the dataset `toy` and its cache, after a fault and with the fault gone.

    `raised` is what the faulty call raised, if it did; `file`, `places`, `expected` and `found` are what its message
    must name (`file` is one of the dataset's or the cache's unless said otherwise; `places` have to be given for an
    error that lists what was tried). `spoiled` are files that the test
    itself has damaged, with the bytes that it gave them: such a file may still lie there, as it was damaged or right.
    `also` are other files with their content. `healthy` makes the next call and returns what it got; by default it
    loads every split from the folder with the published files.
    """
    kept = {resource.filename for resource in toy.spec.resources}
    nothing_wrong_in(cache_dir, toy, spoiled, also)
    if raised is not None:
        tried = [*map(str, places)]
        assert tried or not isinstance(raised, (DownloadError, ChecksumError)), "the test names no place that was tried"
        _says(raised, toy, cache_dir, file, [*tried, str(expected), str(found)])
    gained = list(load_all(toy, cache_dir) if healthy is None else healthy())
    assert gained, "the next call gave nothing"
    for split in gained:
        is_right(split, toy)
    # a kept file is not looked at while its array serves, and never trusted unread
    nothing_wrong_in(cache_dir, toy, {path: data for path, data in spoiled.items() if path.name in kept}, also)
    for split in gained:  # and from now on without any other place
        spec = toy.mirrored()
        warm = load(spec, split.info.split, cache_dir=cache_dir, download=False, plugins=Plugins([]))
        is_right(warm, toy)


def load_all(toy: Made, cache_dir: Path) -> list[Split]:
    """The next healthy call: every split, from the folder with the published files."""
    options = {"data_dir": toy.folder, "cache_dir": cache_dir, "download": False, "plugins": Plugins([])}
    return [load(toy.spec, name, **options) for name in toy.spec.splits]


def is_right(split: Split, toy: Made) -> None:
    """That a split holds the arrays that were published, and nothing else."""
    images, labels = (
        np.concatenate([toy.array(getattr(toy.spec.splits[name], which))[start:stop] for name, start, stop in parts])
        for parts in [split.info.parts]
        for which in ("images", "labels")
    )
    np.testing.assert_array_equal(split.images, images, strict=True)
    np.testing.assert_array_equal(split.labels, labels)


def nothing_wrong_in(
    cache_dir: Path,
    toy: Made,
    spoiled: Mapping[Path, bytes] = MappingProxyType({}),
    also: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """That each file in the cache is right, but for those that the test has spoiled itself and that are still so.

    An array is proven by its bytes, and against its record if that is there; a kept file by its bytes; temp files and
    locks are under no final name. There is nothing besides.
    """
    if not cache_dir.is_dir():
        return
    owner = Cache(cache_dir, toy.spec)
    right: dict[Path, Callable[[Path], bool]] = {owner.folder / "CACHEDIR.TAG": _is_tag}
    for file in toy.published:
        path = owner.file(file)
        right |= {path: _has(toy.bytes(file)), path.with_name(f"{path.name}.origin.json"): _is_note(file)}
        right[path.with_name("CACHEDIR.TAG")] = _is_tag
    for resource in toy.spec.resources:
        right[owner.array_file(resource)] = _is_array(toy, resource)
        right[owner.record_file(resource)] = _is_record(toy, resource)
    for name, content in also.items():
        right[owner.folder / name] = _has(content)
        right[owner.folder / f"{name}.json"] = _is_derived_record(content)
    for folder, _, names in os.walk(cache_dir):
        for path in (Path(folder, name) for name in names):
            if path.name.startswith(".") and path.suffix in (".lock", ".tmp"):
                continue
            if path in spoiled and path.read_bytes() == spoiled[path]:
                continue
            assert path in right, f"{path} does not belong in the cache"
            assert right[path](path), f"{path} is there and is wrong"


def _says(raised: BaseException, toy: Made, cache_dir: Path, file: str | None, parts: Iterable[str]) -> None:
    assert isinstance(raised, IdxHubError), f"not one of idxhub's own: {raised!r}"
    message = str(raised)
    if file is not None:
        assert file in message, f"does not name {file!r}: {message}"
    else:
        names = [str(cache_dir), *(resource.stem for resource in toy.spec.resources)]
        assert any(name in message for name in names), f"names no file: {message}"
    for part in parts:
        assert part in message, f"does not say {part!r}: {message}"
    if isinstance(raised, (DownloadError, ChecksumError)):
        assert raised.failures, f"lists no place: {message}"
        for failure in raised.failures:
            assert failure.where in message
            assert failure.why in message


def _is_tag(path: Path) -> bool:
    return path.read_bytes().startswith(TAG)


def _has(content: bytes) -> Callable[[Path], bool]:
    return lambda path: path.read_bytes() == content


def _is_note(file: Resource | Archive) -> Callable[[Path], bool]:
    return lambda path: json.loads(path.read_bytes())["md5"] == file.md5


def _is_derived_record(content: bytes) -> Callable[[Path], bool]:
    return lambda path: json.loads(path.read_bytes())["xxh3"] == _xxh3(content)


def _is_array(toy: Made, resource: Resource) -> Callable[[Path], bool]:
    def is_right_array(path: Path) -> bool:
        data = path.read_bytes()
        array = np.load(io.BytesIO(data), allow_pickle=False)  # a reader that is not idxhub's
        published = toy.kept_array(resource)
        return (
            array.dtype == published.dtype
            and array.shape == published.shape
            and data[len(data) - published.nbytes :] == published.tobytes()
        )

    return is_right_array


def _is_record(toy: Made, resource: Resource) -> Callable[[Path], bool]:
    def is_right_record(path: Path) -> bool:
        record = json.loads(path.read_bytes())
        return bool(
            record["md5"] == resource.md5
            and record["payload_sha256"] == resource.payload_sha256
            and record["xxh3"] == _xxh3(toy.kept_array(resource).tobytes())
        )

    return is_right_record


def _xxh3(data: bytes) -> list[str]:
    return [xxhash.xxh3_64_hexdigest(data[at : at + CHUNK]) for at in range(0, len(data), CHUNK)]
