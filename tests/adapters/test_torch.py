"""The PyTorch adapter: the kit, and what a Dataset and its DataLoader promise beyond it."""

from __future__ import annotations

import importlib.util
import pickle
import warnings

import numpy as np
import pytest
from support import kit
from support.needs import need

import idxhub
from idxhub import conformance

torch = need("torch")
from torch.utils._pytree import tree_map  # noqa: E402
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, default_collate, random_split  # noqa: E402

NAME = "fashion-mnist-sample"
unpickled = pickle.loads


@conformance.parametrize("torch")
def test_conformance(check, tmp_path):
    check(conformance.case("torch", tmp_path))


def test_everything_is_applicable():
    assert kit.not_applicable("torch") == set()


@pytest.mark.parametrize("option", ["transform", "target_transform"])
def test_a_transform_is_a_callable(option, cache_dir):
    with pytest.raises(idxhub.errors.ArgumentError, match=f"^{option} is 3; it must be a callable, or None$"):
        idxhub.get_dataset("fashion-mnist", framework="torch", download=False, **{option: 3})
    assert not cache_dir.exists()


def test_an_unknown_device_is_refused_before_any_file_is_searched_for(cache_dir):
    with pytest.raises(idxhub.errors.ArgumentError, match=r"^device is 'nope'; .*this machine has: cpu[a-z0-9:, ]*$"):
        idxhub.get_loader("fashion-mnist", framework="torch", batch_size=8, device="nope", download=False)
    assert not cache_dir.exists()


@pytest.fixture
def dataset():
    return idxhub.get_dataset(NAME, framework="torch")


@pytest.fixture
def truth():
    return idxhub.get_dataset(NAME)


def test_it_is_a_map_style_dataset_with_torchvisions_attributes(dataset):
    assert isinstance(dataset, Dataset)
    assert len(dataset) == 2000
    assert dataset.classes[:2] == ["T-shirt/top", "Trouser"]
    assert dataset.class_to_idx["Ankle boot"] == 9
    assert (dataset.data.shape, dataset.data.dtype) == ((2000, 28, 28), torch.uint8)
    assert (dataset.targets.shape, dataset.targets.dtype) == ((2000,), torch.int64)
    assert dataset.info.dataset == NAME
    assert dataset.info.records[0].form == "published"
    assert repr(dataset) == "IdxDataset('fashion-mnist-sample', split='train', 2,000 examples)"


@pytest.mark.parametrize(
    ("arguments", "shape", "dtype"),
    [
        ({}, (1, 28, 28), torch.uint8),
        ({"dtype": "float32"}, (1, 28, 28), torch.float32),
        ({"layout": "HWC"}, (28, 28, 1), torch.uint8),
        ({"layout": "HW", "dtype": "float32"}, (28, 28), torch.float32),
    ],
)
def test_an_element_and_a_batch(arguments, shape, dtype, truth):
    dataset = idxhub.get_dataset(NAME, framework="torch", **arguments)
    image, label = dataset[3]
    assert (image.shape, image.dtype, type(label)) == (shape, dtype, int)
    images, labels = next(iter(DataLoader(dataset, batch_size=64)))
    assert (images.shape, images.dtype, labels.dtype) == ((64, *shape), dtype, torch.int64)
    assert torch.equal(images[3], image)
    assert labels.tolist() == truth.labels[:64].tolist()


def test_elements_are_the_callers_own(dataset):
    image, _ = dataset[0]
    image.zero_()
    images, _ = next(iter(DataLoader(dataset, batch_size=8)))
    images.zero_()
    assert int(dataset[0][0].sum()) > 0
    assert int(dataset.data[:8].sum()) > 0


def test_iterating_ends(dataset):
    assert sum(1 for _ in dataset) == 2000


def test_a_shuffled_epoch_is_a_permutation(dataset, truth):
    generator = torch.Generator().manual_seed(0)
    seen = [b for b, _ in DataLoader(dataset, batch_size=128, shuffle=True, generator=generator)]
    assert sorted(image.numpy().tobytes() for image in torch.cat(seen)) == sorted(
        image.tobytes() for image in truth.images
    )


