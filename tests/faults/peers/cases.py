"""The rows of the fault matrix that can be done to any loader, and what an error must say to be called clear."""

from __future__ import annotations

import gzip
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass

from faults.peers.acts import disks, network, processes
from faults.peers.acts.base import Found, flipped, half
from faults.peers.stage import Stage
from support.server import chunked, closed_port, ok, page, short, silent, stall, status, trickle
from support.tls import UNSOUND

# for a wrong file: any word of what is wrong with it will do, in each row that gives a loader one
CORRUPT = (
    "corrupt|crc|gzip|complete|not enough|more than|hash|checksum|digest|md5|sha1|not the published|truncated|"
    r"cut short|ended before|short|shape|size|length|expected|magic|\btype\b|dimension|label|class|idxformat"
)
TIME = r"\btime|timeout|timed"
NETWORK = r"connect|unreachable|network|resolv|name"
BROKEN = "input/output|errno 5|i/o error"
ODD = "path|name|utf-8|utf8|surrogate|encod|too long"
# what an error may quote whatever its cause is: addresses with their ports, paths, the names of files and datasets
_QUOTED = re.compile(
    r"https?://[^\s'\")]+|(?<!\w)[~/…][^\s'\"]*|[\w-]*(idx\d-ubyte|fashion[-_]?mnist)[\w.-]*|\btest\.parquet"
)


DATA = "data"  # an error is a failure


@dataclass(frozen=True)
class Case:
    """`words` is a pattern that the message of an error must match to be called clear, where one is `asked` for too.

    `times` is how often a race is run.
    """

    row: int
    name: str
    act: Callable[[Stage], Found]
    words: str = CORRUPT
    limit: float = 120.0  # seconds
    mounts: bool = False
    asks: str = "data or error"
    times: int = 1

    def mark_of(self, *words: str) -> str:
        """Whether an exception may come, and is clear: its type, its words and what led to it, against the pattern."""
        if self.asks == DATA:
            return "failed"
        kind, *said = words
        text = " ".join([kind.rpartition(".")[2], *(_QUOTED.sub("", each) for each in said)])
        return "error" if re.search(self.words, text, re.IGNORECASE) else "vague"


