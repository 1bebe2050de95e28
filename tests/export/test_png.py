"""`png`, read by torchvision's ImageFolder, by `datasets` and by Keras."""

from __future__ import annotations

import os

import numpy as np
import pytest
from support.needs import need

from idxhub import Plugins, errors
from idxhub_export.png import class_folders

FASHION_MNIST = [
    "t-shirt-top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
]


def in_order_of_files(split, folders):
    """A split's images and labels as a reader of folders has them: by class, in the order of the folders' names."""
    images, labels = split
    names = sorted(folders.values())
    numbers = np.array([names.index(folders[label]) for label in labels.tolist()])
    order = np.argsort(numbers, kind="stable")
    return images[order], numbers[order]


def by_torchvision(path):
    need("torch")
    from idxhub_bench.vision import modules  # noqa: PLC0415 -- after the skip where it is absent

    datasets, _ = modules()
    folder = datasets.ImageFolder(str(path))
    return (
        [np.asarray(image.convert("L")) for image, _ in folder],
        [label for _, label in folder.samples],
        (folder.classes),
    )


def by_datasets(path):
    datasets = need("datasets")
    # with `data_dir` it lists the folder 66 times, to find splits in it
    found = datasets.load_dataset("imagefolder", data_files=str(path / "**"), split="train")
    read = found[:]
    return list(map(np.asarray, read["image"])), read["label"], found.features["label"].names


def by_keras(path):
    need("tensorflow")
    keras = need("keras")
    sizes = {len(os.listdir(path / each)) for each in os.listdir(path)}
    image = next(path.rglob("*.png"))
    height, width = np.asarray(need("PIL.Image").open(image)).shape
    found = keras.utils.image_dataset_from_directory(
        str(path), color_mode="grayscale", image_size=(height, width), shuffle=False, batch_size=max(sizes)
    )
    batches = [(images.numpy()[..., 0], labels.numpy()) for images, labels in found]
    return np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches]), found.class_names


READERS = {"torchvision": by_torchvision, "datasets": by_datasets, "keras": by_keras}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_readers(data, same, read):
    path = data.exported("png")
    folders = class_folders(data.spec.classes, [], numbered=False)
    for name, split in data.splits.items():
        images, labels, names = read(path / name)
        assert list(names) == sorted(folders.values())
        same((np.asarray(images), np.asarray(labels)), in_order_of_files(split, folders))


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_numbered_folders(data, same, read):
    """The readers' labels are those of the dataset."""
    path = data.exported("png", numbered=True, splits="test")
    folders = class_folders(data.spec.classes, [], numbered=True)
    images, labels, names = read(path / "test")
    assert list(names) == sorted(folders.values())
    split_images, split_labels = data.splits["test"]
    order = np.argsort(split_labels, kind="stable")
    same((np.asarray(images), np.asarray(labels)), (split_images[order], split_labels[order]))


def test_datasets_finds_the_splits(odd):
    datasets = need("datasets")
    found = datasets.load_dataset("imagefolder", data_dir=str(odd.exported("png")))
    # it calls a split of this name by its own
    names = {"valid": "validation"}
    assert {name: len(split) for name, split in found.items()} == {
        names.get(name, name): len(labels) for name, (_, labels) in odd.splits.items()
    }


def test_the_folders_of_fashion_mnist():
    classes = Plugins([]).dataset("fashion-mnist").classes
    assert list(class_folders(classes, [], numbered=False).values()) == FASHION_MNIST
    numbered = list(class_folders(classes, [], numbered=True).values())
    assert numbered == sorted(numbered) == [f"{label}-{slug}" for label, slug in enumerate(FASHION_MNIST)]


@pytest.mark.parametrize("name", ["mnist", "kmnist", "emnist-balanced", "emnist-byclass", "emnist-letters"])
@pytest.mark.parametrize("numbered", [False, True])
def test_no_two_classes_have_one_folder(name, numbered):
    classes = Plugins([]).dataset(name).classes
    folders = class_folders(classes, [], numbered=numbered)
    assert len({folder.casefold() for folder in folders.values()}) == len(classes)


@pytest.mark.parametrize(
    ("classes", "labels", "folders"),
    [
        (("Ant/s", "Ça va?"), [], ["ant-s", "ca-va"]),
        (("A", "a", "b"), [], ["a-0", "a-1", "b"]),
        (("お", "す"), [], ["0", "1"]),
        (("con", "x"), [], ["con-0", "x"]),
        ((), [0, 3, 12], ["00", "03", "12"]),
        (("A", "a", "a-1"), [], ["0-a", "1-a", "2-a-1"]),
        (("..", "/"), [], ["0", "1"]),
    ],
)
def test_slugs(classes, labels, folders):
    assert list(class_folders(classes, labels, numbered=False).values()) == folders


def test_what_no_png_can_hold_is_refused_before_anything_is_loaded(tmp_path):
    from support import made  # noqa: PLC0415 -- here only

    from idxhub import export  # noqa: PLC0415 -- likewise

    toy = made.make(tmp_path / "published", shape=(6,))
    with pytest.raises(errors.ArgumentError, match="for PNG"):
        export(toy.spec, "png", tmp_path / "out", data_dir=toy.folder)
