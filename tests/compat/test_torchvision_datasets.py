"""`torchvision_datasets` beside torchvision's own classes: elements, batches, attributes and errors."""

from __future__ import annotations

import inspect
import pickle
import tracemalloc
import warnings
from dataclasses import replace

import numpy as np
import pytest
from support import made
from support.needs import need, need_elsewhere
from support.processes import python

import idxhub
from idxhub import errors

torch = need("torch")
need("PIL.Image")
from PIL import Image  # noqa: E402
from torch.utils._pytree import tree_map  # noqa: E402
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, default_collate  # noqa: E402

from idxhub_bench import vision  # noqa: E402
from idxhub_compat import torchvision_datasets as ours  # noqa: E402
from idxhub_compat.torchvision_datasets import mnist as module  # noqa: E402

unpickled = pickle.loads
MEAN, STD = (0.2860,), (0.3530,)


@pytest.fixture(scope="session")
def torchvision():
    """torchvision's `datasets`, `transforms` and `transforms.v2`."""
    need_elsewhere("torchvision")
    datasets, transforms = vision.modules()
    from torchvision.transforms import v2  # noqa: PLC0415 -- after what may have failed once

    return datasets, transforms, v2


@pytest.fixture
def root(fashion, tmp_path, monkeypatch):
    """A root with the decompressed files, as torchvision keeps them."""
    monkeypatch.setattr(ours.FashionMNIST, "dataset_name", fashion.name)
    fashion.unpack(tmp_path / "root" / "FashionMNIST" / "raw")
    return tmp_path / "root"


def pipelines(transforms, v2):
    """Transforms that are applied to a whole batch, by a name."""
    to_dtype = v2.ToDtype(torch.float32, scale=True)
    return {
        "ToTensor": transforms.ToTensor(),
        "Compose": transforms.Compose([transforms.ToTensor()]),
        "ToTensor, Normalize": transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)]),
        "v2": v2.Compose([v2.ToImage(), to_dtype]),
        "v2, Normalize": v2.Compose([v2.ToImage(), to_dtype, v2.Normalize(MEAN, STD)]),
        "v2, Normalize of the first version": v2.Compose([v2.ToImage(), to_dtype, transforms.Normalize(MEAN, STD)]),
        "v2 in the first Compose": transforms.Compose([v2.Compose([v2.ToImage(), to_dtype]), v2.Normalize(MEAN, STD)]),
        "PILToTensor": v2.Compose([v2.PILToTensor(), to_dtype]),
        "PILToTensor of the first version": transforms.Compose([transforms.PILToTensor(), to_dtype]),
    }


PIPELINES = (
    *("ToTensor", "Compose", "ToTensor, Normalize", "v2", "v2, Normalize", "v2, Normalize of the first version"),
    *("v2 in the first Compose", "PILToTensor", "PILToTensor of the first version"),
)


def assert_same_elements(one, other):
    (image, label), (expected, expected_label) = one, other
    assert type(image) is type(expected)
    if isinstance(image, torch.Tensor):
        assert image.dtype == expected.dtype
        assert torch.equal(image, expected)
    else:
        assert (image.mode, image.tobytes()) == (expected.mode, expected.tobytes())
    assert type(label) is type(expected_label)
    assert label == expected_label


@pytest.mark.parametrize("train", [True, False])
def test_elements_are_pil_images_as_in_torchvision(train, root, torchvision):
    datasets, _, _ = torchvision
    mine, theirs = (each.FashionMNIST(root, train=train) for each in (ours, datasets))
    assert isinstance(mine, Dataset)
    assert len(mine) == len(theirs)
    for index in (0, 1, 77, len(theirs) - 1, -1, torch.tensor(5), np.int64(6)):
        assert_same_elements(mine[index], theirs[index])
    image, label = mine[0]
    assert (type(image), image.mode, image.size, type(label)) == (Image.Image, "L", (28, 28), int)
    assert torch.equal(mine.data, theirs.data)
    assert torch.equal(mine.targets, theirs.targets)
    assert (mine.data.dtype, mine.targets.dtype) == (theirs.data.dtype, theirs.targets.dtype)


