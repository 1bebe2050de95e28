"""Arrays and pictures of Hugging Face: read faster than a plain Dataset of the same table, and the same in all else."""

from __future__ import annotations

import importlib
import io
import itertools
import pickle

import numpy as np
import pytest
from support import made
from support.needs import need

import idxhub

datasets = need("datasets")
Image = need("PIL.Image")
from idxhub_adapters.huggingface import ArrayDataset, png  # noqa: E402 -- after the skip where datasets is absent


def sums(batch):
    return {"sum": [np.sum(values) for values in next(iter(batch.values()))]}


NAME = "fashion-mnist-sample"
FORMATS = {
    "none": lambda dataset: dataset,
    "numpy": lambda dataset: dataset.with_format("numpy"),
    "numpy as stored": lambda dataset: dataset.with_format("numpy", dtype=None),
    "numpy float32": lambda dataset: dataset.with_format("numpy", dtype="float32"),
    "one column": lambda dataset: dataset.with_format("numpy", columns=dataset.column_names[:1]),
    "two formats": lambda dataset: dataset.with_format(
        "numpy", columns=dataset.column_names[:1], output_all_columns=True
    ),
    "arrow": lambda dataset: dataset.with_format("arrow"),
    "transform": lambda dataset: dataset.with_transform(sums),
}
DERIVED = {
    "itself": lambda dataset: dataset,
    "shuffled": lambda dataset: dataset.shuffle(seed=0),
    "shuffled twice": lambda dataset: dataset.shuffle(seed=0).shuffle(seed=1),
    "a range": lambda dataset: dataset.select(range(100, 150)),
    "a range of shuffled": lambda dataset: dataset.shuffle(seed=0).select(range(100, 150)),
    "chosen": lambda dataset: dataset.select([5, 3, 3, 159]),
    "split": lambda dataset: dataset.train_test_split(0.1, seed=0)["test"],
    "sorted": lambda dataset: dataset.sort("label"),
    "shard": lambda dataset: dataset.shard(4, 1),
    "filtered": lambda dataset: dataset.filter(lambda label: label == 3, input_columns="label"),
    "mapped": lambda dataset: dataset.shuffle(seed=0).map(lambda row: {"sum": int(np.sum(row["image"]))}),
    "renamed": lambda dataset: dataset.rename_column("image", "x").shuffle(seed=2),
    "without a column": lambda dataset: dataset.shuffle(seed=0).remove_columns("label"),
    "with a column": lambda dataset: dataset.add_column("i", list(range(len(dataset)))).shuffle(seed=0),
    "joined": lambda dataset: datasets.concatenate_datasets([dataset, dataset.shuffle(seed=0)]),
    "none of it": lambda dataset: dataset.select([]),
}
KEYS = [
    0,
    -1,
    pytest.param(np.int64(3), marks=pytest.mark.skipif(datasets.__version__ < "4.1", reason="needs datasets 4.1")),
    slice(2, 9),
    slice(None, None, -7),
    range(3, 20, 4),
    [1, 0, 1],
    (2, 3),
    np.arange(3),
    [-1, 2],
]


def get(**arguments):
    return idxhub.get_dataset(NAME, framework="huggingface", image="array", **arguments)


def plain_dataset(ours):
    return datasets.Dataset(ours.data, info=ours.info, split=ours.split, fingerprint=ours._fingerprint)


@pytest.fixture(params=["array", "png"])
def both(request):
    """The adapter's Dataset, and a plain one of the same table."""
    ours = idxhub.get_dataset(NAME, framework="huggingface", image=request.param, split="train[:160]")
    return ours, plain_dataset(ours)


COMBINED = [*itertools.product(["itself", "shuffled"], FORMATS), *itertools.product(DERIVED, ["none", "numpy"])]


