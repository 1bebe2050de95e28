"""What a mirror setting means: folders and URLs, where a file is requested, and what is never shown or recorded."""

import json
import re
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support import made
from support.server import closed_port, ok

from idxhub import DatasetSpec, Plugins, SplitSpec, load
from idxhub.acquire.local import SearchSettings, known_folders
from idxhub.acquire.mirrors import check_mirrors, file_urls, parse_mirrors, redact_url
from idxhub.cli import commands
from idxhub.errors import ArgumentError, ChecksumError, DownloadError, IdxHubError, SpecError

SECRET = "hunter2"  # noqa: S105 -- the word that nothing may show
MUST_BE = "a URL that begins with https://, http:// or file:///, or a folder"


@pytest.fixture
def load_from(toy, cache_dir, monkeypatch):
    """Load the toy dataset with these mirrors in IDXHUB_MIRRORS."""

    def load_it(setting, spec=toy.spec, **options):
        monkeypatch.setenv("IDXHUB_MIRRORS", setting)
        return load(spec, cache_dir=cache_dir, plugins=Plugins([]), **options)

    return load_it


def sources(split):
    return [record.source for record in split.info.records]


@pytest.mark.parametrize(
    "how", ["folder", "folder/", "parent", "~", "file://", "FILE://", "{dataset}", "relative", "two"]
)
def test_a_folder_as_a_mirror(toy, load_from, monkeypatch, how):
    folder = Path("~/my mirror 100%/toy").expanduser()
    folder.parent.mkdir()
    toy.folder.rename(folder)
    monkeypatch.chdir(folder.parent)
    mirror = {
        "folder": str(folder),
        "folder/": f"{folder}/",
        "parent": str(folder.parent),
        "~": "~/my mirror 100%/toy",
        "file://": folder.as_uri(),
        "FILE://": folder.as_uri().replace("file:", "FILE:"),
        "{dataset}": str(folder.parent / "{dataset}"),
        "relative": "toy",
        "two": f" /nowhere/at/all , {folder} ,",
    }[how]
    names = toy.train_images.filename, toy.train_labels.filename
    assert sources(load_from(mirror, download=False)) == [str(folder / name) for name in names]


def test_a_folder_as_a_mirror_of_the_spec(toy, load_from, tmp_path):
    for number, mirror in enumerate((str(toy.folder), toy.folder.as_uri())):
        spec = replace(toy.mirrored(mirror), release=str(number))
        assert sources(load_from("", spec, download=False))[0].startswith(str(toy.folder))


@pytest.mark.parametrize("suffix", ["", "/", "/{dataset}", "/{dataset}/"])
def test_a_url_as_a_mirror(toy, load_from, server, suffix):
    server.serve(toy.folder)
    server.serve(toy.folder, "/toy")
    expected = suffix.replace("{dataset}", "toy").rstrip("/")
    assert sources(load_from(server.url + suffix))[0] == f"{server.url}{expected}/{toy.train_images.filename}"


@pytest.mark.parametrize(
    ("setting", "mirrors"),
    [
        ("https://me:pa%2Css@host/x, /srv", ["https://me:pa%2Css@host/x", "/srv"]),
        ("./mirror@2,C:/a@b,http://localhost:8000,/srv", ["./mirror@2", "C:/a@b", "http://localhost:8000", "/srv"]),
        ("http://localhost:8000,file:///mirror%402", ["http://localhost:8000", "file:///mirror%402"]),
        ("/srv,b@c", ["/srv", "b@c"]),
        ("https://a.example,https://me:pass@b.example/x,", ["https://a.example", "https://me:pass@b.example/x"]),
        ("https://a/x?k=v,https://b/?k=v,https://c,/srv", ["https://a/x?k=v", "https://b/?k=v", "https://c", "/srv"]),
        (" , ,,", []),
    ],
)
def test_mirrors_are_separated_by_commas(setting, mirrors):
    assert parse_mirrors(setting) == tuple(mirrors)


CUT = [
    *("https://user:hun,ter2@host/x", "http://user:hu,nt/er2@host/x", "http://user:h@un,ter2@host/x"),
    *("https:/user:hun,ter2@host/x", "user:hun,ter2@host/x", "/srv, https://us,er:hunter2@host, /srv"),
    # more than one comma, or one before what begins like a folder
    *("http://user:a,b,hunter2@host/x", "http://user:a,/hunter2@host/x", "http://user:a,~hunter2@host/x"),
    *("http://user:a,./hunter2@host/x", "http://user:a,C:/hunter2@host", "http://user:,,hunter2@host"),
    # in a query
    *("https://host/x?token=a,hunter2", "https://host/x?token=a,/hunter2", "https://host/x?token=a,b,hunter2"),
]


@pytest.mark.parametrize("setting", CUT)
def test_a_secret_that_a_comma_cuts_is_refused_and_not_shown(load_from, setting):
    with pytest.raises(ArgumentError) as caught:
        load_from(setting)
    assert str(caught.value) == (
        "IDXHUB_MIRRORS is '(not shown)'; it must be mirrors with commas between them, and each comma inside a login "
        "or a query written as %2C (the value is not shown, because it may hold a password). A folder after such a URL "
        "is written as file:///PATH, with %40 for each @"
    )