def test_a_plain_loader_never_takes_the_per_sample_path(dataset, monkeypatch):
    def per_sample(self, index):
        raise AssertionError("one example at a time")

    monkeypatch.setattr(type(dataset), "__getitem__", per_sample)
    assert sum(len(labels) for _, labels in DataLoader(dataset, batch_size=128, shuffle=True)) == 2000


def test_a_batch_looks_as_default_collation_makes_it(dataset):
    batch = next(iter(DataLoader(dataset, batch_size=4)))
    expected = default_collate([dataset[i] for i in range(4)])
    assert type(batch) is type(expected) is list
    assert all(torch.equal(one, other) for one, other in zip(batch, expected, strict=True))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda d: Subset(d, range(100, 110)),
        lambda d: Subset(Subset(d, range(100, 200)), range(10)),
        lambda d: ConcatDataset([Subset(d, range(100, 105)), Subset(d, range(105, 110))]),
    ],
    ids=["subset", "subset of a subset", "concatenation"],
)
def test_torchs_own_wrappers(wrap, dataset, truth):
    images, labels = next(iter(DataLoader(wrap(dataset), batch_size=10)))
    assert torch.equal(images[:, 0], torch.from_numpy(truth.images[100:110]))
    assert labels.tolist() == truth.labels[100:110].tolist()


def test_random_split(dataset):
    train, validation = random_split(dataset, [0.8, 0.2], generator=torch.Generator().manual_seed(0))
    assert sum(len(labels) for _, labels in DataLoader(train, batch_size=128)) == 1600
    assert sum(len(labels) for _, labels in DataLoader(validation, batch_size=128)) == 400


def test_a_collate_fn_of_ones_own_gets_elements(dataset):
    def collate(batch):
        assert isinstance(batch[0], tuple)
        assert len(batch) == len(list(batch)) == len(batch[1:]) + 1
        return [(image.shape, label) for image, label in batch]

    (batch,) = DataLoader(Subset(dataset, range(3)), batch_size=3, collate_fn=collate)
    assert batch == [((1, 28, 28), dataset[i][1]) for i in range(3)]


def test_a_gathered_batch_reads_as_a_list(dataset):
    gathered = dataset.__getitems__(range(4))
    elements = list(gathered)
    for part in (slice(1, 3), slice(None, None, -1), slice(3, None, -2), slice(0, 0)):
        assert type(gathered[part]) is list
        assert [label for _, label in gathered[part]] == [label for _, label in elements[part]]
    before = [dataset[9]]
    for joined, indices in ((gathered + before, (0, 1, 2, 3, 9)), (before + gathered, (9, 0, 1, 2, 3))):
        assert type(joined) is list
        assert [label for _, label in joined] == [dataset[i][1] for i in indices]
    assert len(gathered + gathered) == 8
    images, labels = default_collate(gathered[::-1])
    assert torch.equal(images[0], dataset[3][0])
    assert labels.tolist() == [dataset[i][1] for i in (3, 2, 1, 0)]


@pytest.mark.parametrize("index", [[1, 2], 1.0, None, (0, 1), np.array([0, 1])], ids=repr)
def test_an_index_is_an_integer_or_a_slice(dataset, index):
    with pytest.raises(
        TypeError, match=r"an integer or a slice, .* for several indices, use torch\.utils\.data\.Subset"
    ):
        dataset[index]


@pytest.mark.parametrize("transform", [None, lambda image: image.float() + 1], ids=["as stored", "transformed"])
@pytest.mark.parametrize("where", [slice(0, 3), slice(None, None, -500), slice(-2, None), slice(1990, 5000)], ids=repr)
def test_a_slice_is_a_batch(dataset, where, transform):
    dataset.transform = transform
    images, labels = dataset[where]
    single = [dataset[i] for i in range(2000)[where]]
    assert torch.equal(images, torch.stack([image for image, _ in single]))
    assert labels.tolist() == [label for _, label in single]


def test_examples_are_refused_while_data_and_targets_differ_in_length(dataset):
    dataset.data = dataset.data[:10]
    for read in (lambda: dataset[-1], lambda: dataset[0:2], lambda: dataset.__getitems__([0])):
        with pytest.raises(
            idxhub.errors.ArgumentError, match=r"targets is \(2000,\); .* assign targets of that length"
        ):
            read()