@pytest.mark.filterwarnings("ignore:Specifying null_placement:FutureWarning")  # datasets' own sort, of Arrow 25
@pytest.mark.parametrize(("derive", "form"), sorted(set(COMBINED)))
def test_what_is_read_is_what_a_plain_dataset_gives(derive, form, both):
    ours, plain = (FORMATS[form](DERIVED[derive](each)) for each in both)
    assert ours._fingerprint == plain._fingerprint
    assert (ours.features, ours.format, len(ours)) == (plain.features, plain.format, len(plain))
    assert same(list(ours), list(plain))
    assert same(list(ours.iter(64)), list(plain.iter(64)))
    assert same(list(ours.iter(64, drop_last_batch=True)), list(plain.iter(64, drop_last_batch=True)))
    assert same(ours[:], plain[:])


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_key_means_the_same(key, form, both):
    ours, plain = (form(each) for each in both)
    assert same(ours[key], plain[key])
    if not isinstance(key, list) or min(key) >= 0:  # which a plain Dataset refuses where it is shuffled
        assert same(form(both[0].shuffle(seed=0))[key], form(both[1].shuffle(seed=0))[key])


@pytest.mark.parametrize("key", [160, -161, [0, 160], [True, False], True, 1.5, "pixels", None, [[0]]], ids=str)
def test_a_wrong_key_is_refused_the_same(key, both):
    errors = []
    for dataset in both:
        for each in (dataset, dataset.with_format("numpy"), dataset.with_format("numpy").shuffle(seed=0)):
            try:
                errors.append(same(each[key], each[key]))
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is compared
                errors.append((type(error), str(error)))
    assert errors[:3] == errors[3:]


def test_an_array_without_axes_is_refused_the_same(both):
    errors = []
    for dataset in both:
        with pytest.raises(TypeError) as caught:
            dataset.shuffle(seed=0)[np.array(1)]
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


