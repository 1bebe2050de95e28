"""The public functions on a dataset of one's own, and what they say to a caller's mistake."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from support import made
from support.processes import python

import idxhub
from idxhub import Arrays, Conventions, Plugins, as_layout, errors, get_dataset, hookimpl, load, to_float32
from idxhub.cache.layout import list_cache_folders
from idxhub.cache.store import Cache
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST
from idxhub.data.arrays import LAYOUTS


@pytest.fixture
def options(toy):
    return {"data_dir": toy.folder, "download": False}


def test_load_gives_the_arrays_and_their_description(toy, options):
    split = load(toy.spec, "test", **options)
    assert len(split) == 12
    assert split.classes == made.CLASSES
    assert (split.info.dataset, split.info.split, split.info.num_examples) == ("toy", "test", 12)
    assert split.info.spec == toy.spec
    assert [record.filename for record in split.info.records] == [each.filename for each in toy.spec.resources[2:]]
    np.testing.assert_array_equal(split.images, toy.arrays["test-images-idx3-ubyte"])


@pytest.mark.parametrize("kind", [tuple, list])
def test_several_splits_give_a_tuple(toy, options, kind):
    first, rest, test = get_dataset(toy.spec, split=kind(["train[:50%]", "train[50%:]", "test"]), **options)
    np.testing.assert_array_equal(np.concatenate([first.images, rest.images]), toy.array(toy.train_images))
    assert len(test.labels) == 12
    assert len(get_dataset(toy.spec, split=kind(["test"]), **options)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train", lambda train, test: train),
        ("train[:5]", lambda train, test: train[:5]),
        ("train[-5:]", lambda train, test: train[-5:]),
        ("train[5:5]", lambda train, test: train[5:5]),
        ("train+test", lambda train, test: np.concatenate([train, test])),
        ("test+train[20%:40%]", lambda train, test: np.concatenate([test, train[6:12]])),
        ("test+test", lambda train, test: np.concatenate([test, test])),
        ("all", lambda train, test: np.concatenate([train, test])),
    ],
)
def test_splits_hold_what_they_say(toy, options, text, expected):
    arrays = get_dataset(toy.spec, split=text, **options)
    assert isinstance(arrays, Arrays)
    assert (arrays.images.dtype, arrays.labels.dtype) == (np.uint8, np.int64)
    for what in ("images-idx3", "labels-idx1"):
        whole = expected(toy.arrays[f"train-{what}-ubyte"], toy.arrays[f"test-{what}-ubyte"])
        np.testing.assert_array_equal(arrays[what.startswith("labels")], whole)


@pytest.mark.parametrize(("layout", "shape"), [(None, (6, 5)), ("HW", (6, 5)), ("CHW", (1, 6, 5)), ("HWC", (6, 5, 1))])
@pytest.mark.parametrize("dtype", [None, "uint8", "float32"])
def test_dtype_and_layout(toy, options, layout, shape, dtype):
    images = get_dataset(toy.spec, layout=layout, dtype=dtype, **options).images
    assert images.shape == (30, *shape)
    stored = toy.array(toy.train_images)
    expected = (stored.astype(np.float64) / 255).astype(np.float32) if dtype == "float32" else stored
    assert images.dtype == expected.dtype
    np.testing.assert_array_equal(images.reshape(30, 6, 5), expected)


def test_every_pixel_value_is_correctly_rounded():
    pixels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_float32(pixels), (pixels.astype(np.float64) / 255).astype(np.float32))


@pytest.mark.parametrize("layout", [None, *LAYOUTS])
def test_layouts_are_views(layout):
    images = np.zeros((4, 3, 2), np.uint8)
    assert np.shares_memory(as_layout(images, layout), images)


def test_an_unknown_layout_is_not_taken_for_another():
    with pytest.raises(errors.UnknownNameError, match="unknown layout 'CWH'; did you mean 'CHW'"):
        as_layout(np.zeros((4, 3, 2), np.uint8), "CWH")


UNKNOWN = {
    "dataset": ({"name": "fashon-mnist"}, "dataset", "fashion-mnist"),
    "no dataset": ({"name": None}, "dataset", None),
    "dataset of another type": ({"name": ["mnist"]}, "dataset", None),
    "dataset of yet another type": ({"name": {}}, "dataset", None),
    "framework of another type": ({"framework": ["numpy"]}, "framework", None),
    "framework": ({"framework": "nunpy"}, "framework", "numpy"),
    "split": ({"split": "tran"}, "split", "train"),
    "split among several": ({"split": ["test", "tran"]}, "split", "train"),
    "empty split": ({"split": ""}, "split", None),
    "option": ({"transfrom": None}, "option of numpy", None),
    "dtype": ({"dtype": "float23"}, "dtype for toy", "float32"),
    "another dtype": ({"dtype": np.float16}, "dtype for toy", "float32"),
    "no dtype": ({"dtype": object()}, "dtype for toy", None),
    "layout": ({"layout": "HCW"}, "layout", None),
    "layout in small letters": ({"layout": "chw"}, "layout", "CHW"),
    "argument of get_loader": ({"batch_size": 4}, "option of numpy", None),
    "keyword": ({"data_dri": 4}, "option of numpy", "data_dir"),
    "name as a keyword": ({"nmae": "x"}, "option of numpy", "name"),
}


@pytest.mark.parametrize("mistake", UNKNOWN)
def test_a_callers_mistake_is_named_before_anything_is_read(toy, mistake, cache_dir, tmp_path):
    changes, kind, nearest = UNKNOWN[mistake]
    arguments = {"name": toy.spec, "data_dir": tmp_path / "nothing"} | changes
    with pytest.raises(errors.UnknownNameError) as caught:
        get_dataset(**arguments)
    assert caught.value.kind == kind
    if nearest is not None:
        assert caught.value.nearest() == nearest
        assert f"did you mean {nearest!r}?" in str(caught.value)
    assert caught.value.choices
    assert not cache_dir.exists()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *[("split", split) for split in (5, None, b"train", ["train", None], {"train": 1})],
        *[(folder, path) for folder in ("data_dir", "cache_dir") for path in (b"/tmp", "a\0b", 5, "")],
        *[(switch, value) for switch in ("download", "verify") for value in ("no", 1, None)],
        *[("plugins", plugins) for plugins in (3, [], "numpy")],
    ],
    ids=repr,
)
def test_an_argument_of_another_type_is_named(toy, argument, value, cache_dir):
    with pytest.raises(errors.ArgumentError, match=rf"^{argument} is .*; it must be (an? |True or False)"):
        get_dataset(toy.spec, **{argument: value})
    assert not cache_dir.exists()


class Strict:
    """An adapter that refuses all values of its option, and all devices."""

    @hookimpl
    def idxhub_conventions(self):
        return Conventions(layout="CHW", options={"option": "any"})

    @hookimpl
    def idxhub_check(self, options, shape, dtype, layout):
        if options:
            raise errors.ArgumentError("option", options["option"], f"absent of {shape}, {dtype}, {layout}")

    @hookimpl
    def idxhub_check_device(self, device):
        raise errors.ArgumentError("device", device, "here")

    @hookimpl
    def idxhub_dataset(self, split):
        return split

    @hookimpl
    def idxhub_batch(self, images, labels):
        return images, labels

    @hookimpl
    def idxhub_resident(self, split, device):
        raise AssertionError(device)


@pytest.fixture
def strict():
    plugins = Plugins([])
    plugins.register("strict", Strict())
    return {"framework": "strict", "plugins": plugins, "download": False}


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ({}, r"\(6, 5\), uint8, CHW"),
        ({"dtype": "float32", "layout": "HW", "split": ("train[:5]", "test")}, r"\(6, 5\), float32, HW"),
    ],
    ids=str,
)
def test_an_adapter_refuses_a_value_before_anything_is_looked_for(toy, strict, cache_dir, arguments, seen):
    with pytest.raises(errors.ArgumentError, match=rf"^option is 3; it must be absent of {seen}$"):
        get_dataset(toy.spec, option=3, **strict, **arguments)
    assert not cache_dir.exists()
    assert len(get_dataset(toy.spec, data_dir=toy.folder, **strict)) == 30


def test_an_adapter_refuses_a_device_before_anything_is_looked_for(toy, strict, cache_dir):
    with pytest.raises(errors.ArgumentError, match=r"^device is 'there'; it must be here$"):
        idxhub.get_loader(toy.spec, batch_size=2, device="there", **strict)
    assert not cache_dir.exists()


def test_an_argument_of_get_loader_is_said_to_be_one():
    with pytest.raises(errors.UnknownNameError, match=r"option of numpy 'batch_size': get_loader, .* has it"):
        get_dataset(batch_size=4)


@pytest.mark.parametrize(
    "dtype", [np.float32, np.dtype("float32"), np.dtype(">f4"), np.dtype("f4"), "f4", "single"], ids=repr
)
def test_numpys_own_dtypes_will_do(toy, options, dtype):
    assert get_dataset(toy.spec, dtype=dtype, **options).images.dtype == np.float32
    assert next(iter(idxhub.get_loader(toy.spec, batch_size=2, dtype=dtype, **options)))[0].dtype == np.float32
    assert get_dataset(toy.spec, dtype=np.uint8, **options).images.dtype == np.uint8


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("function", [get_dataset, load, idxhub.get_loader])
def test_a_data_dir_that_does_not_exist_is_an_error_whatever_the_cache_holds(toy, options, tmp_path, function, warm):
    if warm:
        get_dataset(toy.spec, **options)
    more = {"batch_size": 2} if function is idxhub.get_loader else {}
    with pytest.raises(errors.DownloadError, match=r"data_dir='.*typo' does not exist; name the folder"):
        function(toy.spec, data_dir=tmp_path / "typo", **more)


def test_the_default_is_never_another_dataset(monkeypatch):
    """Without the data, get_dataset() fails; it never gives the sample instead."""
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    nowhere = replace(FASHION_MNIST, folders=())
    with pytest.raises(errors.DownloadError, match=r"train-.*of fashion-mnist was not found"):
        get_dataset(nowhere)


@pytest.mark.parametrize("text", ["train", "train[10:20]", "train+test", "train[:0]"])
def test_an_untouched_split_is_pickled_by_reference(large, text):
    split = load(large.spec, text, data_dir=large.folder)
    changed = replace(split, labels=split.labels.astype(np.int32), dtype="float32", layout="CHW")
    data = pickle.dumps(changed)
    assert len(data) < 4000
    arrived = pickle.loads(data)  # noqa: S301
    np.testing.assert_array_equal(arrived.images, split.images)
    np.testing.assert_array_equal(arrived.labels, split.labels)
    assert (arrived.labels.dtype, arrived.dtype, arrived.layout) == (np.int32, "float32", "CHW")
    assert arrived.info == split.info
    arrived.images[:] = 0  # copy-on-write there too
    np.testing.assert_array_equal(load(large.spec, text).images, split.images)


@pytest.mark.parametrize("written", ["images", "labels"])
def test_a_split_written_into_is_pickled_by_value(large, written):
    split = load(large.spec, "train", data_dir=large.folder)
    getattr(split, written)[3] = 1 + getattr(split, written)[3]
    arrived = pickle.loads(pickle.dumps(split))  # noqa: S301
    np.testing.assert_array_equal(getattr(arrived, written), getattr(split, written))
    np.testing.assert_array_equal(arrived.images, split.images)
    np.testing.assert_array_equal(arrived.labels, split.labels)


@pytest.mark.parametrize("fate", ["gone", "damaged record"])
def test_a_split_whose_cache_is_gone_is_pickled_by_value(large, cache_dir, fate):
    split = load(large.spec, "train", data_dir=large.folder)
    for folder in list_cache_folders(cache_dir):
        for path in folder.glob("*.json"):
            path.unlink() if fate == "gone" else path.write_text("{")
    arrived = pickle.loads(pickle.dumps(split))  # noqa: S301
    np.testing.assert_array_equal(arrived.images, split.images)


def test_a_reference_is_read_in_another_process(large):
    split = load(large.spec, "train[:100]", data_dir=large.folder)
    done = python("print(len(given), int(given.images.sum()), int(given.labels.sum()))", given=split)
    assert done.stdout.split() == [str(each) for each in (100, split.images.sum(), split.labels.sum())]


def test_batches(toy, options):
    split = replace(load(toy.spec, **options), dtype="float32", layout="HWC")
    batch = split.batch(np.array([3, 1, 3]))
    assert (batch.shape, batch.dtype) == ((3, 6, 5, 1), np.float32)
    np.testing.assert_array_equal(batch[..., 0], to_float32(toy.array(toy.train_images)[[3, 1, 3]]))
    assert split.element_shape == (6, 5, 1)


def test_a_name_of_ones_own_never_meets_the_built_in_cache(tmp_path, cache_dir):
    """A spec with a built-in name and other files: neither is ever taken for the other."""
    mine = made.make(tmp_path / "published", name="fashion-mnist-sample")
    for _ in range(2):
        own = get_dataset(mine.spec, data_dir=mine.folder)
        built_in = get_dataset("fashion-mnist-sample")
        np.testing.assert_array_equal(own.images, mine.array(mine.train_images))
        assert built_in.images.shape == (2000, 28, 28)
    assert len(list_cache_folders(cache_dir)) == 2
    assert Cache(cache_dir, replace(mine.spec, name="fashion-mnist")).folder != Cache(cache_dir, FASHION_MNIST).folder


def test_the_same_files_said_to_be_of_another_shape_are_refused(toy, options, cache_dir):
    get_dataset(toy.spec, **options)
    images = replace(toy.train_images, shape=(30, 5, 6))
    other = replace(toy.spec, splits={"train": replace(toy.spec.splits["train"], images=images)})
    with pytest.raises(errors.IdxFormatError, match="the digest is right"):
        get_dataset(other, **options)
    np.testing.assert_array_equal(get_dataset(toy.spec, **options).images, toy.array(toy.train_images))


@pytest.mark.parametrize("shape", [(), (7,), (4, 3, 2)])
def test_images_that_are_not_two_dimensional(tmp_path, shape):
    mine = made.make(tmp_path / "published", shape=shape)
    images = get_dataset(mine.spec, data_dir=mine.folder).images
    np.testing.assert_array_equal(images, mine.array(mine.train_images))
    scaled = get_dataset(mine.spec, dtype="float32").images
    assert (scaled.shape, scaled.dtype) == ((30, *shape), np.float32)
    with pytest.raises(errors.UnknownNameError, match="has arrays of shape"):
        get_dataset(mine.spec, layout="CHW")


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_wider_elements_come_as_they_are(tmp_path, dtype):
    mine = made.make(tmp_path / "published", dtype=dtype)
    images = get_dataset(mine.spec, data_dir=mine.folder).images
    assert images.dtype == dtype
    np.testing.assert_array_equal(images, mine.array(mine.train_images))
    assert get_dataset(mine.spec, dtype=dtype).images.dtype == dtype
    with pytest.raises(errors.UnknownNameError, match=f"Choices: {dtype}"):
        get_dataset(mine.spec, dtype="uint8")


def test_dir_shows_the_public_names_alone():
    assert dir(idxhub) == sorted(idxhub.__all__) == idxhub.__all__
    for name in idxhub.__all__:
        assert getattr(idxhub, name) is not None


def test_names_are_listed():
    assert {"fashion-mnist", "fashion-mnist-sample"} <= set(idxhub.datasets())
    assert {"numpy", "torch"} <= set(idxhub.adapters())


def test_the_real_dataset(full_data_dir):
    train, test = get_dataset(split=("train", "test"), data_dir=full_data_dir, download=False)
    assert train.images.shape == (60_000, 28, 28)
    assert test.images.shape == (10_000, 28, 28)
    assert train.labels[:5].tolist() == [9, 0, 0, 3, 0]  # the release of 2017-08-31
    np.testing.assert_array_equal(np.bincount(train.labels), [6000] * 10)
    np.testing.assert_array_equal(np.bincount(test.labels), [1000] * 10)
    pixels = train.images.reshape(-1)
    assert round(pixels.mean(dtype=np.float64) / 255, 4) == 0.2860
    split = load(split="train", plugins=Plugins([]), download=False)
    assert all(record.source.startswith(str(full_data_dir)) for record in split.info.records)


def test_what_a_notebook_shows_is_one_line():
    name = "fashion-mnist-sample"
    shown = "images=uint8 (2000, 28, 28), labels=int64 (2000,)"
    arrays = idxhub.get_dataset(name)
    assert repr(arrays) == f"Arrays('{name}', split='train', {shown})"
    assert repr(arrays.info) == f"DatasetInfo('{name}', split='train', num_examples=2000)"
    assert repr(idxhub.load(name)) == f"Split('{name}', split='train', {shown})"
    (batch,) = idxhub.get_loader(name, split="train[:3]", batch_size=3)
    assert repr(batch) == "Arrays(images=uint8 (3, 28, 28), labels=int64 (3,))"
    assert repr(idxhub.Arrays(object(), 3)) == "Arrays(images=object, labels=int)"


class Dtype:
    """What frameworks' own dtype objects are like: torch's has a name with a dot, TensorFlow's knows NumPy's."""

    def __init__(self, name, **attributes):
        self.name = name
        self.__dict__ |= attributes

    def __str__(self):
        return self.name


@pytest.mark.parametrize("dtype", [Dtype("torch.float32"), Dtype("<dtype: 'float32'>", as_numpy_dtype=np.float32)])
def test_a_frameworks_own_dtype_is_read(dtype):
    assert idxhub.get_dataset("fashion-mnist-sample", dtype=dtype).images.dtype == np.float32


@pytest.mark.parametrize("dtype", [Dtype("torch.bfloat16"), Dtype("x", as_numpy_dtype="junk"), Dtype("torch.float64")])
def test_a_frameworks_dtype_of_another_kind_is_refused(dtype):
    with pytest.raises(errors.UnknownNameError, match="float32"):
        idxhub.get_dataset("fashion-mnist-sample", dtype=dtype)
