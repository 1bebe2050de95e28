"""get_loader's shards under jax.distributed: two processes, each with its own CPU device."""

from __future__ import annotations

from support import ranks
from support.needs import need

need("jax")

GROUP = """
    import jax
    import jax.numpy as jnp
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    jax.config.update("jax_cpu_collectives_implementation", "gloo")  # JAX 0.5 has none by default
    jax.distributed.initialize(addresses[0], world, rank, initialization_timeout=60)
    assert (jax.process_index(), jax.process_count()) == (rank, world)
    assert (jax.local_device_count(), jax.device_count()) == (1, world)
"""


def test_the_processes_see_each_epoch_once(tmp_path):
    code = """
        print(json.dumps(seen("jax", np.asarray)))
        jax.distributed.shutdown()
    """
    ranks.assert_each_epoch_is_whole(101, ranks.run(2, ranks.numbered(tmp_path, 101), GROUP, code))


def test_training_on_two_is_training_on_one_with_batches_twice_as_large():
    code = """
        @jax.jit
        def step(weights, batch):
            def loss(weights):
                scores = jax.nn.log_softmax(batch.images.reshape(len(batch.images), -1) @ weights)
                return -jnp.take_along_axis(scores, batch.labels[:, None], axis=1).mean()
            return weights - 0.1 * jax.grad(loss)(weights)

        def train(place, loader):
            weights, steps = place.weights(np.zeros((784, 10), np.float32)), 0
            for batch in loader:
                weights, steps = step(weights, place.batch(batch)), steps + 1
            return np.asarray(weights), steps

        class Here:
            weights = staticmethod(jnp.asarray)
            batch = staticmethod(lambda batch: batch)

        class Everywhere:
            mesh = Mesh(np.array(jax.devices()), ("examples",))

            @classmethod
            def weights(cls, array):
                return jax.device_put(array, NamedSharding(cls.mesh, PartitionSpec()))

            @classmethod
            def batch(cls, batch):
                # a global array, of which each process has its own batch: the mean over it is the mean over all
                spread = NamedSharding(cls.mesh, PartitionSpec("examples"))
                whole = jax.tree.map(lambda part: jax.make_array_from_process_local_data(spread, part), batch)
                assert len(whole.labels) == world * len(batch.labels) and not whole.images.is_fully_addressable
                return whole

        from jax.experimental import multihost_utils
        mine, steps = train(Everywhere, training_loader("jax", 64, (rank, world)))
        alone, _ = train(Here, training_loader("jax", 128, (0, 1)))
        apart, _ = train(Here, training_loader("jax", 64, (rank, world)))
        everyones = multihost_utils.process_allgather(mine)
        assert everyones.shape == (world, 784, 10)
        print_differences(steps, mine, everyones, alone, apart)
        jax.distributed.shutdown()
    """
    for told in ranks.run(2, None, GROUP, code):
        ranks.assert_trained_as_one(told, steps=8)