@pytest.mark.parametrize("transform", [None, lambda image: image])
def test_an_empty_slice_is_an_empty_batch(dataset, transform):
    dataset.transform = transform
    images, labels = dataset[5:5]
    assert (images.shape, labels.shape) == ((0, 1, 28, 28), (0,))


@pytest.mark.parametrize("count", [0, 3, 2001])
def test_targets_of_another_length_are_refused_at_once(dataset, count):
    before = dataset.targets
    with pytest.raises(idxhub.errors.ArgumentError, match=r"of shape \(2000,\), .* assign data first"):
        dataset.targets = torch.zeros(count, dtype=torch.int64)
    assert dataset.targets is before


@pytest.mark.parametrize("name", ["data", "targets"])
@pytest.mark.parametrize(
    "value",
    [None, "x", ["a"], [[1], [1, 2]], object(), torch.zeros(3).to_sparse(), torch.zeros(()), 5],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_array_is_refused(dataset, name, value):
    before = getattr(dataset, name)
    with pytest.raises(idxhub.errors.ArgumentError, match=f"^{name} is .*; it must be a (dense )?tensor"):
        setattr(dataset, name, value)
    assert getattr(dataset, name) is before


@pytest.mark.parametrize("kind", [list, torch.tensor, np.array])
def test_targets_may_be_replaced(dataset, kind):
    dataset.targets = kind([i / 4 for i in range(2000)])
    assert dataset[3][1] == 0.75
    assert dataset.__getitems__([3])[0][1] == 0.75
    _, labels = next(iter(DataLoader(dataset, batch_size=4)))
    assert labels.tolist() == [0.0, 0.25, 0.5, 0.75]
    dataset.target_transform = str
    assert dataset[3][1] == "0.75"
    assert [label for _, label in dataset.__getitems__([0, 3])] == ["0.0", "0.75"]
    assert unpickled(pickle.dumps(dataset))[3][1] == "0.75"


def test_a_selection_may_replace_all(dataset):
    """Strided tensors too: batches are taken from a contiguous copy that is made once."""
    images, targets = dataset.data[1::2], dataset.targets[1::2]
    wanted = [dataset[i] for i in (1, 3, 1999)]
    dataset.data, dataset.targets = images, targets
    assert len(dataset) == 1000
    assert dataset.data.is_contiguous()
    assert dataset.targets.is_contiguous()
    for index, (image, label) in zip((0, 1, -1), wanted, strict=True):
        assert torch.equal(dataset[index][0], image)
        assert dataset[index][1] == label
    batch = default_collate(dataset.__getitems__([0, 1, -1]))
    assert torch.equal(batch[0], torch.stack([image for image, _ in wanted]))
    assert batch[1].tolist() == [label for _, label in wanted]


def test_what_is_assigned_is_read_from_the_cpu_without_a_graph(dataset):
    dataset.data = torch.rand(3, 28, 28, requires_grad=True)
    dataset.targets = [0, 1, 2]
    assert not next(iter(DataLoader(dataset, batch_size=3)))[0].requires_grad
    assert torch.equal(dataset[2][0][0], dataset.data[2])


@pytest.mark.parametrize("name", ["data", "targets"])
def test_a_dtype_that_numpy_lacks_is_refused(dataset, name):
    before = getattr(dataset, name)
    with pytest.raises(
        idxhub.errors.ArgumentError, match=rf"^{name} is torch\.bfloat16; it must be of a dtype that NumPy has as well$"
    ):
        setattr(dataset, name, before.to(torch.bfloat16))
    assert getattr(dataset, name) is before


def test_images_of_one_number_are_transformed_too():
    dataset = idxhub.get_dataset(NAME, framework="torch", layout="HW", transform=lambda image: image + 1)
    dataset.data = dataset.data[:, 14, 14]
    wanted = (dataset.data[[0, 5]] + 1).tolist()
    assert [image.item() for image, _ in dataset.__getitems__([0, 5])] == wanted
    assert [dataset[i][0].item() for i in (0, 5)] == wanted


def test_tensors_that_torch_moves_are_read_where_they_are(dataset):
    """To share a tensor with other processes torch gives it other memory."""
    dataset.data.share_memory_()
    dataset.targets.share_memory_()
    dataset.data[3] = 7
    dataset.targets[3] = 9
    image, label = dataset[3]
    assert int(image.min()) == 7
    assert label == 9
    images, labels = default_collate(dataset.__getitems__([3]))
    assert int(images.min()) == 7
    assert labels.tolist() == [9]
    assert unpickled(pickle.dumps(dataset))[3][1] == 9


def test_samples_that_a_wrapper_gathers_itself_collate_too(dataset):
    gathered = dataset.__getitems__([0, 1, 2])
    images, labels = default_collate([gathered[2], gathered[0]])
    assert torch.equal(images, torch.stack([dataset[2][0], dataset[0][0]]))
    assert labels.tolist() == [dataset[2][1], dataset[0][1]]


def test_transforms_are_applied_one_example_at_a_time():
    shapes = []

    def flip(image):
        shapes.append(image.shape)
        return image.flip(-1)

    plain = idxhub.get_dataset(NAME, framework="torch", dtype="float32")
    dataset = idxhub.get_dataset(
        NAME, framework="torch", dtype="float32", transform=flip, target_transform=lambda label: label + 100
    )
    image, label = dataset[5]
    assert torch.equal(image, plain[5][0].flip(-1))
    assert label == plain[5][1] + 100
    images, labels = next(iter(DataLoader(dataset, batch_size=4)))
    assert set(shapes) == {(1, 28, 28)}
    assert torch.equal(images, torch.stack([plain[i][0].flip(-1) for i in range(4)]))
    assert labels.tolist() == [plain[i][1] + 100 for i in range(4)]


@pytest.mark.parametrize("indices", [[2000], [0, -2001], [5, 10_000]])
def test_a_batch_out_of_range_is_an_index_error(dataset, indices):
    with pytest.raises(IndexError, match="out of range for 2000 examples"):
        dataset.__getitems__(indices)


def test_a_batch_is_a_nested_container_for_torch(dataset):
    batch = dataset.__getitems__([0, 1])
    doubled = tree_map(lambda value: value * 2, batch)
    assert [type(each) for each in (doubled, *doubled)] == [list, tuple, tuple]
    for (image, label), row in zip(doubled, (0, 1), strict=True):
        assert torch.equal(image, dataset[row][0] * 2)
        assert label == dataset[row][1] * 2


@pytest.mark.parametrize("indices", [[0.6, 1.9], [True, False], torch.tensor([False, True]), ["1"], [[1, 2], [3, 4]]])
def test_a_mask_or_other_numbers_are_no_indices(indices, dataset):
    with pytest.raises(TypeError, match="indices are integers, "):
        next(iter(DataLoader(Subset(dataset, indices), batch_size=2)))


@pytest.mark.parametrize(
    "kind", [tuple, set, iter, np.array, torch.tensor, dict.fromkeys], ids=lambda kind: kind.__name__
)
def test_a_batch_sampler_may_give_any_iterable(kind, dataset):
    images, labels = next(iter(DataLoader(dataset, batch_sampler=[kind([1, 2, 5])])))
    assert torch.equal(images, torch.stack([dataset[row][0] for row in (1, 2, 5)]))
    assert labels.tolist() == [dataset[row][1] for row in (1, 2, 5)]


def test_a_batch_may_count_from_the_end(dataset):
    assert [label for _, label in dataset.__getitems__([-1, 0, -2000])] == [dataset[i][1] for i in (1999, 0, 0)]


def test_indices_may_be_numpys_or_torchs(dataset):
    for index in (np.int64(7), torch.tensor(7)):
        assert torch.equal(dataset[index][0], dataset[7][0])


def test_float32_has_numpys_bits():
    dataset = idxhub.get_dataset(NAME, framework="torch", dtype="float32")
    (images, _), *_ = DataLoader(dataset, batch_size=2000)
    expected, _ = idxhub.get_dataset(NAME, dtype="float32")
    assert np.array_equal(images.numpy()[:, 0].view(np.uint32), expected.view(np.uint32))


def test_the_default_dtype_of_torch_changes_nothing(dataset):
    torch.set_default_dtype(torch.float64)
    try:
        image, _ = idxhub.get_dataset(NAME, framework="torch", dtype="float32")[0]
    finally:
        torch.set_default_dtype(torch.float32)
    assert image.dtype == torch.float32


def test_no_warning_about_arrays_that_cannot_be_written():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        idxhub.get_dataset(NAME, framework="torch", split="train+test")


def test_a_model_trains_on_it():
    torch.manual_seed(0)
    dataset = idxhub.get_dataset(NAME, framework="torch", dtype="float32")
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        total = 0.0
        for images, labels in DataLoader(dataset, batch_size=64, shuffle=True):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach())
        losses.append(total)
    assert losses[2] < losses[1] < losses[0]


