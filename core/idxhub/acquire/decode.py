"""Decoding the content of a file, which comes in blocks, to the elements of an array as the cache stores it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import ArraySpec
from idxhub.errors import IdxFormatError
from idxhub.formats import idx

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray

_PART = 1 << 22  # bytes of content in a part, so that labels, which become eight times as large, take little memory


def decode_blocks(array_spec: ArraySpec, blocks: Iterable[bytes | memoryview]) -> Iterator[NDArray[Any]]:
    """Decode the blocks of an IDX file, and apply the steps of the array spec.

    Yields the elements of the array in their order, in flat parts. Takes every block before it ends. Raises
    `IdxFormatError` if the file is not IDX, or does not have the shape and the type that the spec says.
    """
    resource, blocks = array_spec.resource, iter(blocks)
    start: bytes | memoryview = next(blocks, b"")
    while len(start) < idx.MAX_HEADER_SIZE and (block := next(blocks, None)) is not None:
        start = bytes(start) + block
    header = idx.read_header(start)
    if (header.shape, header.dtype.newbyteorder("=")) != (resource.shape, np.dtype(resource.dtype)):
        raise _wrong_array(header, resource, len(start) + sum(map(len, blocks)))
    size, unit = header.size, _unit(array_spec, header)
    for part in _split(itertools.chain([memoryview(start)[size:]], blocks), unit):
        size += len(part)
        if len(part) % unit:  # the last part, so the file is too short
            break
        yield _apply_steps(array_spec, np.frombuffer(part, header.dtype))
    header.check(size)


def _wrong_array(header: idx.Header, resource: Resource, size: int) -> IdxFormatError:
    header.check(size)
    return IdxFormatError(
        f"it holds {header.dtype.name} of shape {header.shape} where "
        f"the spec says {resource.dtype} of shape {resource.shape}"
    )


def _unit(array_spec: ArraySpec, header: idx.Header) -> int:
    """The number of bytes that the steps need together: those of a row or an image, or else of one element."""
    if array_spec.column is None and not array_spec.transposed:
        return header.dtype.itemsize
    return max(1, math.prod(header.shape[1:])) * header.dtype.itemsize


def _split(blocks: Iterable[bytes | memoryview], unit: int) -> Iterator[memoryview]:
    """The same bytes in parts that are multiples of `unit`; if the last one is not, there were too few or too many."""
    length = max(unit, _PART - _PART % unit)
    waiting, size = list[bytes | memoryview](), 0  # blocks that are joined once they have a unit, and their bytes
    for block in blocks:
        waiting.append(block)
        size += len(block)
        if size < unit:
            continue
        view = memoryview(waiting[0] if len(waiting) == 1 else b"".join(waiting))
        end = size - size % unit
        for begin in range(0, end, length):
            yield view[begin : min(begin + length, end)]
        waiting, size = ([bytes(view[end:])], size - end) if end < size else ([], 0)
    if size:
        yield memoryview(b"".join(waiting))


def _apply_steps(array_spec: ArraySpec, elements: NDArray[Any]) -> NDArray[Any]:
    shape = array_spec.resource.shape
    if array_spec.column is not None:
        elements = elements.reshape(-1, shape[1])[:, array_spec.column]
    elements = elements.astype(array_spec.dtype, copy=False)
    if array_spec.offset:
        elements = elements - array_spec.offset
        _check_labels(elements, array_spec.offset)
    if array_spec.transposed:
        elements = elements.reshape(-1, *shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(elements).reshape(-1)


def _check_labels(labels: NDArray[Any], offset: int) -> None:
    """Raise `IdxFormatError` unless 32 bits can hold the labels: some frameworks have no wider ones."""
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    if not -(2**31) <= lowest <= highest < 2**31:
        wrong = lowest if lowest < -(2**31) else highest
        raise IdxFormatError(f"with label_offset={offset} it has the label {wrong}, which does not fit into 32 bits")
