"""Files that are met under other files' names, known by digest: so that an error can say what a file is.

Sources: recomputed from the bytes where marked +; else as pinned by torchvision (MNIST) and MXNet Gluon (the
first Fashion-MNIST release).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from idxhub.catalog import DatasetSpec

_FIRST = "Fashion-MNIST of 2017-08-26, before duplicates were removed"

# lower-case hex; MD5 has 32 digits, SHA-1 40
_FILES = {
    "f68b3c2dcbeaaa9fbdd348bbdeb94873": "MNIST train images",
    "d53e105ee54ea40749a09fcbcd1e9432": "MNIST train labels",  # +
    "9fb629c4189551a2d022fa330f9573f3": "MNIST test images",  # +
    "ec29112dd5afa0611ce80d1b7f02629c": "MNIST test labels",  # +
    "6bbc9ace898e44ae57da46a324031adb": "MNIST train images, decompressed",
    "a25bea736e30d166cdddb491f175f624": "MNIST train labels, decompressed",  # +
    "2646ac647ad5339dbf082846283269ea": "MNIST test images, decompressed",  # +
    "27ae3e4e09519cfbb04c329615203637": "MNIST test labels, decompressed",  # +
    "c25fcebcfee76fc70679a885c08e7783": f"{_FIRST}: train labels",  # +
    "db06173b3df7891d78edf9cae5fe8f8a": f"{_FIRST}: test labels",  # +
    "0cf37b0d40ed5169c6b3aba31069a9770ac9043d": f"{_FIRST}: train images",
    "626ed6a7c06dd17c0eec72fa3be1740f146a2863": f"{_FIRST}: test images",
}


def what_is(data: bytes, specs: Iterable[DatasetSpec] = ()) -> str | None:
    """What a file's bytes are, by the digests known here and those of `specs`; None if unknown."""
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    sha1 = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    for digest in (md5, sha1):
        if digest in _FILES:
            return _FILES[digest]
    sha256 = hashlib.sha256(data).hexdigest()
    for spec in specs:
        for resource in spec.resources:
            if md5 == resource.md5:
                return f"{resource.filename} of {spec.name}"
            if sha256 == resource.payload_sha256:
                return f"{resource.filename} of {spec.name}, decompressed"
    return None