def test_attributes_are_those_of_torchvision(root, torchvision):
    datasets, transforms, _ = torchvision
    for transform in (None, transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])):
        mine, theirs = (each.FashionMNIST(str(root), True, transform, transform) for each in (ours, datasets))
        for name in ("root", "train", "transform", "target_transform", "classes", "class_to_idx", "raw_folder"):
            assert getattr(mine, name) == getattr(theirs, name), name
        assert repr(mine) == repr(theirs)
    assert repr(ours.FashionMNIST(root, False)) == repr(datasets.FashionMNIST(root, False))


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST", "QMNIST", "EMNIST"])
def test_signatures_and_classes_are_those_of_torchvision(name, torchvision):
    mine, theirs = getattr(ours, name), getattr(torchvision[0], name)
    parameters, expected = (inspect.signature(each).parameters for each in (mine, theirs))
    assert [*parameters] == [*expected]
    assert [each.default for each in parameters.values()] == [each.default for each in expected.values()]
    assert [each.kind for each in parameters.values()] == [each.kind for each in expected.values()]
    if name != "EMNIST":
        assert mine.classes == theirs.classes
    else:
        assert mine.classes_split_dict == {key: theirs.classes_split_dict[key] for key in mine.splits}
        assert set(theirs.splits) - set(mine.splits) == {"mnist"}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_batches_are_those_of_torchvision(pipeline, root, torchvision, monkeypatch):
    datasets, transforms, v2 = torchvision
    transform = pipelines(transforms, v2)[pipeline]
    mine, theirs = (each.FashionMNIST(root, transform=transform) for each in (ours, datasets))
    rows = np.random.default_rng(0).permutation(len(mine))[:640].tolist()
    expected = [*DataLoader(Subset(theirs, rows), batch_size=100)]
    elements = mine.__getitems__(rows[:3])
    assert len(elements) == 3
    for element, row in zip(elements, rows, strict=False):
        assert_same_elements(element, theirs[row])
    for element, row in zip(elements[1:], rows[1:], strict=False):
        assert_same_elements(element, theirs[row])
    monkeypatch.setattr(module.MNIST, "_target", None)  # no element is made by itself
    for batch, other in zip(DataLoader(Subset(mine, rows), batch_size=100), expected, strict=True):
        assert type(batch) is type(other) is list
        for one, another in zip(batch, other, strict=True):
            assert type(one) is type(another) is torch.Tensor
            assert one.dtype == another.dtype
            assert torch.equal(one, another)


def test_every_pixel_value_is_scaled_as_in_torchvision(torchvision):
    _, transforms, v2 = torchvision
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for name, transform in pipelines(transforms, v2).items():
        known = module.batch_transform(transform)
        assert torch.equal(known.apply(pixels[None])[0], transform(Image.fromarray(pixels))), name


def test_a_batch_without_a_transform_is_as_stored(root, fashion):
    mine = ours.FashionMNIST(root)
    images, labels = next(iter(DataLoader(mine, batch_size=64)))
    assert (images.shape, images.dtype, labels.dtype) == ((64, 1, 28, 28), torch.uint8, torch.int64)
    assert np.array_equal(images[:, 0], fashion.images("train")[:64])
    assert labels.tolist() == fashion.labels("train")[:64].tolist()


def test_a_collate_function_gets_pil_images(root):
    mine = ours.FashionMNIST(root)
    batch = next(iter(DataLoader(mine, batch_size=4, collate_fn=list)))
    for row, element in enumerate(batch):
        assert_same_elements(element, mine[row])


def test_a_transform_of_elements_in_a_collate_function(root, torchvision):
    _, transforms, v2 = torchvision
    flip = v2.RandomHorizontalFlip(1.0)
    mine = ours.FashionMNIST(root, transform=transforms.ToTensor())
    loader = DataLoader(mine, batch_size=4, collate_fn=lambda batch: default_collate([flip(each) for each in batch]))
    images, labels = next(iter(loader))
    assert torch.equal(images, torch.stack([mine[row][0].flip(-1) for row in range(4)]))
    assert torch.equal(labels, mine.targets[:4])


def test_a_batch_is_a_nested_container_for_torch(root):
    same = tree_map(lambda value: value, ours.FashionMNIST(root).__getitems__([0, 1]))
    assert [type(each) for each in (same, *same)] == [list, tuple, tuple]


def test_to_dtype_alone_scales_batches(root, torchvision):
    transform = torchvision[2].ToDtype(torch.float32, scale=True)
    mine = ours.FashionMNIST(root, transform=transform)
    assert isinstance(mine[0][0], Image.Image)  # it leaves PIL images as they are
    images, _ = next(iter(DataLoader(mine, batch_size=8)))
    assert images.dtype == torch.float32
    assert torch.equal(images, mine.data[:8, None].to(torch.float32).mul_(1 / 255))


