"""The JAX adapter: the kit, devices and shardings, and what donation can and cannot reach."""

from __future__ import annotations

import copy
import importlib.util
import os
import pickle

import numpy as np
import pytest
from support import kit, made
from support.needs import need
from support.processes import importable, python

import idxhub
from idxhub import conformance

jax = need("jax")
from idxhub_adapters import jax as adapter  # noqa: E402 -- after the skip where it is absent

NAME = "fashion-mnist-sample"


@conformance.parametrize("jax")
def test_conformance(check, tmp_path):
    check(conformance.case("jax", tmp_path))


def test_what_is_not_applicable():
    # an index out of range is clamped, as JAX documents for its arrays
    assert kit.not_applicable("jax") == {
        *("class-names", "index", "index-out-of-range", "workers-fork", "workers-spawn")
    }


def get(**arguments):
    return idxhub.get_dataset(NAME, framework="jax", **arguments)


def test_it_is_a_pytree_of_arrays():
    arrays = get()
    assert isinstance(arrays, idxhub.Arrays)
    assert [type(leaf) for leaf in jax.tree.leaves(arrays)] == [type(jax.numpy.zeros(1))] * 2
    assert (arrays.images.shape, arrays.images.dtype) == ((2000, 28, 28), np.uint8)
    assert (arrays.labels.shape, arrays.labels.dtype) == ((2000,), np.int32)
    doubled = jax.jit(lambda pair: jax.tree.map(lambda leaf: leaf * 2, pair))(arrays)
    assert isinstance(doubled, idxhub.Arrays)


def test_on_the_cpu_the_mapped_file_is_taken_as_it_is(monkeypatch):
    given = []
    put = jax.device_put
    monkeypatch.setattr(jax, "device_put", lambda pair, where: given.append(pair) or put(pair, where))
    arrays = get()
    assert given[0][0].ctypes.data == arrays.images.unsafe_buffer_pointer()


def test_a_notebook_shows_it():
    html = get()._repr_html_()
    assert "uint8 (2000, 28, 28), HW" in html
    assert "int32 (2000,)" in html
    assert ("<img" in html) == (importlib.util.find_spec("PIL") is not None)


def test_donation_does_not_reach_the_cache(cache_dir):
    arrays = get()
    before = {path: path.read_bytes() for path in cache_dir.rglob("*.npy")}
    # donated memory is what XLA may write the result into
    result = jax.jit(lambda images: images + jax.numpy.uint8(1), donate_argnums=0)(arrays.images)
    assert int(result[0, 0, 0]) == int(idxhub.get_dataset(NAME).images[0, 0, 0]) + 1
    assert {path: path.read_bytes() for path in cache_dir.rglob("*.npy")} == before
    assert np.array_equal(np.asarray(get().images), idxhub.get_dataset(NAME).images)


def test_float32_has_numpys_bits():
    expected, _ = idxhub.get_dataset(NAME, dtype="float32")
    assert np.array_equal(np.asarray(get(dtype="float32").images).view(np.uint32), expected.view(np.uint32))


def test_device():
    (device,) = jax.devices("cpu")[:1]
    assert get(device=device).images.devices() == {device}


def test_a_sharding_over_a_mesh():
    python(
        """
        import jax, numpy as np, idxhub
        from jax.sharding import Mesh, NamedSharding, PartitionSpec
        mesh = Mesh(np.array(jax.devices()), ("examples",))
        assert mesh.size == 4
        sharding = NamedSharding(mesh, PartitionSpec("examples"))
        arrays = idxhub.get_dataset("fashion-mnist-sample", framework="jax", sharding=sharding)
        assert arrays.images.sharding == arrays.labels.sharding == sharding
        assert [shard.data.shape for shard in arrays.images.addressable_shards] == [(500, 28, 28)] * 4
        assert np.array_equal(np.asarray(arrays.images), idxhub.get_dataset("fashion-mnist-sample").images)
        """,
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"},
    )