# the rows of the matrix that nothing is done for here, and why
LEFT_OUT = {
    37: "the swap has to come between two steps inside the loader, and only a hook in its code finds that moment",
}
OF_EXPORTS = range(45, 52)  # rows of what loaders do not do
RACES = 5
NO_GZIP = "Parquet is no .gz"
NO_IDX = "Parquet is no IDX"
CASES = (
    Case(1, "connection refused", network.elsewhere(lambda: f"http://127.0.0.1:{closed_port()}"), "refused"),
    Case(2, "no such name", network.elsewhere(lambda: "http://mirror.invalid"), "name|resolv|connect"),
    Case(3, "404", network.answers(lambda _: status(404)), "404|not found"),
    Case(3, "403", network.answers(lambda _: status(403)), "403|forbidden"),
    Case(4, "429, wait 2 s", network.waiting, asks=DATA),
    Case(4, "503, wait an hour", network.answers(lambda _: status(503, retry_after="3600")), "503|unavailable"),
    Case(5, "500 twice, then well", network.answers(lambda body: [status(500), status(500), ok(body)]), asks=DATA),
    Case(6, "a log-in page", network.answers(lambda _: page()), f"html|page|parquet|{CORRUPT}"),
    Case(7, "MNIST, downloaded", network.served("mnist"), f"mnist|{CORRUPT}"),
    Case(7, "MNIST, lying there", network.lying("mnist"), f"mnist|{CORRUPT}"),
    Case(
        8,
        "body cut short",
        network.answers(lambda body: short(body, half(body))),
        f"{CORRUPT}|lost|broken|closed|got only",
    ),
    Case(9, "one byte more", network.answers(lambda body: ok(body + b"x"))),
    Case(10, "chunked", network.answers(chunked), asks=DATA),
    Case(
        11,
        "chunked, cut",
        network.answers(lambda body: chunked(body, cut=half(body) // 1000)),
        f"{CORRUPT}|lost|broken|reset",
    ),
    Case(12, "endless body", network.endlessly, f"{TIME}|{CORRUPT}", limit=400),
    Case(
        13,
        "the .gz called a compressed transfer",
        network.answers(lambda body: ok(body, content_encoding="gzip"), why_not=NO_GZIP),
        asks=DATA,
    ),
    Case(
        14,
        "decompressed by the server",
        network.answers(lambda body: ok(gzip.decompress(body)), why_not=NO_GZIP),
    ),
    Case(15, "no answer", network.answers(lambda _: silent()), f"{TIME}|answer", limit=400),
    Case(
        16,
        "stalls half-way",
        network.answers(lambda body: stall(body, half(body))),
        f"{TIME}|nothing more|no data",
        limit=400,
    ),
    Case(17, "a byte a second", network.answers(lambda body: trickle(body, 1.0)), f"{TIME}|slow", limit=1000),
    Case(18, "redirect loop", network.looping, "redirect|loop"),
    Case(19, "https to http", network.downgraded, "https?\\b"),
    *(
        Case(20, f"certificate {fault}", network.certificate(fault), "certificate|ssl")
        for fault in UNSOUND
        if fault != "self-signed"  # which is one of an unknown authority too
    ),
    Case(21, "proxy, works", network.proxied, asks=DATA),
    Case(21, "proxy, 407", network.proxied_wrongly, "407|proxy"),
    Case(21, "proxy, dead", network.proxied_nowhere, "proxy|refused"),
    Case(21, "NO_PROXY", network.not_proxied, asks=DATA),
    Case(22, "three bad mirrors", network.all_bad, "html|refused|404|not found"),
    Case(23, "16 processes, cold", processes.sixteen, limit=180, asks=DATA, times=RACES),
    Case(24, "the same, and locks do nothing", processes.without_locks, limit=180, asks=DATA, times=RACES),
    Case(25, "the first of two killed half-way", processes.holder(signal.SIGKILL), limit=180, asks=DATA),
    Case(25, "the first of two stopped half-way", processes.holder(signal.SIGSTOP), limit=180, asks=DATA),
    Case(26, "killed half-way", processes.killed, asks=DATA),
    Case(27, "Ctrl-C half-way", processes.signalled(signal.SIGINT), "KeyboardInterrupt|SIGINT"),
    Case(27, "SIGTERM half-way", processes.signalled(signal.SIGTERM), "SIGTERM"),
    Case(28, "orphaned temp files", processes.orphaned, asks=DATA),
    Case(29, "disk full at the start", disks.full("64k"), "space", mounts=True),
    Case(29, "disk full half-way", disks.full("2m"), "space", mounts=True),
    Case(30, "writes fail with EIO after 1 MB", disks.broken("WRITE", "1000000"), BROKEN),
    Case(30, "fsyncs fail with EIO", disks.broken("SYNC", "1"), BROKEN),
    Case(31, "read-only, warm", disks.read_only(warm=True), mounts=True, asks=DATA),
    Case(32, "read-only, cold", disks.read_only(warm=False), "read-only", mounts=True),
    Case(
        33,
        "a file in the folder's place",
        disks.in_the_way(lambda path: path.write_bytes(b"x")),
        "exist|directory|folder",
        mounts=True,
    ),
    Case(
        33,
        "a dangling link there",
        disks.in_the_way(lambda path: path.symlink_to(path.parent / "gone" / "gone")),
        "exist|directory|no such|link",
        mounts=True,
    ),
    Case(34, "links planted at its files", disks.planted),
    Case(35, "umask 002", disks.shared, asks=DATA),
    Case(36, "kept files, a bit flipped", disks.damaged(flipped), asks=DATA),
    Case(36, "kept files, cut", disks.damaged(lambda data: data[: half(data)]), asks=DATA),
    Case(36, "kept files, emptied", disks.damaged(lambda _: b""), asks=DATA),
    Case(38, "no HOME, nor an entry", disks.homeless, "home|IDXHUB_CACHE", mounts=True),
    Case(38, "a path of 300 characters", disks.odd(b"/".join([b"x" * 99] * 3)), ODD),
    Case(38, "a path that is not UTF-8", disks.odd(b"caf\xe9 \xff"), ODD),
    Case(39, "no network, cold", network.alone(warm=False), NETWORK, mounts=True),
    Case(39, "no network, warm", network.alone(warm=True), mounts=True, asks=DATA),
    Case(40, "a fork after a load", processes.forked, asks=DATA),
    Case(40, "sixteen threads at once", processes.threads, limit=180, asks=DATA, times=RACES),
    *(
        Case(41, f".gz, {name}", network.served(name, why_not=NO_GZIP))
        for name in ("trailing junk", "wrong CRC", "wrong length", "two members")
    ),
    Case(41, ".gz, a bomb", network.bomb),
    *(
        Case(42, f"IDX, {name}", network.lying(name, why_not=NO_IDX))
        for name in ("bad magic", "unknown type", "65 dimensions", "2^128 bytes claimed", "too short", "too long")
    ),
    Case(43, "a label too few", network.lying("a label too few")),
    Case(43, "a label outside the classes", network.lying("a label outside the classes")),
    Case(44, "world-writable, a bit flipped", disks.damaged(flipped, mode=0o777)),
)
