"""Lance datasets: a PNG file and a label for each example, in a dataset for each split."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import lance
import pyarrow as pa

from idxhub import ExportFormat, ExportSplit, Split, hookimpl
from idxhub_export.examples import check_images, examples
from idxhub_export.library_errors import library_path, system_errors


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder with a dataset for each split."""
    return ExportFormat("a folder with Lance datasets of PNG images", is_folder=True)


@hookimpl
def idxhub_check_export(splits: Mapping[str, ExportSplit]) -> None:
    """Refuse images that no PNG can hold."""
    check_images(splits)


@hookimpl
def idxhub_export(splits: Mapping[str, Split], path: Path, progress: Callable[[int], None]) -> None:
    """Write the datasets. Lance gives files random names and notes the time: the bytes are not the same each time."""
    schema = pa.schema({"image": pa.binary(), "label": pa.int64()})
    for name, split in splits.items():
        is_working, ended, failed = threading.Lock(), threading.Event(), list[Exception]()
        batches = _batches(split, schema, functools.partial(_report, progress, failed), is_working, ended)
        try:
            with system_errors():
                reader = pa.RecordBatchReader.from_batches(schema, batches)
                lance.write_dataset(reader, library_path(path / f"{name}.lance"), schema)
        except Exception:
            if failed:  # Lance raises an error of its own, which has only the text of this one
                raise failed[0]  # noqa: B904 -- it is the cause of the other, and not the other way round
            raise
        finally:
            # Lance takes the batches in a thread of its own. After Ctrl-C that thread must not be at work here when
            # Python ends, because the process would abort.
            ended.set()
            with is_working:
                pass


def _batches(
    split: Split, schema: pa.Schema, progress: Callable[[int], None], is_working: threading.Lock, ended: threading.Event
) -> Iterator[pa.RecordBatch]:
    """The batches. `is_working` is held while one is made; none is made after `ended`."""
    with is_working:
        for part in examples(split, range(len(split))):
            columns = [pa.array(part.files, pa.binary()), pa.array(part.labels, pa.int64())]
            batch = pa.record_batch(columns, schema=schema)
            is_working.release()
            try:
                yield batch
            finally:
                is_working.acquire()
            if ended.is_set():
                return
            progress(len(part.files))


def _report(progress: Callable[[int], None], failed: list[Exception], count: int) -> None:
    """Call `progress`, and add its error to `failed`."""
    try:
        progress(count)
    except Exception as error:
        failed.append(error)
        raise
