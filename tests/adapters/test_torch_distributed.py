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
# what each rank's program ends with. It does not let Python end: gloo's threads may abort the process while Python does
# (pytorch/pytorch#190489), also after the group was destroyed, because the wrapped model may still hold it.
END = """
    import os

    distributed.barrier()
    distributed.destroy_process_group()
    sys.stdout.flush()
    os._exit(0)
"""


def test_the_processes_see_each_epoch_once(tmp_path):
    code = """
        print(json.dumps(seen("torch", lambda images: images.numpy())))
    """
    ranks.assert_each_epoch_is_whole(101, ranks.run(2, ranks.numbered(tmp_path, 101), GROUP, code, END, **LOOPBACK))


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
    """
    for told in ranks.run(2, None, GROUP, code, END, **LOOPBACK):
        ranks.assert_trained_as_one(told, steps=8)