def unknown(transforms, v2):
    class Louder(transforms.ToTensor):
        def __call__(self, image):
            return super().__call__(image) * 2

    return {
        "a subclass": Louder(),
        "a function": lambda image: torch.tensor(np.asarray(image)),
        "another step": transforms.Compose([transforms.RandomHorizontalFlip(1.0), transforms.ToTensor()]),
        "without scale": v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32)]),
        "another dtype": v2.Compose([v2.ToImage(), v2.ToDtype(torch.float64, scale=True)]),
        "twice": transforms.Compose([transforms.ToTensor(), v2.ToDtype(torch.float32, scale=True)]),
        "a step after Normalize": transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize(MEAN, STD), transforms.ConvertImageDtype(torch.float64)]
        ),
        "an augmentation after it": transforms.Compose([transforms.ToTensor(), transforms.CenterCrop(20)]),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("a subclass", "a function", "another step", "without scale", "another dtype", "twice"),
        *("a step after Normalize", "an augmentation after it"),
    ],
)
def test_other_transforms_run_one_image_at_a_time(name, root, torchvision):
    datasets, transforms, v2 = torchvision
    transform = unknown(transforms, v2)[name]
    mine, theirs = (each.FashionMNIST(root, transform=transform) for each in (ours, datasets))
    assert type(mine.__getitems__([0, 1])) is list
    batch, expected = (next(iter(DataLoader(each, batch_size=32))) for each in (mine, theirs))
    for one, other in zip(batch, expected, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def test_another_default_dtype_is_followed(root, torchvision):
    mine = ours.FashionMNIST(root, transform=torchvision[1].ToTensor())
    torch.set_default_dtype(torch.float64)
    try:
        images, _ = next(iter(DataLoader(mine, batch_size=2)))
    finally:
        torch.set_default_dtype(torch.float32)
    assert images.dtype == torch.float64


@pytest.mark.parametrize("indices", [[0.6, 1.9], [True, False], torch.tensor([False, True]), [[1, 2], [3, 4]]])
def test_a_mask_or_other_numbers_are_no_indices(indices, root):
    with pytest.raises(TypeError, match="indices are integers, "):
        next(iter(DataLoader(Subset(ours.FashionMNIST(root), indices), batch_size=2)))


@pytest.mark.parametrize(
    "kind", [tuple, set, iter, np.array, torch.tensor, dict.fromkeys], ids=lambda kind: kind.__name__
)
def test_a_batch_sampler_may_give_any_iterable(kind, root):
    mine = ours.FashionMNIST(root)
    images, labels = next(iter(DataLoader(mine, batch_sampler=[kind([1, 2, 5])])))
    assert torch.equal(images[:, 0], mine.data[[1, 2, 5]])
    assert torch.equal(labels, mine.targets[[1, 2, 5]])


def test_a_target_transform(root, torchvision):
    transform = torchvision[1].ToTensor()
    mine = ours.FashionMNIST(root, transform=transform, target_transform=lambda label: label * 10)
    _, labels = next(iter(DataLoader(mine, batch_size=16)))
    assert labels.tolist() == (mine.targets[:16] * 10).tolist()


def test_data_and_targets_may_be_replaced(root, torchvision):
    datasets, transforms, _ = torchvision
    batches = []
    for each in (ours, datasets):
        dataset = each.FashionMNIST(root, transform=transforms.ToTensor())
        chosen = dataset.targets == 3
        dataset.targets = dataset.targets[chosen]  # the shorter one first
        dataset.data = dataset.data[chosen]
        batches.append([*DataLoader(dataset, batch_size=64)])
    for one, other in zip(*batches, strict=True):
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    mine = ours.FashionMNIST(root, transform=transforms.ToTensor())
    mine.targets = mine.targets.tolist()
    assert next(iter(DataLoader(mine, batch_size=3)))[1].tolist() == mine.targets[:3]


def test_a_batch_of_data_that_are_not_contiguous_copies_the_batch_alone(root):
    mine = ours.FashionMNIST(root)
    rows = [5, 0, -1]
    mine.data, expected = mine.data.transpose(1, 2), mine.data[rows].transpose(1, 2)  # as EMNIST has them
    mine.targets = torch.stack([mine.targets, mine.targets], dim=1)[:, 0]  # as QMNIST has them
    mine.__getitems__(rows)  # so that nothing is imported below
    tracemalloc.start()
    batch = mine.__getitems__(rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < mine.targets.numpy().nbytes
    assert torch.equal(batch.images[:, 0], expected)
    assert batch.images.is_contiguous()
    assert torch.equal(batch.labels, mine.targets[rows])


def test_a_subclass_with_its_own_elements(root, torchvision, monkeypatch):
    class Inverted(ours.FashionMNIST):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return 1 - image, label

    mine = Inverted(root / "nowhere", transform=torchvision[1].ToTensor())
    images, _ = next(iter(DataLoader(mine, batch_size=4)))
    assert torch.equal(images[0], mine[0][0])


def test_torchs_wrappers_and_workers(root, torchvision):
    mine = ours.FashionMNIST(root, transform=torchvision[1].ToTensor())
    both = ConcatDataset([Subset(mine, range(5)), Subset(mine, range(5, 10))])
    images, labels = next(iter(DataLoader(both, batch_size=10)))
    expected, expected_labels = next(iter(DataLoader(mine, batch_size=10, num_workers=1)))
    assert torch.equal(images, expected)
    assert torch.equal(labels, expected_labels)
    again = unpickled(pickle.dumps(mine))
    assert_same_elements(again[3], mine[3])


def test_former_names_warn(root):
    mine = ours.FashionMNIST(root)
    for former, name in {"train_data": "data", "test_data": "data", "train_labels": "targets"}.items():
        with pytest.warns(UserWarning, match=f"{former} is the former name of {name}"):
            assert getattr(mine, former) is getattr(mine, name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert mine.test_labels is mine.targets
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("download", "hint"), [(False, "; download=True downloads it"), (True, "")])
def test_missing_files_are_a_runtime_error_as_in_torchvision(download, hint, tmp_path, monkeypatch):
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    with pytest.raises(RuntimeError) as caught:
        ours.KMNIST(tmp_path / "root", download=download)
    assert isinstance(caught.value, errors.DownloadError)
    assert caught.value.message.endswith(hint)
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(("download", "hint"), [(False, "; download=True downloads it"), (True, "")])
def test_wrong_files_are_a_runtime_error_as_in_torchvision(download, hint, sample):
    with pytest.raises(RuntimeError) as caught:
        ours.KMNIST(sample.folder, download=download)  # whose files have the same names
    assert isinstance(caught.value, errors.ChecksumError)
    assert caught.value.message.endswith(f"no sound copy found{hint}")
    again = unpickled(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (ours.WrongFilesError, str(caught.value))


def test_torchvision_is_not_imported(sample):
    code = """
        import sys
        from idxhub_compat import torchvision_datasets
        from idxhub_compat.torchvision_datasets import MNIST
        torchvision_datasets.FashionMNIST.dataset_name = "fashion-mnist-sample"
        from torch.utils.data import DataLoader
        print(len(next(iter(DataLoader(torchvision_datasets.FashionMNIST("data"), batch_size=8)))[1]))
        assert "torchvision" not in sys.modules
    """
    assert python(code).stdout == "8\n"


def load_instead(monkeypatch, spec, folder):
    """Make the classes load `spec`, whatever they ask for."""
    asked = []

    def load(name, split, **options):
        asked.append((name, split))
        return idxhub.load(spec, split, **options | {"data_dir": folder})

    monkeypatch.setattr(module, "load", load)
    return asked


def test_emnist_is_as_in_the_files(tmp_path, monkeypatch, torchvision):
    toy = made.make(tmp_path / "published", sizes={"train": 40, "test": 8}, shape=(28, 28))
    splits = {}
    raw = tmp_path / "root" / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, each in toy.spec.splits.items():
        labels = toy.array(each.labels) + 1  # as letters are published
        resource = made.write(tmp_path / "published", f"{name}-letters-idx1-ubyte.gz", labels)
        splits[name] = replace(each, labels=resource, transposed=True, label_offset=1)
        for kind, array in (("images-idx3", toy.array(each.images)), ("labels-idx1", labels)):
            (raw / f"emnist-letters-{name}-{kind}-ubyte").write_bytes(idxhub.idx.encode(array))
    asked = load_instead(monkeypatch, replace(toy.spec, splits=splits), toy.folder)
    transform = torchvision[1].ToTensor()
    for train in (True, False):
        mine, theirs = (
            each.EMNIST(tmp_path / "root", "letters", train=train, transform=transform)
            for each in (ours, torchvision[0])
        )
        assert torch.equal(mine.data, theirs.data)
        assert torch.equal(mine.targets, theirs.targets)
        assert mine.classes == theirs.classes
        assert mine.class_to_idx == theirs.class_to_idx
        assert repr(mine) == repr(theirs)
        batch, expected = (next(iter(DataLoader(each, batch_size=8))) for each in (mine, theirs))
        assert all(torch.equal(one, other) for one, other in zip(batch, expected, strict=True))
    assert asked == [("emnist-letters", "train"), ("emnist-letters", "test")]


@pytest.mark.parametrize("split", ["mnist", "nothing"])
def test_an_unknown_split_is_a_value_error_as_in_torchvision(split, tmp_path):
    with pytest.raises(ValueError, match=r"it must be one of byclass, bymerge, balanced, letters, digits$"):
        ours.EMNIST(tmp_path, split)
    with pytest.raises(ValueError, match=r"it must be one of train, test, test10k, test50k, nist$"):
        ours.QMNIST(tmp_path, split)


WHAT = ("train", "test", "test10k", "test50k", "nist")


@pytest.fixture
def qmnist_root(tmp_path, monkeypatch):
    """A small dataset in QMNIST's files, and torchvision's folder with the same."""
    random = np.random.default_rng(0)
    published = tmp_path / "published"
    raw = tmp_path / "root" / "QMNIST" / "raw"
    raw.mkdir(parents=True)
    splits = {}
    for what, prefix, suffix, size in (
        ("train", "qmnist-train", "gz", 30),
        ("test", "qmnist-test", "gz", 10_020),
        ("nist", "xnist", "xz", 25),
    ):
        images = random.integers(0, 256, (size, 28, 28)).astype(np.uint8)
        table = random.integers(0, 10, (size, 8)).astype(np.int32)
        files = {
            f"{prefix}-images-idx3-ubyte": images,
            f"{prefix}-labels-idx2-int": table,
        }
        resources = [made.write(published, f"{name}.{suffix}", array) for name, array in files.items()]
        for name, array in files.items():
            (raw / name).write_bytes(idxhub.idx.encode(array))
        splits[what] = idxhub.SplitSpec(*resources, label_column=0)
    splits["test10k"] = replace(splits["test"], stop=10_000)
    splits["test50k"] = replace(splits["test"], start=10_000)
    spec = idxhub.DatasetSpec("qmnist", splits, classes=tuple("0123456789"))
    load_instead(monkeypatch, spec, published)
    return tmp_path / "root"


@pytest.mark.parametrize("compat", [True, False])
@pytest.mark.parametrize("what", WHAT)
def test_qmnist_has_the_tables_of_torchvision(what, compat, qmnist_root, torchvision):
    transform = torchvision[1].ToTensor()
    mine, theirs = (
        each.QMNIST(qmnist_root, what=what, compat=compat, transform=transform) for each in (ours, torchvision[0])
    )
    assert torch.equal(mine.data, theirs.data)
    assert torch.equal(mine.targets, theirs.targets)
    assert repr(mine) == repr(theirs)
    image, target = mine[3]
    expected_image, expected = theirs[3]
    assert torch.equal(image, expected_image)
    assert type(target) is type(expected)
    assert torch.equal(torch.as_tensor(target), torch.as_tensor(expected))
    assert isinstance(mine.__getitems__([1, 2])[0], tuple)
    batch, other = (next(iter(DataLoader(each, batch_size=20))) for each in (mine, theirs))
    assert all(torch.equal(one, another) for one, another in zip(batch, other, strict=True))
    element = mine.__getitems__([1, 2])[1][1]
    assert type(element) is type(expected)


def test_a_missing_table_of_qmnist_is_a_runtime_error_too(qmnist_root):
    ours.QMNIST(qmnist_root)  # now images and classes are in the cache
    (qmnist_root.parent / "published" / "qmnist-train-labels-idx2-int.gz").unlink()
    with pytest.raises(ours.DatasetNotFoundError, match=r"qmnist-train-labels-idx2-int\.gz.*; download=True"):
        ours.QMNIST(qmnist_root)


def test_qmnist_takes_what_from_train(qmnist_root):
    assert len(ours.QMNIST(qmnist_root)) == 30
    assert len(ours.QMNIST(qmnist_root, train=False)) == 10_020
