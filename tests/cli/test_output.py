"""Output that cannot be written, and errors: one line, and the right exit status. Tables and terminals."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.command import COMMAND, SAMPLE, started
from support.installed import install
from support.processes import python
from support.terminal import shown_on_a_terminal

import idxhub
from idxhub.cli import output
from idxhub.cli.output import format_error, print_table, print_text, printable_line, printable_lines
from idxhub.errors import IdxHubError

OUTPUTS = [["list"], ["list", "--json"], ["info", SAMPLE], ["--help"], ["--version"], ["verify", SAMPLE]]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
def test_output_to_a_full_device_is_one_line_of_error(arguments, unbuffered):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = started(arguments, unbuffered, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
def test_output_that_nobody_reads_ends_quietly(arguments, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = started(arguments, unbuffered, stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_so_it_does_where_the_system_has_another_error_for_it():
    """Windows says "Invalid argument" for a pipe that nobody reads."""
    code = "import errno, sys; from idxhub import cli; cli._NOBODY_READS = errno.ENOSPC; cli.main()"
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    ("arguments", "status"), [(["info", "nope"], 2), (["get", "mnist"], 1), (["lits"], 2)], ids=str
)
def test_an_error_that_cannot_be_written_keeps_its_exit_status(arguments, status, unbuffered):
    for both in (False, True):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = started(arguments, unbuffered, stdout=full if both else subprocess.PIPE, stderr=full)
        assert done.returncode == status
        assert not done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_without_any_output_the_exit_status_is_1():
    with open("/dev/full", "w", encoding="utf-8") as full:
        assert subprocess.run([*COMMAND, "list"], stdout=full, stderr=full, check=False).returncode == 1


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ('OSError(5, "elsewhere")', "elsewhere"),
        ('OSError(28, "No space left on device")', "No space left on device"),
        ('PermissionError(13, "Permission denied", "/etc/shadow")', "Permission denied: /etc/shadow"),
        ('OSError("odd")', "odd"),
    ],
)
def test_an_error_that_is_not_the_outputs_is_one_line_too(error, says):
    code = f"""
        import sys
        import idxhub.cli
        @idxhub.cli.commands.command()
        def fails():
            raise {error}
        sys.argv[:] = ["idxhub", "fails"]
        try:
            idxhub.cli.main()
        except SystemExit as end:
            print("status", end.code)
    """
    done = python(code)
    assert (done.stdout, done.stderr) == ("status 1\n", f"Error: {says}\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/données/お", "/données/お"),
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("a\x00\x07\x7f\x9b", "a\ufffd\ufffd\ufffd\ufffd"),
        ("a\udcff", "a\ufffd"),
        ("a\u202eb", "a\ufffdb"),  # turns the line round
        ("a\nb\r\tc", "a\ufffdb\ufffd\ufffdc"),
    ],
)
def test_text_from_elsewhere_is_shown_without_control_characters(text, shown, capsys):
    assert printable_line(text) == shown
    print_text(f"one\n{text}")
    print_table(("A", "B"), [(text, "x")])
    out = capsys.readouterr().out
    assert printable_lines(out) == out


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("name a folder that has it (data_dir=), or", "name a folder that has it (--data-dir), or"),
        ("data_dir='x' does not exist; name", "--data-dir 'x' does not exist; name"),
        ("no\n  http://h/f: not tried: download=False", "no\n  http://h/f: not tried: --offline"),
        ("set IDXHUB_CACHE (or cache_dir=) to a folder", "set IDXHUB_CACHE to a folder"),
        ("/x/download=False/data_dir=: no such folder", "/x/download=False/data_dir=: no such folder"),
    ],
)
def test_arguments_of_python_become_options(said, shown):
    assert format_error(IdxHubError(said)) == shown


def test_an_error_of_the_command_names_options(run, nowhere):
    said = run("demo", "--offline", "-v").stderr
    assert "(--data-dir)" in said
    assert ": not tried: " in said
    assert "data_dir=" not in said
    assert "download=False" not in said


def on_a_terminal(arguments, columns, **environment):
    """What the command writes to a terminal of that width."""
    clean = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment = clean | {"TERM": "xterm"} | environment
    return shown_on_a_terminal([*COMMAND, *arguments], columns=columns, stderr=subprocess.DEVNULL, env=environment)


@pytest.mark.parametrize("columns", [40, 60, 120])
@pytest.mark.parametrize("arguments", [["list"], ["info", SAMPLE], ["demo", "--offline"]], ids=" ".join)
def test_tables_fit_the_terminal_and_lose_nothing(arguments, columns):
    shown = re.sub(r"\x1b\[[\d;]*m", "", on_a_terminal(arguments, columns))
    if arguments[0] == "list":
        table = shown.partition("One download")[0]  # a sentence follows, for the terminal to wrap
        assert max(map(len, table.splitlines())) <= columns
    whole = started(arguments, stdout=subprocess.PIPE).stdout
    words = {word for word in re.findall(r"[\w-]{8,}", whole) if not word.isdigit()}
    assert words <= set(re.findall(r"[\w-]+", shown))


@pytest.mark.parametrize(
    ("arguments", "columns"),
    [(["audit", "{sample}"], 60), (["audit", "{sample}"], 120), (["conformance", "numpy"], 60)],
    ids=str,
)
def test_audit_and_conformance_break_their_lines_between_words(arguments, columns):
    sample = Path(idxhub.__file__).parent / "catalog" / "sample"
    arguments = [each.format(sample=sample) for each in arguments]
    shown = re.sub(r"\x1b\[[\d;]*m", "", on_a_terminal(arguments, columns)).replace("\r", "")
    assert [line for line in shown.splitlines() if len(line) > columns and " " in line.strip()] == []
    whole = started(arguments, stdout=subprocess.PIPE).stdout
    assert set(shown.split()) >= set(whole.partition("\n")[2].split())  # the headings are on the first line


@pytest.mark.parametrize(
    ("setting", "bold"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)], ids=str
)
def test_bold_is_left_out_where_that_is_asked(setting, bold):
    assert ("\x1b[" in on_a_terminal(["list"], 120, **setting)) == bold


def test_text_without_a_style_has_no_escape_sequences():
    shown = on_a_terminal(["info", SAMPLE], 120)
    assert "\x1b[1m" in shown
    for line in filter(None, shown.replace("\r", "").split("\n")):
        assert "\x1b[" not in line or line.startswith("\x1b[1m"), line


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("arguments", ["list", "demo --offline"])
def test_a_closed_stream_does_not_make_a_command_fail(arguments, closed):
    done = subprocess.run(  # noqa: S602 -- the shell closes the stream
        f'"{sys.executable}" -m idxhub {arguments} {closed}', shell=True, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("arguments", ["list", "list --json"])
def test_a_command_without_standard_error_has_one_that_discards(arguments):
    code = f"""
        import os, sys
        from idxhub.cli import main
        assert sys.stderr is None
        sys.argv = "idxhub {arguments}".split()
        try:
            main()
        finally:
            assert sys.stderr.write("not seen") and os.path.samestat(os.fstat(2), os.stat(os.devnull))
            os.write(2, b"not seen")
    """
    line = f'"{sys.executable}" -c "$CODE" 2>&-'
    environment = os.environ | {"CODE": textwrap.dedent(code)}
    done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, check=False)  # noqa: S602
    assert (done.returncode, done.stderr) == (0, "")
    assert "not seen" not in done.stdout


@pytest.mark.parametrize("columns", [12, 20, 30, 60])
def test_spaces_in_a_row_are_kept_where_a_cell_is_wrapped(columns, monkeypatch, capsys):
    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    print_table(["FILE", "STATE"], [["/a/aaaaaaaaaa  bbbb  cc", "not  sound"]])
    shown = capsys.readouterr().out
    assert "/a/aaaaaaaaaa  bbbb  cc" in shown
    assert "not  sound" in shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("licence   MIT, and as many words as this", ["licence   MIT, and as many", "          words as this"]),
        ("ok  counts  The numbers are those of it", ["ok  counts  The numbers are", "            those of it"]),
        ("  a folder that does not exist, or another", ["  a folder that does not", "    exist, or another"]),
        ("/a/folder/with/a/path  (and words after it)", ["/a/folder/with/a/path  (and", "  words after it)"]),
        ("写真  two words and some others", ["写真  two words and some", "      others"]),
    ],
)
def test_the_rest_of_a_line_begins_below_its_last_column(line, shown, monkeypatch, capsys):
    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "28")
    print_text(line)
    assert capsys.readouterr().out.splitlines() == shown


def test_wide_characters_take_two_columns(capsys):
    print_table(["FILE", "STATE"], [["写真", "a"], ["e\N{COMBINING ACUTE ACCENT}t\N{COMBINING ACUTE ACCENT}", "b"]])
    assert capsys.readouterr().out.splitlines() == ["FILE  STATE", "写真  a", "e\u0301t\u0301    b"]


def test_sentences_and_errors_are_wrapped_between_words(nowhere):
    for line in re.sub(r"\x1b\[[\d;]*m", "", on_a_terminal(["demo", "--offline"], 50)).splitlines():
        assert len(line) <= 50, line


@pytest.mark.parametrize(
    ("arguments", "offered"),
    [
        ("info fashion", ["fashion-mnist", "fashion-mnist-sample"]),
        ("verify k", ["kmnist"]),
        ("conformance nu", ["numpy"]),
        ("do", ["doctor"]),
        ("export np", ["npz"]),
        ("export npz qm", ["qmnist"]),
        ("export npz out/", ["out/"]),
        ("plot samples kmn", ["kmnist"]),
        ("plot diff mnist kmn", ["kmnist"]),
        ("broken ", []),
        ("broken -", []),
        ("broken x l", []),
    ],
)
def test_the_shell_is_offered_names(arguments, offered, tmp_path):
    install(tmp_path, "broken", entry_points="[idxhub.commands]\nbroken = not_there:command\n")
    position = str(len(arguments.split(" ")))
    asked = {"_IDXHUB_COMPLETE": "bash_complete", "COMP_WORDS": f"idxhub {arguments}", "COMP_CWORD": position}
    done = subprocess.run(
        [sys.executable, "-c", "from idxhub.cli import commands; commands(prog_name='idxhub')"],
        env=os.environ | asked | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.partition(",")[2] for line in done.stdout.splitlines() if line] == offered


SHELLS = {
    "bash": """
        eval "$(_IDXHUB_COMPLETE=bash_source idxhub)"
        offer() {
            COMP_WORDS=("$@") COMP_CWORD=$(($#-1)) COMPREPLY=()
            _idxhub_completion idxhub
            echo ${COMPREPLY[@]}
        }
        offer idxhub info fashion
        offer idxhub conformance t
        offer idxhub export np
    """,
    # a terminal of zsh's own, where a line is typed, completed, written to a file and emptied
    "zsh": """
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'autoload -Uz compinit && compinit -u -D; eval "$(_IDXHUB_COMPLETE=zsh_source idxhub)"'
        zpty -w shell 'unsetopt beep; print_line() { print -r -- $BUFFER >> out; BUFFER= }; zle -N print_line'
        zpty -w shell 'bindkey "^I" complete-word "^X" print_line; touch ready'
        until [[ -e ready ]]; do sleep 0.1; done
        for line in 'idxhub info kmn' 'idxhub conformance te' 'idxhub export np'; do
            lines=$(wc -l 2>/dev/null < out)
            zpty -w -n shell "$line"$'\t'$'\x18'
            until [[ $(wc -l 2>/dev/null < out) != $lines ]]; do sleep 0.1; done
        done
        cat out
        zpty -d shell
    """,
    "fish": """
        _IDXHUB_COMPLETE=fish_source idxhub | source
        complete -C 'idxhub info fashion' | string replace (printf '\\t') ' '
        complete -C 'idxhub conformance t'
        complete -C 'idxhub export np'
    """,
}
OFFERED = {
    "bash": "fashion-mnist fashion-mnist-sample\ntensorflow tinygrad torch\nnpz\n",
    "zsh": "idxhub info kmnist \nidxhub conformance tensorflow \nidxhub export npz \n",
    "fish": "fashion-mnist Fashion-MNIST\nfashion-mnist-sample Fashion-MNIST, a sample\n"
    "tensorflow\ntinygrad\ntorch\nnpz\n",
}


@pytest.mark.skipif(sys.platform == "win32", reason="shells of POSIX")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_completes_names(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = tmp_path / "bin" / "idxhub"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nfrom idxhub.cli import main\nmain()\n")
    command.chmod(0o755)
    environment = {"HOME": str(tmp_path), "PATH": f"{command.parent}:{os.environ['PATH']}", "TERM": "xterm"}
    asked = subprocess.run(
        [shell, "-c", textwrap.dedent(SHELLS[shell])],
        env=os.environ | environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert asked.stdout == OFFERED[shell], asked.stderr


def test_a_warning_is_one_line(tmp_path):
    install(tmp_path, "stranger", entry_points="[idxhub.datasets]\nd = not_there\n")
    done = subprocess.run(
        [*COMMAND, "list"], env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"Warning: no datasets from not_there \(stranger\): ModuleNotFoundError: .*\n", done.stderr)
