"""torchvision's transforms given to `get_dataset(framework="torch")`: each gets what it takes."""

from __future__ import annotations

import numpy as np
import pytest
from support import made
from support.needs import need, need_elsewhere

import idxhub
from idxhub import errors

torch = need("torch")
need("PIL.Image")
from PIL import Image  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

from idxhub_bench import vision  # noqa: E402

NAME = "fashion-mnist-sample"
MEAN, STD = (0.2860,), (0.3530,)


@pytest.fixture(scope="session")
def versions():
    """torchvision's transforms, of the first version and of the second."""
    need_elsewhere("torchvision")
    _, transforms = vision.modules()
    from torchvision.transforms import v2  # noqa: PLC0415 -- after what may have failed once

    return transforms, v2


def get(transform, **options):
    return idxhub.get_dataset(NAME, framework="torch", transform=transform, **options)


def scaled():
    return idxhub.get_dataset(NAME, framework="torch", dtype="float32")


@pytest.mark.parametrize("dtype", [None, "uint8", "float32"])
def test_the_quickstarts_to_tensor(versions, dtype):
    dataset = get(versions[0].ToTensor(), dtype=dtype)
    image, label = dataset[3]
    assert (image.shape, image.dtype, type(label)) == ((1, 28, 28), torch.float32, int)
    images, labels = next(iter(DataLoader(dataset, batch_size=64)))
    expected, expected_labels = next(iter(DataLoader(scaled(), batch_size=64)))
    assert torch.equal(images, expected)
    assert torch.equal(labels, expected_labels)
    assert torch.equal(image, images[3])
    assert torch.equal(dataset[10:12][0], expected[10:12])


def taking_images(transforms, v2):
    """Transforms that take PIL images, by a name."""
    return {
        "ToTensor, Normalize": transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)]),
        "Resize, ToTensor": transforms.Compose([transforms.Resize(14), transforms.ToTensor()]),
        "PILToTensor": transforms.PILToTensor(),
        "v2.PILToTensor": v2.Compose([v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)]),
        "nested": transforms.Compose([transforms.Compose([transforms.ToTensor()])]),
        "a function before": transforms.Compose([lambda image: image.transpose(1), transforms.ToTensor()]),
        "Sequential": torch.nn.Sequential(v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)),
        "RandomOrder": transforms.Compose([transforms.RandomOrder([transforms.ToTensor()])]),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("ToTensor, Normalize", "Resize, ToTensor", "PILToTensor", "v2.PILToTensor", "nested"),
        *("a function before", "Sequential", "RandomOrder"),
    ],
)
def test_what_takes_a_pil_image_gets_one(name, versions):
    transform = taking_images(*versions)[name]
    dataset = get(transform)
    stored = idxhub.load(NAME).images
    expected = [transform(Image.fromarray(image)) for image in stored[:5]]
    images, _ = next(iter(DataLoader(dataset, batch_size=5)))
    assert torch.equal(images, torch.stack(expected))
    assert all(torch.equal(dataset[i][0], each) for i, each in enumerate(expected))


def taking_tensors(transforms, v2):
    """Transforms that take tensors, by a name."""
    return {
        "v2": v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]),
        "v2 without ToImage": v2.ToDtype(torch.float32, scale=True),
        "ToPILImage first": transforms.Compose([transforms.ToPILImage(), transforms.ToTensor()]),
        "Normalize": transforms.Compose([transforms.ConvertImageDtype(torch.float32), transforms.Normalize(MEAN, STD)]),
        "a function": lambda image: image.to(torch.float32) + 1,
    }


@pytest.mark.parametrize("name", ["v2", "v2 without ToImage", "ToPILImage first", "Normalize", "a function"])
def test_what_takes_a_tensor_gets_one(name, versions):
    transform = taking_tensors(*versions)[name]
    plain = idxhub.get_dataset(NAME, framework="torch")
    images, _ = next(iter(DataLoader(get(transform), batch_size=5)))
    assert torch.equal(images, torch.stack([transform(plain[i][0]) for i in range(5)]))


def test_v2_to_tensor_scales(versions):
    """Given a tensor, it would return it as it is, unscaled."""
    with pytest.warns(UserWarning, match="deprecated"):
        transform = versions[1].ToTensor()
    assert torch.equal(get(transform)[7][0], scaled()[7][0])


def test_images_that_are_not_grey_bytes_are_given_as_arrays(versions, tmp_path):
    toy = made.make(tmp_path / "published", dtype="int16")
    options = {"framework": "torch", "data_dir": toy.folder}
    dataset = idxhub.get_dataset(toy.spec, transform=versions[0].ToTensor(), **options)
    array = toy.array(toy.train_images)[4]
    assert torch.equal(dataset[4][0], torch.from_numpy(array[None]))
    assert torch.equal(dataset.__getitems__([4])[0][0], torch.from_numpy(array[None]))
    assert np.array_equal(dataset.data[4], array)


def test_the_dataset_is_not_written_through_a_pil_image(versions):
    transforms, _ = versions

    def blacken(image):
        image.paste(0, (0, 0, 28, 28))
        return image

    dataset = get(transforms.Compose([blacken, transforms.ToTensor()]))
    assert dataset[0][0].sum() == 0
    assert dataset.__getitems__([0])[0][0].sum() == 0
    assert dataset.data[0].sum() > 0


@pytest.mark.parametrize("layout", ["HW", "HWC"])
def test_a_layout_is_refused_where_it_would_have_no_effect(layout, versions, cache_dir):
    message = f"^layout is '{layout}'; it must be None for a transform that takes a PIL image, as ToTensor does$"
    with pytest.raises(errors.ArgumentError, match=message):
        get(versions[0].ToTensor(), layout=layout)
    assert not cache_dir.exists()
