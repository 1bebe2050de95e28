"""get_loader's shards under tf.distribute: two processes and MultiWorkerMirroredStrategy."""

from __future__ import annotations

import pytest
from support import ranks
from support.needs import need

need("tensorflow")

GROUP = """
    import os
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}})
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    resolver = strategy.cluster_resolver
    assert (resolver.task_id, strategy.num_replicas_in_sync) == (rank, world)
"""


def test_the_processes_see_each_epoch_once(tmp_path):
    code = """
        print(json.dumps(seen("tensorflow", lambda images: images.numpy())))
    """
    ranks.assert_each_epoch_is_whole(101, ranks.run(2, ranks.numbered(tmp_path, 101), GROUP, code))


@pytest.mark.parametrize("options", ["batch_size=16", "batch_size=16, shuffle=True, seed=7"])
def test_the_strategys_own_sharding_of_a_dataset_is_one_epoch_too(options, tmp_path):
    code = f"""
        dataset = idxhub.get_dataset(spec, framework="tensorflow", {options})
        mine = strategy.experimental_distribute_dataset(dataset)
        parts = [part for images, _ in mine for part in strategy.experimental_local_results(images)]
        print(json.dumps(sum((numbers(part.numpy()) for part in parts), [])))
    """
    one, other = ranks.run(2, ranks.numbered(tmp_path, 101), GROUP, code)
    assert sorted(one + other) == list(range(101))


def test_training_on_two_is_training_on_one_with_batches_twice_as_large():
    code = """
        def train(strategy, loader):
            with strategy.scope():
                # what replicas assign is averaged over all of them first
                weights = tf.Variable(tf.zeros((784, 10)), aggregation=tf.VariableAggregation.MEAN)

            @tf.function(reduce_retracing=True)
            def step(images, labels):
                def replica(images, labels):
                    with tf.GradientTape() as tape:
                        scores = tf.reshape(images, (-1, 784)) @ weights
                        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores))
                    weights.assign_sub(0.1 * tape.gradient(loss, weights))
                strategy.run(replica, (images, labels))

            steps = 0
            for images, labels in loader:
                step(images, labels)
                steps += 1
            return weights.numpy(), steps

        mine, steps = train(strategy, training_loader("tensorflow", 64, (rank, world)))
        here = tf.distribute.get_strategy()
        alone, _ = train(here, training_loader("tensorflow", 128, (0, 1)))
        apart, _ = train(here, training_loader("tensorflow", 64, (rank, world)))

        @tf.function
        def gathered():
            each = strategy.run(lambda: tf.constant(mine)[None])
            return strategy.gather(each, axis=0)

        everyones = gathered().numpy()
        assert everyones.shape == (world, 784, 10)
        print_differences(steps, mine, everyones, alone, apart)
    """
    for told in ranks.run(2, None, GROUP, code):
        ranks.assert_trained_as_one(told, steps=8)
