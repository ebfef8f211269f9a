from __future__ import annotations

import json

import pytest

from mamba_press.conda import solver, worker_errors, worker_process
from mamba_press.errors import ConfigError, FetchError, SolveError
from mamba_press.types import Solution
from tests.support.records import TARGET
from tests.support.worker import call, fake, posix


def test_the_error_of_a_channel_that_has_the_name_of_a_folder_says_how_to_write_the_folder():
    facts = {"wrong": [{"channel": "a/b", "text": "404"}, {"channel": "c", "text": "404"}], "alike": ("a/b",)}
    error = worker_errors.translate(worker_process.RefusedError("channels", facts), TARGET)
    assert str(error) == (
        "the packages cannot be fetched (2 problems)\n"
        "- channel a/b: there is no linux-64/repodata.json at that address\n"
        "  'a/b' is taken as a channel's name; for the folder of that name write './a/b'\n"
        "  look at the spelling in tool.mamba-press.channels\n"
        "- channel c: there is no linux-64/repodata.json at that address\n"
        "  look at the spelling in tool.mamba-press.channels"
    )


def test_a_text_that_names_no_channel_is_an_error_of_the_configuration():
    facts = {"wrong": [{"channel": "a b:/c", "text": "invalid channel: not a URL"}]}
    error = worker_errors.translate(worker_process.RefusedError("channels", facts), TARGET)
    assert str(error) == (
        "the configuration cannot be used\n"
        "- channel a b:/c: invalid channel: not a URL\n"
        "  write a name such as conda-forge, a URL, or a path that begins with ./ or /"
    )


def test_servers_that_say_nothing_are_named_three_at_most_without_credentials():
    addresses = ["https://user:secret@one.example/a", *(f"https://{each}.example/a" for each in ("two", "three", "f"))]
    error = worker_errors.silent({"addresses": addresses, "seconds": 60.0})
    assert str(error) == (
        "the packages cannot be fetched\n"
        "- https://one.example/a, https://two.example/a, https://three.example/a (and 1 more): "
        "no byte came for 60 seconds\n"
        "  try again; if the server stays silent, name a mirror or a folder in tool.mamba-press.channels, "
        "or build from the cache with offline = true"
    )


def test_a_process_that_does_nothing_is_told():
    error = worker_errors.silent({"addresses": [], "seconds": 60.0})
    assert str(error) == (
        "the packages cannot be fetched\n"
        "- rattler's process: it did nothing for 60 seconds, and was ended\n"
        "  try again; if it fails every time, check the memory and the limits of this machine"
    )


def test_a_channel_that_was_had_by_the_name_of_a_folder_is_told_of_once(capsys):
    question = solver.Question(packages=("greet",), target=TARGET, channels=("a/b",), virtual=(), alike=("a/b",))
    solution = Solution(target=TARGET, packages=(), channels=("a/b",))
    solver.note_alike([question] * 3, [solution, SolveError(), FetchError()])
    said = "mamba-press: 'a/b' is taken as a channel's name; for the folder of that name write './a/b'\n"
    assert capsys.readouterr().err == said
    solver.note_alike([question], [FetchError()])
    assert capsys.readouterr().err == ""


def test_what_a_damaged_archive_puts_into_an_error_is_not_printed():
    text = worker_errors.clean(
        "failed to link x\nCaused by: bad name \x00\x1b[31m" + "a " * 400 + "\nCaused by: no link name"
    )
    assert "\x1b" not in text
    assert "\n" not in text
    assert len(text) < 500
    assert text.endswith("no link name")


def test_a_long_explanation_keeps_its_head_and_its_end():
    text = worker_errors.explanation(
        "Cannot solve the request because of: " + "\n".join(f"line {n}" for n in range(100))
    )
    assert text.startswith("line 0\n")
    assert text.endswith("line 99")
    assert "… 72 lines more" in text


def test_a_named_python_and_a_floor_that_is_too_low_become_hints():
    facts = {
        "missing": [],
        "empty": False,
        "found": [{"name": "a", "spec": "a", "fits": True, "versions": ["1"], "pythons": ["3.11", "3.12"]}],
        "virtual": [["__glibc", "2.17", "0"]],
        "keys": ["packages"],
        "text": "a 1 would require\n└─ __glibc >=2.28, for which no candidates were found",
    }
    error = worker_errors.translate(worker_process.RefusedError("solve", facts), TARGET)
    assert isinstance(error, SolveError)
    assert "3.11, 3.12: see tool.mamba-press.python" in str(error)
    assert "__glibc >=2.28 is asked for, the target has 2.17: see tool.mamba-press.platform" in str(error)


