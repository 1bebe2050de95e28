"""The Hugging Face adapter: the kit on pictures and on arrays, and what users of `datasets` do next."""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from support import kit, made
from support.needs import need
from support.processes import python

import idxhub
from idxhub import conformance

datasets = need("datasets")
pa = need("pyarrow")
Image = need("PIL.Image")
from idxhub_adapters.huggingface import png  # noqa: E402 -- after the skip where datasets is absent

NAME = "fashion-mnist-sample"
ARRAYS = replace(
    conformance.subject("huggingface"),
    arguments={"image": "array"},
    options={"image": "array", "compress": False},
    floats=True,
    layouts=True,
)


@conformance.parametrize("huggingface")
def test_conformance(check, tmp_path):
    check(conformance.case("huggingface", tmp_path))


@conformance.parametrize(ARRAYS)
def test_conformance_of_arrays(check, tmp_path):
    check(conformance.case(ARRAYS, tmp_path))


def test_what_is_not_applicable():
    assert kit.not_applicable("huggingface") == kit.DEVICE | {
        "float32-bits",
        "layouts",
        "workers-fork",
        "workers-spawn",
    }
    assert kit.not_applicable(ARRAYS) == kit.DEVICE | {"workers-fork", "workers-spawn"}


def get(**arguments):
    return idxhub.get_dataset(NAME, framework="huggingface", **arguments)


@pytest.fixture
def truth():
    return idxhub.get_dataset(NAME)


def test_a_picture_is_what_the_hub_gives(truth):
    dataset = get()
    assert isinstance(dataset, datasets.Dataset)
    assert isinstance(dataset.features["image"], datasets.Image)
    assert dataset.features["label"].int2str(9) == "Ankle boot"
    assert (dataset.split, dataset.info.license, len(dataset)) == ("train", "MIT, (c) 2017 Zalando SE", 2000)
    example = dataset[3]
    assert isinstance(example["image"], Image.Image)
    assert (example["image"].size, example["image"].mode) == ((28, 28), "L")
    assert np.array_equal(np.asarray(example["image"]), truth.images[3])
    assert example["label"] == truth.labels[3]


def test_an_array_is_over_the_mapped_file(truth):
    dataset = get(image="array")
    assert dataset.features["image"] == datasets.Array2D((28, 28), "uint8")
    assert np.array_equal(dataset[3]["image"], truth.images[3])
    assert get(image="array", layout="HWC").features["image"] == datasets.Array3D((28, 28, 1), "uint8")
    assert get(image="array", dtype="float32").features["image"] == datasets.Array2D((28, 28), "float32")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"dtype": "float32"}, """'float32': image="png" has no other dtype; image="array" has"""),
        ({"layout": "HWC"}, """'HWC': image="png" has no other layout; image="array" has"""),
        ({"image": "jpeg"}, "unknown image 'jpeg'"),
        ({"image": np.zeros(2)}, r"unknown image array\(\[0., 0.\]\)"),
    ],
    ids=repr,
)
def test_pictures_of_other_dtypes_and_layouts_are_refused(wrong, says, cache_dir):
    with pytest.raises(idxhub.errors.UnknownNameError, match=f"{says}.* Choices: "):
        idxhub.get_dataset("fashion-mnist", framework="huggingface", download=False, **wrong)
    assert not cache_dir.exists()


def test_compressed_pictures_have_the_same_pixels_and_are_smaller(truth, tmp_path):
    small, plain = get(compress=True), get()
    assert small.features == plain.features
    assert small._fingerprint != plain._fingerprint
    assert [np.asarray(small[i]["image"]).tolist() for i in (0, 7)] == [truth.images[i].tolist() for i in (0, 7)]
    assert small["label"] == plain["label"]
    for format_name in ("numpy", None):
        batches = [each.with_format(format_name).shuffle(seed=1)[:64]["image"] for each in (small, plain)]
        np.testing.assert_array_equal(*map(np.asarray, batches))
    sizes = []
    for each in (small, plain):
        each.to_parquet(tmp_path / f"{len(sizes)}.parquet")
        sizes.append((tmp_path / f"{len(sizes)}.parquet").stat().st_size)
    assert sizes[0] < 0.9 * sizes[1]  # datasets 4.0 compresses both once more


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"compress": "yes"}, "compress is 'yes'"), ({"compress": True, "image": "array"}, "only PNG pictures can be")],
    ids=repr,
)
def test_what_cannot_be_compressed_is_refused(wrong, says):
    with pytest.raises(idxhub.errors.ArgumentError, match=says):
        get(**wrong)