@pytest.mark.parametrize("layout", ["HW", "CHW", "HWC"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_every_dtype_and_layout_is_gathered(dtype, layout):
    expected = idxhub.get_dataset(NAME, dtype=dtype, layout=layout)
    dataset = get(dtype=dtype, layout=layout).shuffle(seed=0).with_format("numpy", dtype=None)
    where = np.random.default_rng(0).permutation(2000)
    assert dataset._columns().arrays.keys() == {"image", "label"}
    for i, batch in enumerate(dataset.iter(500)):
        assert (batch["image"].dtype, batch["label"].dtype) == (dtype, "int64")
        assert np.array_equal(batch["image"], expected.images[where[500 * i : 500 * i + 500]])
        assert np.array_equal(batch["label"], expected.labels[where[500 * i : 500 * i + 500]])


def test_the_columns_are_the_tables_own_memory():
    dataset = get()
    column = dataset.data.column("image").chunk(0).to_numpy(zero_copy_only=True)
    for each in (dataset, dataset.shuffle(seed=0), dataset.with_format("numpy"), dataset.select(range(9))):
        (mine,) = each._columns().arrays["image"]
        assert np.shares_memory(mine, column)


@pytest.mark.parametrize("split", ["train+test", "test[:7]+train[:5]+test[9:30]", "train"])
def test_several_blocks_are_read_as_one(split, monkeypatch):
    files = importlib.import_module("idxhub_adapters.huggingface.arrow_files")
    monkeypatch.setattr(files, "BYTES_PER_RECORD_BATCH", 300 * 784)
    expected = idxhub.get_dataset(NAME, split=split)
    dataset = get(split=split).with_format("numpy", dtype=None)
    assert len(dataset._columns().arrays["image"]) > 1
    assert np.array_equal(dataset[:]["image"], expected.images)
    assert np.array_equal(dataset[len(dataset) - 1]["image"], expected.images[-1])
    where = np.random.default_rng(0).permutation(len(dataset))
    batches = list(dataset.shuffle(seed=0).iter(64))
    for column, truth in (("image", expected.images), ("label", expected.labels)):
        assert np.array_equal(np.concatenate([batch[column] for batch in batches]), truth[where])


@pytest.mark.parametrize("read", [lambda d: d[3], lambda d: d[2:5], lambda d: d[[3]], lambda d: next(iter(d))], ids=str)
def test_what_is_read_is_the_readers_own(read):
    dataset = get().with_format("numpy", dtype=None)
    for each in (dataset, dataset.shuffle(seed=0)):
        sound = read(each)["image"].copy()
        read(each)["image"][:] = 255
        assert np.array_equal(read(each)["image"], sound)


def test_a_frame_of_a_shuffled_dataset(both):
    ours, plain = (dataset.shuffle(seed=0).with_format("pandas")[:5] for dataset in both)
    assert [*ours["label"]] == [*plain["label"]]
    assert same([*ours["image"]], [*plain["image"]])


def test_a_batch_of_a_shuffled_dataset_is_one_chunk():
    batch = get().shuffle(seed=0).with_format("arrow")[:128]
    assert (batch.column("image").num_chunks, batch.column("image").null_count, len(batch)) == (1, 0, 128)


def test_the_format_may_change_between_two_reads():
    dataset = get().shuffle(seed=0)
    as_lists = dataset[:3]["image"]
    dataset.set_format("numpy", dtype=None)
    assert np.array_equal(dataset[:3]["image"], as_lists)
    assert dataset[:3]["image"].dtype == "uint8"
    dataset.reset_format()
    assert dataset[:3]["image"] == as_lists


def test_a_pickle_leaves_out_what_can_be_recomputed():
    dataset = get(split="train[:50]").shuffle(seed=0).with_format("numpy", dtype=None)
    fresh = len(pickle.dumps(dataset))
    list(dataset)
    assert len(pickle.dumps(dataset)) == fresh
    assert same(pickle.loads(pickle.dumps(dataset))[:], dataset[:])  # noqa: S301 -- our own


def as_png(image, **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", **options)
    return file.getvalue()


def changed(files, number, file):
    """The same files with another one in the place of `number`."""
    return [file if i == number else each for i, each in enumerate(files)]


# what users may put in the place of idxhub's own pictures
OTHER_PICTURES = {
    "a compressed one": lambda files, images: changed(files, 5, as_png(images[5])),
    "one of another size": lambda files, images: changed(files, 5, as_png(images[5][:9])),
    "one in colour": lambda files, images: changed(files, 5, as_png(np.stack([images[5]] * 3, axis=-1))),
    "one of the same length": lambda files, images: changed(files, 5, as_png(images[5]).ljust(len(files[5]), b"\0")),
    "the first one": lambda files, images: changed(files, 0, as_png(images[0])),
    "all of them": lambda files, images: [as_png(image) for image in images],
    "none, but in lists of two": lambda files, images: files[:2],
}


@pytest.mark.parametrize("form", ["numpy", "numpy as stored", "none"])
@pytest.mark.parametrize("other", OTHER_PICTURES)
def test_other_pictures_are_decoded_as_usual(other, form):
    pictures = idxhub.get_dataset(NAME, framework="huggingface", split="train[:20]")
    files = [row["bytes"] for row in pictures.cast_column("image", datasets.Image(decode=False))["image"]]
    images = idxhub.get_dataset(NAME, split="train[:20]").images
    stored = [{"bytes": file, "path": None} for file in OTHER_PICTURES[other](files, images)]
    plain = datasets.Dataset.from_dict(
        {"image": stored, "label": [i % 10 for i in range(len(stored))]}, features=pictures.features
    )
    ours = ArrayDataset.from_dataset(plain_dataset(plain))
    for ours_derived, plain_derived in ((ours, plain), (ours.shuffle(seed=0), plain.shuffle(seed=0))):
        ours_formed, plain_formed = FORMATS[form](ours_derived), FORMATS[form](plain_derived)
        assert same(ours_formed[:4], plain_formed[:4])
        assert same(ours_formed[:], plain_formed[:])
        assert same(list(ours_formed), list(plain_formed))


def test_joined_datasets_of_pictures_of_two_sizes(tmp_path):
    small = made.make(tmp_path, shape=(9, 7), sizes={"train": 20})
    joined = []
    for kind in (ArrayDataset, datasets.Dataset):
        parts = [
            idxhub.get_dataset(NAME, framework="huggingface", split="train[:20]"),
            idxhub.get_dataset(small.spec, framework="huggingface", split="train", data_dir=small.folder),
        ]
        parts = [part.remove_columns("label") for part in parts]
        whole = datasets.concatenate_datasets([plain_dataset(part) for part in parts])
        joined.append(ArrayDataset.from_dataset(whole) if kind is ArrayDataset else whole)
    ours, plain = (each.with_format("numpy") for each in joined)
    for key in (slice(15, 25), slice(20, 30), [3, 30], 25):
        assert same(ours[key], plain[key]), key


@pytest.mark.parametrize("feature", [datasets.Image(mode="RGB"), datasets.Image(decode=False)], ids=repr)
def test_pictures_that_are_wanted_otherwise_are_read_as_usual(feature):
    ours = idxhub.get_dataset(NAME, framework="huggingface", split="train[:20]").cast_column("image", feature)
    plain = plain_dataset(ours)
    assert same(ours.with_format("numpy")[:3], plain.with_format("numpy")[:3])


def test_pictures_are_read_without_decoding_each(monkeypatch):
    pictures = idxhub.get_dataset(NAME, framework="huggingface").with_format("numpy")
    decoded = []
    real = datasets.Image.decode_example
    monkeypatch.setattr(datasets.Image, "decode_example", lambda *a, **k: decoded.append(1) or real(*a, **k))
    assert sum(len(batch["label"]) for batch in pictures.shuffle(seed=0).iter(128)) == 2000
    assert len(pictures[:100]["image"]) == 100
    assert not decoded


@pytest.mark.parametrize("size", [(28, 28), (1, 1), (5, 300), (255, 255)], ids=str)
def test_the_pixels_of_our_own_files_are_where_they_are_expected(size):
    images = np.random.default_rng(0).integers(0, 256, (7, *size), np.uint8)
    files = png.encode(images)
    reader = png.PixelReader.for_file(files[0])
    assert np.array_equal(reader.read(files), images)
    for i in range(len(png._SIGNATURE), 40):
        wrong = files.copy()
        wrong[3, i] ^= 1
        assert reader.read(wrong) is None


@pytest.mark.parametrize("file", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", bytes(880)], ids=repr)
def test_no_reader_for_what_is_not_our_png(file):
    assert png.PixelReader.for_file(np.frombuffer(file, np.uint8)) is None


def test_rows_for_a_loader():
    dataset = get().with_format("numpy", dtype=None)
    rows = dataset.__getitems__([5, 1])
    assert [row["label"] for row in rows] == list(dataset[[5, 1]]["label"])
    assert np.array_equal(rows[0]["image"], dataset[5]["image"])


def same(one, other):  # noqa: PLR0911 -- a case for each type
    """Whether two things are of the same types through and through, equal, and in memory in the same order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and one and isinstance(one[0], (dict, list, np.ndarray)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, list):
        return one == other and [*map(type, one)] == [*map(type, other)]
    if isinstance(one, np.ndarray) and one.dtype == object:
        return same(list(one), list(other))
    if isinstance(one, np.ndarray):
        return same_layout(one, other) and one.dtype == other.dtype and np.array_equal(one, other)
    if hasattr(one, "to_pandas"):  # an Arrow table
        return one.schema == other.schema and one.equals(other)
    return bool(one == other)


def same_layout(one, other):
    """Whether `one` can be viewed in every shape in which `other` can be."""
    return one.flags.c_contiguous or not other.flags.c_contiguous


def test_a_column_with_nulls_is_read_as_by_a_plain_dataset():
    pair = [datasets.Dataset.from_dict({"label": [1, None, 3]}).with_format("numpy") for _ in range(2)]
    plain, mine = pair[0], ArrayDataset.from_dataset(pair[1])
    for key in (1, slice(None), [2, 1]):
        assert np.array_equal(mine[key]["label"], plain[key]["label"], equal_nan=True)
    assert [str(row) for row in mine] == [str(row) for row in plain]