def test_a_subclass_may_say_what_an_element_is(dataset):
    class Doubled(type(dataset)):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image.float() * 2, label

    doubled = Doubled(dataset._split)
    images, labels = next(iter(DataLoader(doubled, batch_size=4)))
    assert images.dtype == torch.float32
    assert torch.equal(images, dataset.data[:4, None].float() * 2)
    assert torch.equal(labels, dataset.targets[:4])


def test_labels_are_one_number_each(dataset):
    with pytest.raises(idxhub.errors.ArgumentError, match=r"of shape \(2000,\)"):
        dataset.targets = torch.eye(10)


def test_torchs_own_dtype_is_read():
    data = idxhub.get_dataset("fashion-mnist-sample", framework="torch", dtype=torch.float32)
    assert data[0][0].dtype == torch.float32


@pytest.mark.parametrize(
    "size",
    [torch.tensor(True), torch.tensor([128]), torch.tensor([True]), torch.tensor([]), torch.tensor(1.5)],
    ids=str,
)
def test_a_tensor_that_is_no_integer_is_no_size(size):
    with pytest.raises(idxhub.errors.ArgumentError, match=r"^batch_size is tensor\(.*must be an integer of 1 or more$"):
        idxhub.get_loader(NAME, framework="torch", batch_size=size)


