"""The rows of the fault matrix that can be done to any loader, and what an error must say to be called clear."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass

from faults.peers.acts import (
    Found,
    all_bad,
    alone,
    answers,
    bomb,
    certificate,
    damaged,
    downgraded,
    elsewhere,
    endlessly,
    flipped,
    full,
    half,
    in_the_way,
    killed,
    looping,
    lying,
    not_proxied,
    orphaned,
    planted,
    proxied,
    proxied_nowhere,
    proxied_wrongly,
    read_only,
    served,
    shared,
    sixteen,
    waiting,
)
from faults.peers.stage import Stage
from support.server import chunked, closed_port, ok, page, short, silent, stall, status, trickle
from support.tls import UNSOUND

# for a wrong file
CORRUPT = (
    "corrupt|crc|gzip|complete|not enough|more than|hash|checksum|digest|md5|sha1|not the published|truncated|"
    "cut short|ended before|short"
)
NETWORK = r"connect|unreachable|network|resolv|name"


@dataclass(frozen=True)
class Case:
    """`words` is a pattern that the message of an error must match to be called clear."""

    row: int
    name: str
    act: Callable[[Stage], Found]
    words: str = CORRUPT
    limit: float = 120.0  # seconds
    mounts: bool = False

    def mark_of(self, *words: str) -> str:
        """Whether an exception is clear: its type, its words and what led to it, against the pattern."""
        return "error" if re.search(self.words, " ".join(words), re.IGNORECASE) else "vague"


# the rows of the matrix that nothing is done for here, and why
LEFT_OUT = {
    24: "locks are made to do nothing inside the process, by other means for each way to lock",
    25: "the holder of a lock is what is killed or stopped, and most of the peers take none",
    27: "the signal has to come while a temp file lies there, a moment that is found by idxhub's own calls",
    30: "the error comes in the place of one of Python's calls, and not every peer writes by them",
    37: "the file is swapped between two steps inside the loader",
    38: "a home and a folder of its own are what each loader is kept apart by here",
    40: "forks and threads share what one process has loaded, and here each call has a process of its own",
}
NO_GZIP = "Parquet is no .gz"
NO_IDX = "Parquet is no IDX"
CASES = (
    Case(1, "connection refused", elsewhere(lambda: f"http://127.0.0.1:{closed_port()}"), "refused"),
    Case(2, "no such name", elsewhere(lambda: "http://mirror.invalid"), "name|resolv|connect"),
    Case(3, "404", answers(lambda _: status(404)), "404|not found"),
    Case(3, "403", answers(lambda _: status(403)), "403|forbidden"),
    Case(4, "429, wait 2 s", waiting, "429|too many"),
    Case(4, "503, wait an hour", answers(lambda _: status(503, retry_after="3600")), "503|unavailable"),
    Case(5, "500 twice, then well", answers(lambda body: [status(500), status(500), ok(body)]), "500|internal"),
    Case(6, "a log-in page", answers(lambda _: page()), f"html|page|{CORRUPT}|gzip|parquet"),
    Case(7, "MNIST, downloaded", served("mnist"), f"mnist|{CORRUPT}"),
    Case(7, "MNIST, lying there", lying("mnist"), f"mnist|{CORRUPT}"),
    Case(
        8,
        "body cut short",
        answers(lambda body: short(body, half(body))),
        f"{CORRUPT}|lost|broken|closed|expected|got only",
    ),
    Case(9, "one byte more", answers(lambda body: ok(body + b"x")), f"more than|{CORRUPT}"),
    Case(10, "chunked", answers(chunked)),
    Case(
        11,
        "chunked, cut",
        answers(lambda body: chunked(body, cut=half(body) // 1000)),
        f"{CORRUPT}|lost|broken|reset|incomplete|expected",
    ),
    Case(12, "endless body", endlessly, f"more than|{CORRUPT}", limit=60),
    Case(
        13,
        "the .gz called a compressed transfer",
        answers(lambda body: ok(body, content_encoding="gzip"), why_not=NO_GZIP),
    ),
    Case(
        14,
        "decompressed by the server",
        answers(lambda body: ok(gzip.decompress(body)), why_not=NO_GZIP),
        f"gzip|{CORRUPT}",
    ),
    Case(15, "no answer", answers(lambda _: silent()), "time|answer", limit=400),
    Case(16, "stalls half-way", answers(lambda body: stall(body, half(body))), "time|nothing more|no data", limit=400),
    Case(17, "a byte a second", answers(lambda body: trickle(body, 1.0)), "time|slow", limit=1000),
    Case(18, "redirect loop", looping, "redirect|loop"),
    Case(19, "https to http", downgraded, "http"),
    *(
        Case(20, f"certificate {fault}", certificate(fault), "certificate|ssl")
        for fault in UNSOUND
        if fault != "self-signed"  # which is one of an unknown authority too
    ),
    Case(21, "proxy, works", proxied),
    Case(21, "proxy, 407", proxied_wrongly, "407|proxy"),
    Case(21, "proxy, dead", proxied_nowhere, "proxy|refused"),
    Case(21, "NO_PROXY", not_proxied),
    Case(22, "three bad mirrors", all_bad, "html|refused|404|not found"),
    Case(23, "16 processes, cold", sixteen, limit=180),
    Case(26, "killed half-way", killed),
    Case(28, "orphaned temp files", orphaned),
    Case(29, "disk full at the start", full("64k"), "space", mounts=True),
    Case(29, "disk full half-way", full("2m"), "space", mounts=True),
    Case(31, "read-only, warm", read_only(warm=True), "read-only", mounts=True),
    Case(32, "read-only, cold", read_only(warm=False), "read-only", mounts=True),
    Case(33, "a file in the folder's place", in_the_way(lambda path: path.write_bytes(b"x")), "exist|directory|folder"),
    Case(
        33,
        "a dangling link there",
        in_the_way(lambda path: path.symlink_to(path.parent / "gone" / "gone")),
        "exist|directory|no such",
    ),
    Case(34, "links planted at its files", planted),
    Case(35, "umask 002", shared),
    Case(36, "kept files, a bit flipped", damaged(flipped)),
    Case(36, "kept files, cut", damaged(lambda data: data[: half(data)])),
    Case(36, "kept files, emptied", damaged(lambda _: b"")),
    Case(39, "no network, cold", alone(warm=False), NETWORK, mounts=True),
    Case(39, "no network, warm", alone(warm=True), NETWORK, mounts=True),
    *(
        Case(41, f".gz, {name}", served(name, why_not=NO_GZIP), f"gzip|crc|{CORRUPT}")
        for name in ("trailing junk", "wrong CRC", "wrong length", "two members")
    ),
    Case(41, ".gz, a bomb", bomb, f"more than|{CORRUPT}"),
    *(
        Case(42, f"IDX, {name}", lying(name, why_not=NO_IDX), f"magic|type|dimension|shape|idx|{CORRUPT}")
        for name in ("bad magic", "unknown type", "65 dimensions", "2^128 bytes claimed", "too short", "too long")
    ),
    Case(43, "a label too few", lying("a label too few"), f"label|{CORRUPT}"),
    Case(43, "a label outside the classes", lying("a label outside the classes"), f"label|class|{CORRUPT}"),
    Case(44, "world-writable, a bit flipped", damaged(flipped, mode=0o777)),
)