def test_a_pickled_loader_keeps_its_device():
    python(
        """
        import pickle, jax, idxhub
        third = jax.devices()[2]
        for device in (third, "cpu:2"):
            loader = idxhub.get_loader("fashion-mnist-sample", framework="jax", batch_size=1000, device=device)
            for each in (loader, pickle.loads(pickle.dumps(loader))):
                assert [batch.images.devices() for batch in each] == [{third}] * 2
        """,
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"},
    )


def test_get_loader_gives_jax_arrays_in_the_shared_order():
    loader = idxhub.get_loader(NAME, framework="jax", batch_size=128, seed=3)
    batches = list(loader)
    assert all(isinstance(batch, idxhub.Arrays) and isinstance(batch.images, jax.Array) for batch in batches)
    labels = np.concatenate([batch.labels for batch in batches])
    assert labels.tolist() == idxhub.get_dataset(NAME).labels[idxhub.order(2000, 3, 0)].tolist()


@pytest.mark.parametrize("device", [None, "cpu"])
@pytest.mark.parametrize(
    "context",
    [
        jax.disable_jit,
        lambda: jax.transfer_guard("disallow"),
        lambda: jax.debug_nans(True),
        lambda: jax.numpy_dtype_promotion("strict"),
        lambda: jax.numpy_rank_promotion("raise"),
        jax.checking_leaks,
    ],
    ids=["disable_jit", "transfer_guard", "debug_nans", "dtype_promotion", "rank_promotion", "checking_leaks"],
)
def test_get_loader_gives_jax_arrays_under_jaxs_aids_for_debugging(context, device):
    loader = idxhub.get_loader(NAME, framework="jax", batch_size=128, dtype="float32", shuffle=False, device=device)
    with context():
        images, labels = zip(*loader, strict=True)
    assert {type(batch) for batch in (*images, *labels)} == {type(jax.numpy.zeros(1))}
    assert np.concatenate(images).tobytes() == idxhub.get_dataset(NAME, dtype="float32").images.tobytes()
    assert np.concatenate(labels).tolist() == idxhub.get_dataset(NAME).labels.tolist()


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_batch_is_on_the_device_that_is_the_default_one_where_it_is_asked_for(prefetch):
    code = f"""
        import jax
        from idxhub import get_loader

        with jax.default_device(jax.devices()[1]):
            batches = list(get_loader({NAME!r}, framework="jax", batch_size=500, prefetch={prefetch}))
        print({{device.id for batch in batches for array in batch for device in array.devices()}})
    """
    two = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    assert python(code, env=two).stdout == "{1}\n"


def test_a_batch_stays_what_it_is():
    loader = idxhub.get_loader(NAME, framework="jax", batch_size=128, shuffle=False)
    batches = list(loader)
    assert np.array_equal(np.asarray(batches[0].images), idxhub.get_dataset(NAME).images[:128])


def both(**arguments):
    """A loader, and the same with the data on the device."""
    arguments = {"framework": "jax", "batch_size": 128, "seed": 3} | arguments
    return idxhub.get_loader(NAME, **arguments), idxhub.get_loader(NAME, device=jax.devices()[0], **arguments)


def test_with_a_device_batches_are_gathered_on_it():
    for arguments in ({}, {"dtype": "float32", "layout": "HWC"}):
        ordinary, resident = both(**arguments)
        for mine, expected in zip(resident, ordinary, strict=True):
            assert isinstance(mine, idxhub.Arrays)
            assert mine.images.devices() == mine.labels.devices() == {jax.devices()[0]}
            assert mine.labels.tolist() == expected.labels.tolist()
            assert mine.images.dtype == expected.images.dtype
            assert np.asarray(mine.images).tobytes() == np.asarray(expected.images).tobytes()


def pickled(what):
    return pickle.loads(pickle.dumps(what))  # noqa: S301 -- made here


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_with_a_device_a_loader_is_pickled_and_copied(duplicate):
    _, resident = both(dtype="float32")
    next(iter(resident))
    again = duplicate(resident)
    for mine, expected in zip(again, resident, strict=True):
        assert mine.images.devices() == {jax.devices()[0]}
        assert np.asarray(mine.images).tobytes() == np.asarray(expected.images).tobytes()
    assert len(pickle.dumps(resident)) < 10_000