PROXY = "the proxy refuses: check HTTPS_PROXY and HTTP_PROXY, which name it, with a login if it needs one"

CERTIFICATE = "set SSL_CERT_FILE to a file with the certificates of your network's authority"

FOLDER = "make the cache a folder that can be written, or let RATTLER_CACHE_DIR name another"


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("error sending request\nCaused by: tunnel error: unsuccessful", "tunnel error: unsuccessful", PROXY),
        ("HTTP status client error (407 Proxy Authentication Required)", "(407 Proxy", PROXY),
        ("error sending request: invalid peer certificate: UnknownIssuer", "UnknownIssuer", CERTIFICATE),
        (
            "error sending request: dns error: failed to lookup address information: Name or service not known",
            "not known",
            "check the spelling of the address and the network; offline = true builds from the cache",
        ),
        (
            "error sending request: received corrupt message of type InvalidContentType",
            "InvalidContentType",
            "the server does not speak https: check whether the address should begin with http://",
        ),
    ],
)
def test_what_lies_between_is_told_for_a_channel_and_for_an_archive(text, what, hint):
    wrong = worker_process.RefusedError("channels", {"wrong": [{"channel": "https://host/ch", "text": text}]})
    [problem] = worker_errors.translate(wrong, TARGET).problems
    assert problem.where == "channel https://host/ch"
    assert problem.what.startswith("it cannot be reached: ")
    assert what in problem.what
    assert str(problem.hint) == hint
    facts = {"step": "fetch", "package": "greet 1.0 0", "file": "https://host/ch/greet.conda", "text": text}
    [problem] = worker_errors.translate(worker_process.RefusedError("install", facts), TARGET).problems
    assert problem.where == "greet 1.0 0 (https://host/ch/greet.conda)"
    assert str(problem.hint) == hint


@pytest.mark.parametrize(
    "text",
    [
        "failed to create '/c/repodata': failed to create directory `/c/repodata`: Read-only file system (os error 30)",
        "failed to create '/c/pkgs': failed to create directory `/c/pkgs`: No such file or directory (os error 2)",
    ],
)
def test_a_cache_that_cannot_be_written_is_not_the_fault_of_a_channel(text):
    wrong = worker_process.RefusedError("channels", {"wrong": [{"channel": "https://host/ch", "text": text}]})
    [problem] = worker_errors.translate(wrong, TARGET).problems
    assert (problem.where, problem.what, str(problem.hint)) == ("the package cache", text, FOLDER)
    facts = {"step": "", "package": "", "file": "", "text": text}
    [problem] = worker_errors.translate(worker_process.RefusedError("install", facts), TARGET).problems
    assert (problem.where, problem.hint) == ("the package cache", FOLDER)


def test_a_server_that_refuses_an_archive_is_asked_again_later():
    text = "HTTP status client error (429 Too Many Requests) for url (https://host/ch/greet.conda)"
    facts = {"step": "fetch", "package": "greet 1.0 0", "file": "https://host/ch/greet.conda", "text": text}
    [problem] = worker_errors.translate(worker_process.RefusedError("install", facts), TARGET).problems
    assert problem.what == "HTTP status client error (429 Too Many Requests)"
    assert str(problem.hint) == "try again later, or name a mirror or a folder in tool.mamba-press.channels"


@posix
def test_what_rattler_fails_with_is_told_in_one_line(tmp_path):
    answer = json.dumps({"error": "failed", "text": "PanicException: it is\nnot so", "ended": True})
    (tmp_path / "said").write_text(answer + "\n")
    with pytest.raises(FetchError) as raised:
        call(fake(tmp_path, f"read line; cat {tmp_path / 'said'}"))
    assert str(raised.value) == (
        "the packages cannot be fetched\n"
        "- rattler: it failed: PanicException: it is not so\n"
        "  try again; if it fails every time, check the memory and the limits of this machine"
    )


@pytest.mark.parametrize(("key", "variable"), [("cache", "RATTLER_CACHE_DIR"), ("prefix", "TMPDIR")])
def test_a_folder_whose_name_is_not_utf_8_is_named_with_its_variable(key, variable):
    with pytest.raises(ConfigError) as refused:
        worker_process.call({"do": "solve", key: "/tmp/a\udcffb/pkgs"}, lambda _: None, {}, FetchError)
    assert str(refused.value) == (
        f"the configuration cannot be used\n- {variable}: the folder /tmp/a\\udcffb/pkgs has a name that is not UTF-8\n"
        f"  set {variable} to another folder"
    )