# as given, and as shown
SHOWN = {
    "https://user:hunter2@host/x": "https://host/x",
    "https://hunter2@host/x": "https://host/x",
    "http://user:hunt/er2@host/x": "http://host/x",
    "http://user:hun@t/er2@host/x": "http://host/x",
    "http://user:/hunter2@host:80/x": "http://host:80/x",
    "http://user:a,b,hunter2@host/x": "http://host/x",
    "http://user:1#hunter2@host": "http://host",
    "https://host/x?token=hunter2": "https://host/x",
    "https://host?token=hunter2": "https://host",
    "https://host:80/x/?hunter2": "https://host:80/x/",
    "https://host/x#hunter2": "https://host/x",
    "https://host/x?mail=a@b&token=hunter2": "https://host/x",
    # a password with a question mark, or a query with an @
    "https://user:a?hunter2@host/x": "https://(not shown)",
    "https://host:80/x?mail=a@b&token=hunter2": "https://(not shown)",
    "https://user:pass@host/x?mail=a@b&token=hunter2": "https://(not shown)",
}
REFUSED = {
    "https:/user:hunter2@host/x": "https:/host/x",
    "https:user:hunter2@host/x": "host/x",
    "https//user:hunter2@host/x": "https//host/x",
    "user:hunter2@host/x": "host/x",
    "user:a\nhunter2@host/x": "host/x",
    "file://user:[hunter2@host/x": "file://host/x",
    "file://[host/x": "file://[host/x",
    "file://srv/data": "file://srv/data",
    "FILE://data": "FILE://data",
    "user:hunt/er2@host/x": "host/x",
    "u:hunter2@host/x": "host/x",
    "//user:hunter2@host/x": "//host/x",
    "https:/host/x?token=hunter2": "https:/host/x",
    "host/x?token=hunter2": "host/x",
    "host:80/x?token=hunter2": "host:80/x",
    "//host/x?token=hunter2": "//host/x",
    "ftp://me:hunter2@example.org/x": "ftp://example.org/x",
    "ftp://example.org/x?token=hunter2": "ftp://example.org/x",
    "s3://bucket/x": "s3://bucket/x",
    "HTTPSS://example.org": "HTTPSS://example.org",
    "git+ssh://x": "git+ssh://x",
}


@pytest.mark.parametrize("mirror", SHOWN)
def test_what_is_shown_of_a_url(toy, mirror):
    assert redact_url(mirror) == SHOWN[mirror]
    check_mirrors(toy.mirrored(mirror), ())


@pytest.mark.parametrize("mirror", REFUSED)
def test_a_mistyped_url_is_refused_by_the_name_of_its_setting(toy, load_from, mirror):
    shown = REFUSED[mirror]
    with pytest.raises(ArgumentError) as caught:
        load_from(f"/srv, {mirror}")
    assert str(caught.value) == f"IDXHUB_MIRRORS is {shown!r}; it must be {MUST_BE}"
    with pytest.raises(ArgumentError, match=f"^mirrors of toy is {re.escape(repr(shown))}; it must be a URL"):
        load_from("", toy.mirrored(mirror))
    assert known_folders(toy.mirrored(mirror), SearchSettings()) == []


@pytest.mark.parametrize(
    "mirror",
    [
        *("https://host/x@1.0/y", "https://host:80/x", "http://[::1]:80/x", "file:///srv/a:b@c", "file:///srv/b@c"),
        "file://localhost/srv/data",
        *("/srv/a:b@c", "./a:b@c", "~/a:b@c", "a@b/c", "C:/a@b", "c:\\a:b@c"),
        *("/srv/a?b=c", "./a?b=c", "~/a?b=c", "what?", "C:/a?b=c"),
    ],
)
def test_what_is_no_secret_is_shown(toy, mirror):
    assert redact_url(mirror) == mirror
    check_mirrors(toy.mirrored(mirror), ())


@pytest.mark.parametrize("mirror", ["C:/files", "C://files", "files:of/mine", "./ftp", "{dataset}"])
def test_a_folder_with_a_colon_is_a_folder(toy, mirror):
    spec = toy.mirrored(mirror)
    check_mirrors(spec, ())
    assert len(known_folders(spec, SearchSettings())) == 2


@pytest.mark.parametrize(
    ("mirror", "requested", "shown"),
    [
        ("https://host/x?t=1", "https://host/x/FILE?t=1", "https://host/x/FILE"),
        ("https://host?t=1", "https://host/FILE?t=1", "https://host/FILE"),
        ("https://host/x/?t=1#part", "https://host/x/FILE?t=1", "https://host/x/FILE"),
        ("https://host/{dataset}?of={dataset}", "https://host/toy/FILE?of=toy", "https://host/toy/FILE"),
        ("https://me:pass@host/x?t=a@b", "https://me:pass@host/x/FILE?t=a@b", "https://(not shown)/FILE"),
    ],
)
def test_the_file_name_goes_into_the_path(toy, mirror, requested, shown):
    (url,) = file_urls(toy.mirrored(mirror), toy.train_images, ())
    name = toy.train_images.filename
    assert url == (requested.replace("FILE", name), shown.replace("FILE", name))