@pytest.mark.parametrize("shape", [(), (7,), (4, 3, 3), (2, 2, 2, 2, 2, 2), (0, 4)], ids=str)
def test_shapes_without_pictures_are_refused(shape, tmp_path):
    mine = made.make(tmp_path / "published", shape=shape)
    with pytest.raises(
        idxhub.errors.ArgumentError, match=r"^image is 'png'; it must be \"array\" for images of shape "
    ):
        idxhub.get_dataset(mine.spec, framework="huggingface", download=False)


@pytest.mark.parametrize("shape", [(), (7,), (4, 3), (4, 3, 3), (2, 2, 2, 2), (2, 2, 2, 2, 3), (0, 4)], ids=str)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_arrays_of_any_shape(shape, dtype, tmp_path):
    mine = made.make(tmp_path / "published", shape=shape)
    arguments = {"data_dir": mine.folder, "dtype": dtype}
    dataset = idxhub.get_dataset(mine.spec, framework="huggingface", image="array", **arguments)
    expected = idxhub.get_dataset(mine.spec, **arguments).images
    for part in (dataset, dataset.shuffle(seed=0)):
        images = np.asarray(part[:]["image"], dtype).reshape(len(part), *shape)
        assert sorted(map(bytes, images)) == sorted(map(bytes, expected))
    assert np.array_equal(np.asarray(dataset[3]["image"], dtype).reshape(shape), expected[3])


def test_arrays_of_more_axes_than_datasets_has(tmp_path):
    mine = made.make(tmp_path / "published", shape=(1, 2, 1, 2, 1, 2))
    with pytest.raises(idxhub.errors.ArgumentError, match=r"^image is 'array'; .* at most 5 axes"):
        idxhub.get_dataset(mine.spec, framework="huggingface", image="array", download=False)


FILES = {"png": "train-png-*.arrow", "array": "train-uint8-HW-*.arrow"}
each_kind = pytest.mark.parametrize("image", FILES)


@each_kind
def test_the_file_is_made_once_and_mapped_afterwards(image, cache_dir):
    get(image=image)
    (file,) = cache_dir.glob(f"*/{FILES[image]}")
    made = file.stat().st_mtime_ns
    get(split="train[:10]", image=image)
    assert file.stat().st_mtime_ns == made


@each_kind
@pytest.mark.parametrize(
    "harm",
    [lambda data: data[:-100], lambda data: b"", lambda data: data[:-50] + bytes([data[-50] ^ 1]) + data[-49:]],
    ids=["cut", "emptied", "a bit"],
)
def test_a_damaged_file_is_made_again(image, harm, cache_dir, truth):
    get(image=image)
    (file,) = cache_dir.glob(f"*/{FILES[image]}")
    sound = file.read_bytes()
    file.write_bytes(harm(sound))
    assert np.array_equal(np.asarray(get(image=image)[1999]["image"]), truth.images[1999])
    assert file.read_bytes() == sound


def test_fingerprints_are_stable_and_tell_datasets_apart():
    asked = [{}, {"split": "test"}, {"split": "train[:10]"}, {"image": "array"}, {"image": "array", "layout": "CHW"}]
    prints = [get(**arguments)._fingerprint for arguments in asked]
    assert prints == [get(**arguments)._fingerprint for arguments in asked]
    assert len(set(prints)) == len(prints)


MAP = """
    import sys
    import numpy as np
    import idxhub

    def brightness(example):
        print("called")
        return {"brightness": float(np.asarray(example["image"]).mean())}

    arrays = idxhub.get_dataset("fashion-mnist-sample", framework="huggingface", image=sys.argv[1], split=sys.argv[2])
    mapped = arrays.map(brightness)
    print(f"{mapped['brightness'][3]:.6f}")
"""


@pytest.mark.parametrize("split", ["test[:20]", "train[:10]+test[5:15]"])
@each_kind
def test_what_map_made_is_found_by_the_next_process(image, split):
    first, again = (python(MAP, image, split).stdout.split() for _ in range(2))
    assert first[:-1] == ["called"] * 20
    assert again == first[-1:]


@each_kind
def test_a_pickle_is_a_reference(image):
    dataset = get(image=image)
    sent = pickle.dumps(dataset)
    assert len(sent) < 20_000
    assert pickle.loads(sent)[1999]["label"] == dataset[1999]["label"]  # noqa: S301 -- our own


def test_parquet_and_back(tmp_path, truth):
    get(split="train[:50]").to_parquet(tmp_path / "some.parquet")
    back = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "some.parquet"), split="train", cache_dir=str(tmp_path / "hf")
    )
    assert back.features == get().features
    assert np.array_equal(np.asarray(back[49]["image"]), truth.images[49])


