"""The published files of datasets, each with a description in words."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from idxhub.catalog.resource import Archive, Resource
from idxhub.catalog.spec import DatasetSpec


@dataclass(frozen=True)
class PublishedFile:
    """A published file in words: the title of its `dataset`, and which `part` of it the file is.

    A file of a spec has its `spec` and `resource`. An `archive` has neither: several specs may share it. A file of a
    dataset that no spec describes has none of the three.
    """

    dataset: str
    part: str
    spec: DatasetSpec | None = None
    resource: Resource | None = None
    archive: Archive | None = None

    def __str__(self) -> str:
        if self.archive is not None:
            return f"{self.dataset}, {self.part}"
        return f"{self.dataset}{':' * (', ' in self.dataset)} {self.part}"


def files_of_specs(specs: Iterable[DatasetSpec]) -> Iterator[PublishedFile]:
    """The files of the specs, each once: `Fashion-MNIST train images`, and so on."""
    for spec in specs:
        seen: set[Resource] = set()
        for name, split in spec.splits.items():
            for kind, resource in (("images", split.images), ("labels", split.labels)):
                if resource not in seen:
                    seen.add(resource)
                    yield PublishedFile(spec.title or spec.name, f"{name} {kind}", spec, resource)


def archives_of_specs(specs: Iterable[DatasetSpec]) -> Iterator[PublishedFile]:
    """The archives in which the specs' files are published, each once: `EMNIST, the archive`."""
    titles: dict[Archive, dict[str, None]] = {}
    for spec in specs:
        for resource in spec.resources:
            if resource.archive is not None:
                titles.setdefault(resource.archive, {})[spec.title or spec.name] = None
    for archive, names in titles.items():
        yield PublishedFile(_common_words(names) or " and ".join(names), "the archive", archive=archive)


def _common_words(titles: Iterable[str]) -> str:
    """The words with which all titles begin."""
    columns = zip(*(title.split() for title in titles), strict=False)
    return " ".join(column[0] for column in itertools.takewhile(lambda column: len(set(column)) == 1, columns))