def test_an_integer_tensor_without_a_dimension_is_a_size():
    loader = idxhub.get_loader(NAME, framework="torch", batch_size=torch.tensor(128))
    assert type(loader.batching.batch_size) is int
    assert loader.batching.batch_size == 128


def test_a_notebook_shows_what_it_gives(dataset):
    html = idxhub.get_dataset(NAME, framework="torch", dtype="float32")._repr_html_()
    assert f"<b>{NAME}</b> train, 2,000 examples <small>IdxDataset</small>" in html
    assert "float32 (2000, 1, 28, 28), CHW; stored as uint8 (2000, 28, 28)" in html
    assert ("<img" in html) == (importlib.util.find_spec("PIL") is not None)
    dataset.data, dataset.targets = dataset.data[:7, :14], [0] * 7
    html = dataset._repr_html_()
    assert "train, 7 examples" in html
    assert "uint8 (7, 1, 14, 28)" in html
    assert '<th>0</th><td>T-shirt/top</td><td class="n">7</td>' in html


@pytest.mark.parametrize("shape", [(3,), (3, 2, 2, 2, 2), (0, 5), (3, 4, 4)], ids=str)
def test_a_notebook_shows_other_data_too(dataset, shape):
    dataset.data = torch.ones(shape)
    assert f"{shape[0]} examples" in dataset._repr_html_()


def test_the_default_device_of_the_program_changes_nothing():
    with torch.device("meta"):
        dataset = idxhub.get_dataset(NAME, framework="torch")
        assert np.shares_memory(dataset.data.numpy(), dataset._split.images)
        again = pickle.loads(pickle.dumps(dataset))  # noqa: S301 -- made here
        gathered = again.__getitems__([0, 1])
        batches = [again[:2], default_collate(gathered), default_collate(list(gathered))]
        dataset.targets = [7] * len(dataset)
    for images, labels in [*batches, (dataset.data, dataset.targets), (again.data, again.targets)]:
        assert (images.device.type, labels.device.type) == ("cpu", "cpu")
    assert [labels.tolist() for _, labels in batches] == [[9, 0]] * 3