def test_train_test_split_and_with_format(truth):
    parts = get().train_test_split(0.1, seed=0)
    assert (len(parts["train"]), len(parts["test"])) == (1800, 200)
    batch = next(get().with_format("numpy").iter(16))
    assert np.array_equal(batch["image"], truth.images[:16])


def test_get_loader_gives_columns():
    batch = next(iter(idxhub.get_loader(NAME, framework="huggingface", batch_size=8, seed=1)))
    where = idxhub.order(2000, 1, 0)[:8]
    assert np.array_equal(batch["image"], idxhub.get_dataset(NAME).images[where])
    assert batch["label"].tolist() == idxhub.get_dataset(NAME).labels[where].tolist()


def test_the_file_is_what_arrow_writes(cache_dir):
    """To the byte, though its parts are written one by one."""
    get()
    (file,) = cache_dir.glob("*/train-png-*.arrow")
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        batches = list(stream)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as stream:
        for batch in batches:
            stream.write_batch(batch)
    assert sink.getvalue().to_pybytes() == file.read_bytes()


SHAPES = [(3, 28, 28), (2, 5, 7), (1, 1, 1), (2, 300, 260), (2, 1, 70_000), (1, 70_000, 1), (2, 5, 13_106), (0, 4, 4)]


@pytest.fixture(params=SHAPES, ids=str)
def images(request):
    return np.random.default_rng(0).integers(0, 256, request.param, dtype=np.uint8)


def test_png_files_are_read_by_others(images):
    files = png.encode(images)
    assert len(files) == len(images)
    for image, file in zip(images, files, strict=True):
        picture = Image.open(io.BytesIO(file.tobytes()))
        picture.verify()  # the CRCs
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(file.tobytes()))), image)


def test_png_files_are_what_the_specification_says(images):
    _, height, width = images.shape
    for image, file in zip(images, png.encode(images), strict=True):
        head, data, end = chunks(file.tobytes())
        assert head == (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        assert end == (b"IEND", b"")
        inflate = zlib.decompressobj()  # which checks the Adler-32
        rows = np.frombuffer(inflate.decompress(data[1]), np.uint8).reshape(height, width + 1)
        assert (data[0], inflate.eof, inflate.unused_data) == (b"IDAT", True, b"")
        assert not rows[:, 0].any()
        assert np.array_equal(rows[:, 1:], image)


def chunks(file):
    """The chunks of a PNG file, each checked."""
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(file):
        (size,) = struct.unpack_from(">I", file, at)
        kind, data = file[at + 4 : at + 8], file[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", file, at + 8 + size) == (zlib.crc32(kind + data),)
        found.append((kind, data))
        at += 12 + size
    assert at == len(file)
    return found


@each_kind
def test_its_info_says_where_the_bytes_came_from(image):
    native = idxhub.get_dataset("fashion-mnist-sample", framework="huggingface", image=image, split="test")
    records = idxhub.load("fashion-mnist-sample", "test").info.records
    assert native.info.dataset_name == "fashion-mnist-sample"
    assert native.info.download_checksums == {
        records[0].origin: {"num_bytes": 217_125, "checksum": records[0].sha256, "record": records[0]._asdict()},
        records[1].origin: {"num_bytes": 275, "checksum": records[1].sha256, "record": records[1]._asdict()},
    }


@pytest.mark.parametrize("image", ["png", "array"])
def test_a_corrected_description_is_believed(image, tmp_path):
    """Which split has which files, and what the classes are called: nothing of it is remembered from a wrong one."""
    mine = made.make(tmp_path / "published", shape=(6, 5))
    train, test = mine.spec.splits["train"], mine.spec.splits["test"]

    def labels(splits, classes):
        spec = replace(mine.spec, splits=splits, classes=classes)
        found = idxhub.get_dataset(spec, framework="huggingface", data_dir=mine.folder, image=image)
        assert found.features["label"] == (
            datasets.ClassLabel(names=list(classes)) if classes else datasets.Value("int64")
        )
        return found["label"][:], found._fingerprint

    wrong, one = labels({"train": test, "test": train}, ("a", "b", "c"))
    right, two = labels({"test": test, "train": train}, ("a", "b", "c"))
    assert wrong == mine.array(test.labels).tolist()
    assert right == mine.array(train.labels).tolist()
    unnamed, three = labels({"test": test, "train": train}, ())
    renamed, four = labels({"test": test, "train": train}, ("x", "y", "z"))
    assert right == unnamed == renamed
    assert len({one, two, three, four}) == 4
