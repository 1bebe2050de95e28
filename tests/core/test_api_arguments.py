"""What the public functions say to a caller's mistake, before anything is looked for."""

import re
import sys

import numpy as np
import pytest
from support import made
from support.installed import ByHand

import idxhub
from idxhub import Conventions, Plugins, errors, get_dataset, hookimpl, load


@pytest.fixture
def options(toy):
    return {"data_dir": toy.folder, "download": False}


class Dtype:
    """What frameworks' own dtype objects are like: torch's has a name with a dot, TensorFlow's knows NumPy's."""

    def __init__(self, name, **attributes):
        self.name = name
        self.__dict__ |= attributes

    def __repr__(self):
        return self.name


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
    "option": ({"transfrom": None}, "numpy option", None),
    "dtype": ({"dtype": "float23"}, "toy dtype", "float32"),
    "another dtype": ({"dtype": np.float16}, "toy dtype", "float32"),
    "a framework's own dtype": ({"dtype": Dtype("torch.bfloat16")}, "toy dtype", None),
    "a framework's dtype of other digits": ({"dtype": Dtype("torch.float64")}, "toy dtype", "float32"),
    "a framework's dtype that NumPy lacks": ({"dtype": Dtype("x", as_numpy_dtype="junk")}, "toy dtype", None),
    "no dtype": ({"dtype": object()}, "toy dtype", None),
    "layout": ({"layout": "HCW"}, "layout", None),
    "layout in small letters": ({"layout": "chw"}, "layout", "CHW"),
    "argument of get_loader": ({"batch_size": 4}, "numpy option", None),
    "keyword": ({"data_dri": 4}, "numpy option", "data_dir"),
    "name as a keyword": ({"nmae": "x"}, "numpy option", "name"),
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


class Strict(ByHand):
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
    with pytest.raises(
        errors.UnknownNameError, match=r"numpy option 'batch_size': batch_size is an argument of get_loader"
    ):
        get_dataset(batch_size=4)


@pytest.mark.parametrize(
    ("argument", "value", "instead"),
    [
        ("root", "data", "write data_dir= for a folder that is searched first"),
        ("train", False, "write split='train' or split='test'"),
        ("as_supervised", True, "leave it out; an example is an image and its label"),
        ("with_info", True, r"leave it out; load\(name, split\)\.info describes the dataset"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"batch_size": 8}])
def test_an_argument_of_another_librarys_loader_is_answered_with_what_to_write(argument, value, instead, options):
    function = idxhub.get_loader if options else get_dataset
    with pytest.raises(errors.UnknownNameError, match=rf"'{argument}': {instead}"):
        function(**options, **{argument: value})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows can encode it")
@pytest.mark.parametrize("argument", ["data_dir", "cache_dir"])
def test_a_path_that_cannot_be_encoded_is_refused(argument):
    with pytest.raises(
        errors.ArgumentError, match=rf"^{argument} is '\\ud800'; it must be a path that this system can"
    ):
        get_dataset("fashion-mnist-sample", **{argument: "\ud800"})


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("function", [get_dataset, load, idxhub.get_loader])
def test_a_data_dir_that_does_not_exist_is_an_error_whatever_the_cache_holds(toy, options, tmp_path, function, warm):
    if warm:
        get_dataset(toy.spec, **options)
    more = {"batch_size": 2} if function is idxhub.get_loader else {}
    with pytest.raises(errors.DownloadError, match=r"data_dir='.*typo' does not exist; name the folder"):
        function(toy.spec, data_dir=tmp_path / "typo", **more)


@pytest.mark.parametrize(
    "dtype",
    [
        *[np.float32, np.dtype("float32"), np.dtype(">f4"), np.dtype("f4"), "f4", "single"],
        *[Dtype("torch.float32"), Dtype("<dtype: 'float32'>", as_numpy_dtype=np.float32)],
    ],
    ids=repr,
)
def test_dtypes_of_numpy_and_of_frameworks_are_read(toy, options, dtype):
    assert get_dataset(toy.spec, dtype=dtype, **options).images.dtype == np.float32
    assert next(iter(idxhub.get_loader(toy.spec, batch_size=2, dtype=dtype, **options)))[0].dtype == np.float32
    assert get_dataset(toy.spec, dtype=np.uint8, **options).images.dtype == np.uint8


@pytest.mark.parametrize("other", [{"shape": (5, 6)}, {"dtype": "int16"}])
@pytest.mark.parametrize("use", [get_dataset, load, idxhub.export])
def test_images_of_different_shapes_or_types_are_not_joined(toy, tmp_path, other, use):
    splits = {"train": toy.spec.splits["train"], "other": made.make(tmp_path, **other).spec.splits["test"]}
    spec = idxhub.DatasetSpec("both", splits)
    where = {"format": "npz", "path": tmp_path / "out", "splits": "all"} if use is idxhub.export else {"split": "all"}
    reason = "different shapes or types cannot be joined: train has uint8 of shape (6, 5), other has "
    with pytest.raises(errors.UnknownNameError, match=re.escape(reason)):
        use(spec, **where, data_dir=tmp_path / "nothing")
