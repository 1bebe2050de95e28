"""get_loader's shards under DistributedDataParallel: two processes over gloo."""

from __future__ import annotations

import sys

from support import ranks
from support.needs import need

need("torch")

LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
GROUP = """
    import datetime
    import torch
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    address, _, port = addresses[0].partition(":")
    store = distributed.TCPStore(address, int(port), world, rank == 0, datetime.timedelta(seconds=60))
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=world)
    assert (distributed.get_rank(), distributed.get_world_size()) == (rank, world)
"""


def test_the_processes_see_each_epoch_once(tmp_path):
    code = """
        print(json.dumps(seen("torch", lambda images: images.numpy())))
        distributed.destroy_process_group()
    """
    ranks.assert_each_epoch_is_whole(101, ranks.run(2, ranks.numbered(tmp_path, 101), GROUP, code, **LOOPBACK))


def test_training_on_two_is_training_on_one_with_batches_twice_as_large():
    code = """
        def train(wrap, loader):
            torch.manual_seed(0)
            model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
            wrapped, steps = wrap(model), 0
            optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
            for images, labels in loader:
                loss = torch.nn.functional.cross_entropy(wrapped(images), labels)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                steps += 1
            return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]), steps

        mine, steps = train(DistributedDataParallel, training_loader("torch", 64, (rank, world)))
        alone, _ = train(lambda model: model, training_loader("torch", 128, (0, 1)))
        apart, _ = train(lambda model: model, training_loader("torch", 64, (rank, world)))
        everyones = [torch.empty_like(mine) for _ in range(world)]
        distributed.all_gather(everyones, mine)
        print_differences(steps, mine, everyones, alone, apart)
        distributed.destroy_process_group()
    """
    for told in ranks.run(2, None, GROUP, code, **LOOPBACK):
        ranks.assert_trained_as_one(told, steps=8)
