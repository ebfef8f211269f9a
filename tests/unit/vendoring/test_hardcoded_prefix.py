from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.config.model import Placeholders
from mamba_press.errors import ContentError
from mamba_press.types import NEUTRAL, Binary, Edits, Entry, File, Finding, Kept, Reason
from mamba_press.vendoring import hardcoded_prefix

HERE = NEUTRAL.encode()
REPORT, ERROR = Placeholders(), Placeholders(mode="error")


def entry(tmp_path, data, *, path="lib/libx.so.1", placeholder="binary", **changes):
    source = tmp_path / path.replace("/", "_")
    source.write_bytes(data)
    file = File(path=path, source=source, package="x", size=len(data), placeholder=placeholder)
    kept = Kept(file=file, why=Reason("rule"), binary=changes.pop("binary", None))
    return replace(Entry.of(kept, f"x/_prefix/{path}"), **{"source": source, **changes})


def kinds(*entries):
    return {finding.text[len(NEUTRAL) :]: finding.kind for finding in hardcoded_prefix.examine(entries)}


@pytest.mark.parametrize(
    ("below", "words"),
    [
        ("/ssl/cert.pem", "SSL_CERT_FILE"),
        ("/ssl/cacert.pem", "CURLOPT_CAINFO"),
        ("/ssl", "OPENSSL_CONF"),
        ("/lib/engines-3", "OPENSSL_ENGINES"),
        ("/lib/ossl-modules", "OPENSSL_MODULES"),
        ("/lib/krb5/plugins/kdb", "plugin_base_dir"),
        ("/share/terminfo", "TERMINFO"),
        ("/etc/xml/catalog", "XML_CATALOG_FILES"),
        ("/share/proj", "PROJ_DATA"),
        ("/opt/nobody/knows", "a path that it looks for is not found"),
        ("", "a path that it looks for is not found"),
    ],
)
def test_path_that_a_library_opens_is_functional_and_says_what_follows(tmp_path, below, words):
    (found,) = hardcoded_prefix.examine([entry(tmp_path, b"\0" + HERE + below.encode() + b"\0\0\0")])
    assert (found.kind, found.text, found.package) == ("functional", NEUTRAL + below, "x")
    assert found.path == "x/_prefix/lib/libx.so.1"
    assert words in found.consequence


@pytest.mark.parametrize(
    "string",
    [
        b"compiler: cc -O2 -isystem %s/include -fdebug-prefix-map=%s=/usr/local/src -L%s/lib",
        b"-Wl,-rpath,%s/lib -Wl,-rpath-link,%s/lib",
        b"'--prefix=%s' '--with-ca-bundle=%s/ssl/cacert.pem'",
        b'OPENSSLDIR: "%s/ssl"',
        b"%s/include/openssl",
        b"%s/share/man",
    ],
)
def test_build_strings_are_inert(tmp_path, string):
    data = b"\0" + string.replace(b"%s", HERE) + b"\0"
    assert set(kinds(entry(tmp_path, data)).values()) == {"inert"}


def test_path_that_is_both_a_build_string_and_opened_is_functional(tmp_path):
    data = b'MODULESDIR: "' + HERE + b'/lib/mods"\0' + HERE + b"/lib/mods\0"
    assert kinds(entry(tmp_path, data)) == {"/lib/mods": "functional"}


def test_each_path_of_a_list_is_found(tmp_path):
    data = b"/etc/krb5.conf:" + HERE + b"/etc/krb5.conf:" + HERE + b"/lib\0"
    assert list(kinds(entry(tmp_path, data))) == ["/etc/krb5.conf", "/lib"]


def test_search_path_is_relocated_only_where_linking_replaces_it(tmp_path):
    data = b"\0" + HERE + b"/lib:$ORIGIN\0"
    binary = Binary(format="elf", arch="x86_64", kind="shared", search=(f"{NEUTRAL}/lib", "$ORIGIN"))
    replaced = entry(tmp_path, data, binary=binary, edits=Edits(search=("$ORIGIN",)))
    assert kinds(replaced) == {"/lib": "relocated"}
    assert kinds(entry(tmp_path, data, binary=binary, edits=Edits(name="y"))) == {"/lib": "functional"}
    assert kinds(entry(tmp_path, data, binary=binary)) == {"/lib": "functional"}


def test_script_that_was_rewritten_is_relocated_and_one_that_was_not_does_not_start(tmp_path):
    data = b"#!" + HERE + b"/bin/python3.10\nprint()\n"
    script = {"path": "bin/x", "placeholder": "text"}
    assert kinds(entry(tmp_path, data, **script, source=b"#!python\nprint()\n")) == {"/bin/python3.10": "relocated"}
    (found,) = hardcoded_prefix.examine([entry(tmp_path, data, **script)])
    assert (found.kind, found.consequence) == ("functional", "the script does not start: its interpreter is not found")


@pytest.mark.parametrize(
    "path",
    [
        "lib/pkgconfig/x.pc",
        "lib/cmake/x/x.cmake",
        "bin/x-config",
        "lib/tclConfig.sh",
        "lib/libx.la",
        "lib/python3.10/_sysconfigdata__linux_.py",
        "share/man/man1/x.1",
    ],
)
def test_files_for_compiling_and_reading_are_inert(tmp_path, path):
    data = b"prefix=" + HERE + b"\n"
    assert kinds(entry(tmp_path, data, path=path, placeholder="text")) == {"": "inert"}


def test_comment_is_inert_and_the_line_below_it_is_not(tmp_path):
    data = b"# see " + HERE + b"/doc\nplugins = " + HERE + b"/plugins\n"
    found = kinds(entry(tmp_path, data, path="etc/x.conf", placeholder="text"))
    assert found == {"/doc": "inert", "/plugins": "functional"}