def test_with_a_device_nothing_travels_during_a_pass_and_nothing_is_traced_again():
    _, resident = both(dtype="float32")
    list(resident)
    traced = adapter._gather._cache_size()
    passing = iter(resident)
    next(passing)
    with jax.transfer_guard("disallow_explicit"):
        assert len(list(passing)) == 15
    assert adapter._gather._cache_size() == traced


@pytest.mark.parametrize(("size", "most"), [(1, 150), (7, 40), (64, 10), (2000, 1), (5000, 1)])
def test_small_batches_are_made_several_at_a_time(size, most, monkeypatch):
    ordinary, resident = both(batch_size=size, seed=3)
    calls = []
    gather = adapter._gather
    monkeypatch.setattr(adapter, "_gather", lambda *args, **how: calls.append(how) or gather(*args, **how))
    made = list(resident)
    assert len(calls) <= most
    for mine, expected in zip(made, ordinary, strict=True):
        assert np.array_equal(mine.images, expected.images)
        assert np.array_equal(mine.labels, expected.labels)


@pytest.mark.parametrize("device", ["gpu:99", "cpu:99", "cpu:x", "cpu:-1", "cpu:", "", "tpo", 3, True], ids=repr)
@pytest.mark.parametrize("function", [idxhub.get_dataset, idxhub.get_loader])
def test_an_unknown_device_is_refused(function, device, cache_dir):
    more = {"batch_size": 128} if function is idxhub.get_loader else {}
    with pytest.raises(
        idxhub.errors.ArgumentError, match=rf"^device is {device!r}; it must be .*; this machine has .*cpu"
    ):
        function("fashion-mnist", framework="jax", device=device, download=False, **more)
    assert not cache_dir.exists()


def test_a_value_that_is_no_sharding_is_refused(cache_dir):
    for sharding in ("x", 3, jax.devices("cpu")[0]):
        with pytest.raises(idxhub.errors.ArgumentError, match=r"^sharding is .* must be a jax.sharding.Sharding"):
            idxhub.get_dataset("fashion-mnist", framework="jax", sharding=sharding, download=False)
    assert not cache_dir.exists()


def test_a_device_or_a_sharding():
    sharding = jax.sharding.SingleDeviceSharding(jax.devices("cpu")[0])
    assert get(device=None, sharding=sharding).images.sharding == sharding
    with pytest.raises(idxhub.errors.ArgumentError, match=r"^sharding is .* must be None if device is given"):
        get(device="cpu", sharding=sharding)


def test_a_device_by_its_name():
    for name in ("cpu", "cpu:0"):
        images, _ = next(iter(idxhub.get_loader(NAME, framework="jax", batch_size=128, device=name)))
        assert images.devices() == get(device=name).images.devices() == {jax.devices("cpu")[0]}


def test_float64_is_refused_rather_than_narrowed(tmp_path):
    """By default JAX has no float64: it would give float32, with other values, and without a warning."""
    mine = made.make(tmp_path / "published", dtype="float64")
    options = {"framework": "jax", "data_dir": mine.folder, "download": False}
    for refused in (
        lambda: idxhub.get_dataset(mine.spec, **options),
        lambda: list(get_loader(mine.spec, **options)),
        lambda: get_loader(mine.spec, device="cpu", **options),
    ):
        with pytest.raises(idxhub.errors.ArgumentError, match=r"float64 only after jax.config.update"):
            refused()
    done = python(
        """
        import pickle, sys
        import jax, numpy as np
        from idxhub import get_dataset

        jax.config.update("jax_enable_x64", True)
        mine = pickle.load(open(sys.argv[1], "rb"))
        images, _ = get_dataset(mine.spec, framework="jax", data_dir=mine.folder)
        assert images.dtype == "float64"
        assert (np.asarray(images) == mine.array(mine.train_images)).all()
        """,
        told(tmp_path, mine),
        env=os.environ | {"PYTHONPATH": importable()},
    )
    assert done.returncode == 0


def get_loader(spec, **options):
    return idxhub.get_loader(spec, batch_size=8, **options)


def told(folder, what):
    path = folder / "told"
    path.write_bytes(pickle.dumps(what))
    return path
