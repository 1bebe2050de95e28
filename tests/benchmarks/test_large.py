"""The program that measures a large dataset, on a smaller one: what it says of memory holds at any size."""

import os

from benchmarks import large
from support.processes import without

MIB = 1 << 20


def test_what_is_opened_is_not_held(tmp_path):
    if not os.path.exists("/proc/self/status"):
        without("/proc/self/status (Linux)")
    figures = large.measured(tmp_path, times=4, rounds=3, reads=1)
    small, big = figures["small"], figures["large"]
    assert big["payload_bytes"] > 170 * MIB
    for each in (small, big):
        # the smaller one is held in memory (47 MB); the larger one has 188 MB
        assert each["first_peak_bytes"] < 96 * MIB, "a first load takes memory as the dataset grows"
        assert each["unread_own_bytes"] < MIB
        assert each["unread_peak_bytes"] < 2 * MIB, "opening unread has read the file"
        assert each["verified_own_bytes"] < 4 * MIB
        assert each["epoch_own_bytes"] < 16 * MIB, "an epoch keeps what it gathers"
    # the checks hold a few chunks of the file at a time, whatever its size
    assert big["verified_peak_bytes"] < 40 * MIB
    assert big["epoch_file_bytes"] > big["payload_bytes"] * 0.9, "an epoch of the mapped file that did not read it"
    ratios = figures["large / small"]
    assert ratios["unread_seconds"] < 3, "opening unread takes longer the more there is"  # there is 4 times as much
    for kind in ("epoch_first", "epoch", "floor"):
        rates = [each[f"{kind}_images_per_second"] for each in (small, big)]
        assert ratios[f"{kind}_images_per_second"] == rates[1] / rates[0]
        assert rates[1] > rates[0] / 4, "reading is slower the more there is"