def test_file_that_its_package_does_not_list_is_not_read(tmp_path):
    assert hardcoded_prefix.examine([entry(tmp_path, HERE, placeholder=None), Entry(path="y", source=HERE)]) == ()


def finding(number, consequence="is gone", kind="functional"):
    return Finding(
        path=f"home/_prefix/x/{number}",
        file=f"x/{number}",
        package="x",
        text=f"{NEUTRAL}/{number}",
        kind=kind,
        consequence=consequence,
    )


def test_report_groups_files_by_what_follows():
    assert hardcoded_prefix.report([finding(1), finding(2), finding(3)], REPORT) == (
        "x: is gone (1 and 2 more files: /1)",
    )


def test_report_is_bounded_for_each_package():
    lines = hardcoded_prefix.report([finding(n, f"{n} is gone") for n in range(9)], REPORT)
    assert len(lines) == 6
    assert lines[-1] == "x: and 4 more"


def test_inert_findings_are_not_reported_and_no_error():
    assert hardcoded_prefix.report([finding(1, kind="inert"), finding(2, kind="relocated")], ERROR) == ()


def test_error_mode_names_every_consequence():
    with pytest.raises(ContentError) as caught:
        hardcoded_prefix.report([finding(1, "a"), finding(2, "b"), finding(3, kind="inert")], ERROR)
    assert [problem.where for problem in caught.value.problems] == ["x: x/1", "x: x/2"]
    assert "placeholders.accept" in str(caught.value)


def test_what_is_accepted_is_no_error_and_not_reported():
    findings = [finding(1, "a"), finding(2, "b")]
    accept = Placeholders(mode="error", accept=("1", "x/2"))
    known = [replace(found, accepted=True) for found in findings]
    assert hardcoded_prefix.report(known, accept) == ()
    with pytest.raises(ContentError, match="x: x/2"):
        hardcoded_prefix.report([known[0], findings[1]], accept)


def test_a_file_and_what_it_looks_for_can_be_accepted(tmp_path):
    data = b"\0" + HERE + b"/ssl/certs\0" + HERE + b"/lib/engines\0"
    one, two = hardcoded_prefix.examine([entry(tmp_path, data)], ["ssl/**"])
    assert (one.accepted, two.accepted) == (True, False)
    both = hardcoded_prefix.examine([entry(tmp_path, data)], ["lib/libx.so*"])
    assert [found.accepted for found in both] == [True, True]


@pytest.mark.parametrize(
    ("below", "variables", "accepted"),
    [
        ("/share/terminfo", {"TERMINFO"}, True),
        ("/share/terminfo", {"PROJ_DATA"}, False),
        ("/ssl", {"OPENSSL_CONF"}, False),  # certificates still are not found
        ("/share/tabset", {"TERMINFO"}, False),  # no variable answers
    ],
)
def test_what_a_variable_of_the_wheel_answers_is_accepted(tmp_path, below, variables, accepted):
    found = hardcoded_prefix.examine([entry(tmp_path, b"\0" + HERE + below.encode() + b"\0\0")], (), variables)
    assert [each.accepted for each in found] == [accepted]


def test_an_acceptance_of_nothing_is_told():
    (line,) = hardcoded_prefix.report([finding(1, kind="inert")], Placeholders(accept=("ssl/**",)))
    assert line == "placeholders.accept names 'ssl/**', which nothing looks for"


def test_slashes_that_keep_a_strings_length_are_no_part_of_the_path(tmp_path):
    (found,) = hardcoded_prefix.examine([entry(tmp_path, b"\0" + HERE + b"//////ssl/cert.pem\0")], ["ssl/cert.pem"])
    assert (found.kind, found.accepted) == ("functional", True)
    assert "SSL_CERT_FILE" in found.consequence


@pytest.mark.parametrize(
    "head",
    [
        b"#!%s/bin/python\n",
        b"#!/usr/bin/env python\n",
        b"#! /usr/bin/env python3.10 \r\n",
        b"#!%s/bin/python3.10\n",
        b"#! %s/bin/python3.13t -E\r\n",
        b"#!/bin/sh\n'''exec' %s/bin/python3.10 \"$0\" \"$@\"\n' '''\n",
        b"#!/bin/sh\n'''exec' \"%s/bin/python3.10\" \"$0\" \"$@\" #'''\n",
    ],
)
def test_script_of_the_prefixs_python_gets_the_shebang_that_installers_replace(head):
    data = head.replace(b"%s", HERE) + b"import x\n"
    assert hardcoded_prefix.python_script(data) == b"#!python\nimport x\n"


@pytest.mark.parametrize(
    "data",
    [
        b"#!/usr/bin/env python2\n",
        b"#!/usr/bin/env -S python -i\n",
        b"#!/usr/bin/python3\n",
        b"#!" + HERE + b"/bin/perl\n",
        b"#!" + HERE + b"/bin/python-config\n",
        b"#!/bin/sh\necho " + HERE + b'/bin/python "$@"\n',
        b"\x7fELF" + HERE + b"/bin/python\n",
        b"",
    ],
)
def test_anything_else_is_no_such_script(data):
    assert hardcoded_prefix.python_script(data) is None


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc here")
def test_nobody_can_create_the_neutral_prefix_and_what_is_below_it_is_missing(tmp_path):
    place = Path(NEUTRAL)
    for attempt in (place.mkdir, place.touch, lambda: place.symlink_to(tmp_path), lambda: os.mknod(place)):
        with pytest.raises(FileNotFoundError):
            attempt()
    with pytest.raises(FileNotFoundError):
        (place / "etc" / "krb5.conf").read_bytes()