@pytest.mark.parametrize(
    ("name", "path"),
    [("a#b", "/a%23b"), ("%41", "/%2541"), ("sp ace", "/sp%20ace"), ("é", "/%C3%A9"), ("\udcff", "/%FF")],
)
def test_a_file_is_requested_under_its_own_name(tmp_path, load_from, server, name, path):
    published = made.write(tmp_path, "images", np.zeros((2, 3, 4), np.uint8))
    labels = made.write(tmp_path, "labels", np.zeros(2, np.uint8))
    server.route(path, ok((tmp_path / "images").read_bytes()))
    server.route("/labels", ok((tmp_path / "labels").read_bytes()))
    spec = DatasetSpec("named", {"train": SplitSpec(replace(published, filename=name), labels)})
    assert sources(load_from(server.url, spec))[0] == server.url + path


@pytest.mark.parametrize("mirror", ["{url}?token=hunter2", "{url}/?token=hunter2&x=1", "{login}?token=hunter2"])
def test_a_token_is_sent_and_neither_shown_nor_recorded(toy, load_from, server, cache_dir, monkeypatch, mirror):
    mirror = mirror.format(url=server.url, login=server.url.replace("//", "//user:hunter2@"))
    query = mirror.partition("?")[2]
    for resource in toy.spec.resources:
        server.route(f"/{resource.filename}?{query}", ok(toy.bytes(resource)))
    split = load_from(mirror)
    assert {request.path.partition("?")[2] for request in server.requests} == {query}
    assert SECRET not in repr((split.info.records, SearchSettings.from_environment()))
    assert sources(split)[0] == f"{server.url}/{toy.train_images.filename}"
    notes = [path.read_text() for path in cache_dir.rglob("*.json")]
    assert any('"url"' in note for note in notes)
    assert SECRET not in "".join(notes)
    monkeypatch.delenv("IDXHUB_MIRRORS")
    assert SECRET not in json.dumps(load(toy.spec, cache_dir=cache_dir, plugins=Plugins([])).info.records)


FAILING = {
    "refused": lambda server: f"http://127.0.0.1:{closed_port()}",
    "404": lambda server: f"{server.url}/nowhere",
    "wrong": lambda server: f"{server.url}/wrong",
    "no such name": lambda server: "http://mirror.invalid",
    "lost": lambda server: f"{server.url}/lost",
}


@pytest.mark.parametrize("secret", ["user:hunter2@", "user:a,b,hunter2@", "?token=hunter2"])
@pytest.mark.parametrize("how", FAILING)
def test_no_failure_shows_a_secret(toy, load_from, server, how, secret):
    url = FAILING[how](server)
    query = secret if secret.startswith("?") else ""
    for resource in toy.spec.resources:
        server.route(f"/wrong/{resource.filename}{query}", ok(b"wrong"))
        server.route(f"/lost/{resource.filename}{query}", lambda handler: handler.hang_up(reset=True))
    mirror = f"{url}{secret}" if query else url.replace("//", f"//{secret}")
    with pytest.raises((ChecksumError, DownloadError)) as caught:
        load_from("", toy.mirrored(mirror))
    assert url in str(caught.value)
    assert SECRET not in "".join((str(caught.value), *traceback.format_exception(caught.value)))


def test_offline_shows_no_secret_either(toy, load_from):
    with pytest.raises(IdxHubError) as caught:
        load_from("", toy.mirrored("https://user:hunter2@host/x?token=hunter2"), download=False)
    assert f"https://host/x/{toy.train_images.filename}: not tried" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("setting", ["http://user:a,/hunter2@host/x", "https://u:hunter2@host/x?token=hunter2, /srv"])
def test_the_commands_show_no_secret(load_from, monkeypatch, setting):
    monkeypatch.setenv("IDXHUB_MIRRORS", setting)
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    for arguments in (["doctor", "--json"], ["info", "mnist"], ["get", "mnist"]):
        result = CliRunner().invoke(commands, arguments)
        assert result.output or result.exception, arguments
        assert SECRET not in f"{result.output} {result.exception}"


def test_a_spec_shows_no_secret(toy, load_from, server):
    server.serve(toy.folder)
    spec = toy.mirrored(server.url.replace("//", "//user:hunter2@"))
    assert SECRET not in repr((spec, load_from("", spec)))
    with pytest.raises(SpecError) as caught:
        replace(spec, mirrors="https://user:hunter2@host/x")
    assert SECRET not in str(caught.value)


def test_an_address_that_cannot_be_requested_is_not_repeated_in_the_error(toy, load_from):
    for login in ("user:hunter2/x", "user:/hunter2", "user:hunter2#x", "user:hunter2\u20ac", "user:1#hunter2"):
        with pytest.raises(DownloadError) as caught:
            load_from("", toy.mirrored(f"http://{login}@mirror.invalid"))
        assert SECRET not in "".join((str(caught.value), *traceback.format_exception(caught.value)))
        assert "http://mirror.invalid/" in str(caught.value)
