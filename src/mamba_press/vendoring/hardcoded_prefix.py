"""What still names the neutral prefix after an install: where, and what it means for who uses the wheel.

conda packages carry the path of the environment they will live in. A wheel has none, so an install writes
:data:`~mamba_press.types.NEUTRAL` instead, and each place falls in one of three classes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from mamba_press import globs, platforms
from mamba_press.errors import ContentError, Problem
from mamba_press.types import NEUTRAL, NEUTRAL_ON_WINDOWS, Entry, Finding

if TYPE_CHECKING:
    from mamba_press.config.model import Placeholders
    from mamba_press.platforms.binary_format import Data

_NEUTRAL = NEUTRAL.encode()
_ANY_NEUTRAL = re.compile(b"|".join(re.escape(each.encode()) for each in (NEUTRAL, NEUTRAL_ON_WINDOWS)))
_CONTEXT = 4096  # as far as the string around a place is looked at, on each side
_LOOKED_AT = 1 << 16  # how far a zero byte is looked for, which no text has
_SHOWN = 5  # lines for each package in the report

# A path ends where no path goes on.
_PATH = re.compile(rb"[^\x00-\x20\"'`<>|;:,=(){}\[\]\\$]*")
_WINDOWS_PATH = re.compile(_PATH.pattern.replace(rb"\\", b"", 1))
# A compiler's or configure's argument in front of the prefix: it was used when the package was built.
_FLAG = re.compile(
    rb"(?:-I|-L|-isystem ?|-idirafter ?|-B|-R|--?[\w-]+=[^\s:]*|-Wl,[^\s:]*|-D\w+=\W*|--sysroot ?)['\"]?$"
)
# What `openssl version -a` and its like print: a name, a colon and a quoted value.
_STATEMENT = re.compile(rb"^[A-Z][A-Z_]+: \"$|(?:^|\s)(?:compiler|CFLAGS|LDFLAGS|CPPFLAGS)\s*[:=]")
_COMMENT = re.compile(rb"\s*(?:#(?!!)|//|;|/\*|dnl\b|\.\\\")")
# Files that only who compiles or reads manuals opens.
_DEVELOPMENT = re.compile(
    r".*(?:\.(?:pc|cmake|la|prl|pri|mk|m4|h|hh|hpp|hxx|html?|rst|md)|Config\.sh|-config|/Makefile[^/]*)$"
    r"|(?:.*/)?(?:man/man\w+/|share/(?:doc|info|gtk-doc)/|_sysconfigdata[^/]*\.py$)"
)
# Folders that nothing opens while a program runs.
_UNUSED = re.compile(r"/(?:include|man|share/man|share/doc|share/info|share/aclocal|lib/pkgconfig|lib/cmake)(?:/|$)")

_CONSEQUENCES: tuple[tuple[str, ...], ...] = (
    (r"/bin/(?:python|perl|bash|sh|ruby|tclsh|wish)", "the script does not start: its interpreter is not found"),
    (r"/ssl/cacert\.pem", "certificates are not found until the program names them (CURLOPT_CAINFO)"),
    (r"/ssl/(?:cert\.pem|certs)", "certificates are not found until {}, or the program, names them", "SSL_CERT_FILE"),
    (
        r"/ssl/?$",
        "openssl.cnf is not found until {} names it, certificates until {} does",
        "OPENSSL_CONF",
        "SSL_CERT_FILE",
    ),
    (r"/ssl/ct_log_list", "Certificate Transparency logs are not found until {} names them", "CTLOG_FILE"),
    (r"/lib\d*/engines", "OpenSSL engines are not found until {} names their folder", "OPENSSL_ENGINES"),
    (
        r"/lib\d*/ossl-modules",
        "OpenSSL providers, such as legacy, are not found until {} names their folder",
        "OPENSSL_MODULES",
    ),
    (r"/lib/krb5/plugins", "Kerberos plugins are not found until plugin_base_dir in krb5.conf names their folder"),
    (r"/etc/krb5\.conf", "this krb5.conf is not read until {} names it; /etc/krb5.conf still is", "KRB5_CONFIG"),
    (r"/(?:etc|lib)/gss", "GSS-API mechanisms are not found until {} names their list", "GSS_MECH_CONFIG"),
    (r"/var/krb5kdc", "a Kerberos server finds its database only where kdc.conf says"),
    (r"/share/terminfo", "terminals are unknown until {} names the folder that describes them", "TERMINFO"),
    (r"/share/tabset", "a terminal's tab stops are not set"),
    (r"/share/locale", "messages are not translated"),
    (r"/lib/tcl\d", "Tcl's own scripts are not found until {} names their folder", "TCL_LIBRARY"),
    (r"/lib/tk\d", "Tk's own scripts are not found until {} names their folder", "TK_LIBRARY"),
    (r"/etc/xml/catalog", "XML catalogues are not found until {} names them", "XML_CATALOG_FILES"),
    (r"/etc/sgml/catalog", "SGML catalogues are not found until {} names them", "SGML_CATALOG_FILES"),
    (
        r"/(?:etc|share|var/cache)/fontconfig|/etc/fonts|/fonts",
        "fonts are not found until {} names a file",
        "FONTCONFIG_FILE",
    ),
    (r"/share/proj", "PROJ's database is not found until {} names its folder", "PROJ_DATA"),
    (r"/share/gdal", "GDAL's data is not found until {} names its folder", "GDAL_DATA"),
    (r"/lib/gdalplugins", "GDAL's plugins are not found until {} names their folder", "GDAL_DRIVER_PATH"),
    (r"/share/X11/locale|/lib/X11/locale", "X11 locales are not found until {} names their folder", "XLOCALEDIR"),
    (r"/share/zoneinfo", "time zones are not found until {} names their folder", "TZDIR"),
    (r"/share/icu", "ICU's data files are not found until {} names their folder", "ICU_DATA"),
    (r"/share/misc/magic|/share/magic", "file types are not known until {} names their list", "MAGIC"),
    (r"/etc/OpenCL", "OpenCL drivers are not found until {} names their folder", "OCL_ICD_VENDORS"),
    (r"/hdf5.*/plugin", "HDF5 filters are not found until {} names their folder", "HDF5_PLUGIN_PATH"),
    (r"/lib/sasl2", "SASL mechanisms are not found until {} names their folder", "SASL_PATH"),
    (r"/lib/gio/modules", "GIO modules are not found until {} names their folder", "GIO_MODULE_DIR"),
    (r"/share/glib-2\.0/schemas", "settings schemas are not found until {} names their folder", "GSETTINGS_SCHEMA_DIR"),
    (r"/lib/gdk-pixbuf", "image loaders are not found until {} names their list", "GDK_PIXBUF_MODULE_FILE"),
    (r"/plugins", "plugins are not found"),
)
"""What is not found, by where it is looked for: the words, and the variables that name it."""

_UNKNOWN = ("a path that it looks for is not found",)

_DIRECT = re.compile(
    rb"#!\s*(?:" + re.escape(_NEUTRAL) + rb"/bin/python[0-9.]*t?(?:[ \t][^\n]*)?"
    # In an activated environment this is its Python, too.
    rb"|/usr/bin/env[ \t]+python(?:3[0-9.]*)?[ \t]*)\r?\n"
)
# A path too long for the kernel, or with a space: sh runs the file's second line, Python reads it as a string.
_THROUGH_SHELL = re.compile(
    rb"#!\s*/bin/sh\n'''exec' ['\"]?" + re.escape(_NEUTRAL) + rb"/bin/python[0-9.]*t?['\"]?[^\n]*\"\$@\"[^\n]*"
    rb"(?:'''\n|\n' '''\n)"
)


def examine(
    entries: Iterable[Entry], accept: Sequence[str] = (), variables: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Return what the entries' files say about the neutral prefix, each path of a file once, in the entries' order.

    Only files that the package lists as having a placeholder are read. What is unknown counts as functional. ``accept``
    are globs over files and over what they look for, both as paths in the prefix; ``variables`` are those that the
    wheel sets, which answers the findings that need nothing else.
    """
    findings: dict[tuple[str, str], Finding] = {}
    for entry in entries:
        if entry.origin is None or entry.origin.placeholder is None:
            continue
        file = _File(
            path=entry.path,
            original=entry.original,
            package=entry.package,
            is_text=entry.origin.placeholder == "text",
            rewritten=entry.source if isinstance(entry.source, bytes) else None,
            replaced=_replaced(entry),
        )
        for finding in _in_file(file, entry.origin.source.read_bytes()):
            key = (finding.path, finding.text)
            if key not in findings or _weight(finding) > _weight(findings[key]):
                findings[key] = finding
    return tuple(
        replace(each, accepted=True) if _accepting(each, accept) or _answered(each, variables) else each
        for each in findings.values()
    )


def _answered(finding: Finding, variables: Collection[str]) -> bool:
    """Tell whether all variables are set that a finding's consequence lasts until."""
    _, *names = _consequence(_below(finding.text), finding.file)
    return finding.kind == "functional" and bool(names) and set(names) <= set(variables)


def _accepting(finding: Finding, accept: Sequence[str]) -> str | None:
    """Return the glob that accepts a functional finding."""
    if finding.kind != "functional":
        return None
    return globs.matches(finding.file, accept) or globs.matches(_below(finding.text).strip("/"), accept)


def places(findings: Iterable[Finding]) -> frozenset[str]:
    """Return what ``placeholders.accept`` can name: what is looked for in vain, and the files that look for it."""
    lost = [each for each in findings if each.kind == "functional"]
    return frozenset(path for each in lost for path in (each.file, _below(each.text).strip("/")))


def report(findings: Sequence[Finding], settings: Placeholders) -> tuple[str, ...]:
    """Return the lines that tell the user what will not be found, a few for each package, and what is not accepted.

    In mode ``error`` a functional finding that is not accepted is a ContentError instead.
    """
    groups: dict[str, dict[str, list[Finding]]] = {}
    for finding in sorted(findings, key=lambda finding: (finding.package, finding.path, finding.text)):
        if finding.kind == "functional" and not finding.accepted:
            groups.setdefault(finding.package, {}).setdefault(finding.consequence, []).append(finding)
    if settings.mode == "error" and groups:
        raise ContentError(*(each for package, group in groups.items() for each in _problems(package, group)))
    idle = [glob for glob in settings.accept if not any(_accepting(finding, (glob,)) for finding in findings)]
    lines = [line for package, group in groups.items() for line in _lines(package, group)]
    return (*lines, *(f"placeholders.accept names {glob!r}, which nothing looks for" for glob in idle))


def _problems(package: str, group: Mapping[str, Sequence[Finding]]) -> Iterator[Problem]:
    """Yield each path that is looked for once, with the first file that does."""
    hint = "let placeholders.accept name what is looked for, or leave the files out with select.exclude"
    for consequence, members in group.items():
        for below in dict.fromkeys(_below(member.text) for member in members):
            same = [member for member in members if _below(member.text) == below]
            yield Problem(where=f"{package}: {same[0].file}", what=_line(consequence, same), hint=hint)


def left(path: str, data: Data) -> tuple[Finding, ...]:
    """Return what a file of a finished wheel says about the neutral prefix, each path once."""
    file = _File(path=path, original=path, is_text=b"\0" not in bytes(data[:_LOOKED_AT]))
    return tuple({finding.text: finding for finding in _in_file(file, data)}.values())


def python_script(data: bytes) -> bytes | None:
    """Return a script of the prefix's Python as wheels want it (``#!python``), or None where it is none."""
    match = _DIRECT.match(data) or _THROUGH_SHELL.match(data)
    return b"#!python\n" + data[match.end() :] if match else None


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """A file that is searched.

    ``rewritten`` is what the wheel gets in its place, ``replaced`` are the texts for which linking writes others.
    """

    path: str
    original: str
    package: str = ""
    is_text: bool
    rewritten: bytes | None = None
    replaced: Collection[str] = ()


def _in_file(file: _File, data: Data) -> Iterator[Finding]:
    text = file.is_text
    end = 0
    while found := _ANY_NEUTRAL.search(data, end):
        start = found.start()
        match = (_PATH if found[0] == _NEUTRAL else _WINDOWS_PATH).match(data, found.end())
        end = match.end() if match else found.end()
        written = bytes(data[start:end]).rstrip(b".")
        path = written.decode("utf-8", "replace")
        rewritten = file.rewritten is not None and written not in file.rewritten
        before, after = _surroundings(data, start, end, text=text)
        below = _below(path)
        kind: Literal["relocated", "inert", "functional"] = "functional"
        if rewritten or (
            file.replaced and (before + bytes(data[start:end]) + after).decode("utf-8", "replace") in file.replaced
        ):
            kind = "relocated"
        elif _is_inert(file.original, below, before, text=text):
            kind = "inert"
        words, *variables = _consequence(below, file.original) if kind == "functional" else ("",)
        yield Finding(
            path=file.path,
            file=file.original,
            package=file.package,
            text=path,
            kind=kind,
            consequence=words.format(*variables),
        )


def _below(path: str) -> str:
    """Return what stands after the neutral prefix and its slashes, as it would in a package for any system."""
    if path.startswith(NEUTRAL):
        return re.sub("^/+", "/", path[len(NEUTRAL) :])
    return re.sub("^/+", "/", path[len(NEUTRAL_ON_WINDOWS) :]).replace("\\", "/").removeprefix("/Library")


def _surroundings(data: Data, start: int, end: int, *, text: bool) -> tuple[bytes, bytes]:
    """Return what stands before and after a place: in its line, or in its string in a binary."""
    stop = b"\n" if text else b"\0"
    first = data.rfind(stop, max(0, start - _CONTEXT), start) + 1 or max(0, start - _CONTEXT)
    last = data.find(stop, end, end + _CONTEXT)
    return bytes(data[first:start]), bytes(data[end : last if last >= 0 else end + _CONTEXT])


def _replaced(entry: Entry) -> tuple[str, ...]:
    """Return the binary's own search path, and the names by which it is linked, where linking replaces them."""
    binary = entry.binary
    if binary is None or entry.edits is None or entry.edits.search is None:
        return ()
    separator = platforms.facts_for(binary).separator
    return (separator.join(binary.search),) if separator else (*binary.search, *binary.needed, binary.name or "")


def _is_inert(file: str, below: str, before: bytes, *, text: bool) -> bool:
    if _UNUSED.match(below) or _FLAG.search(before) or _STATEMENT.search(before):
        return True
    return text and bool(_DEVELOPMENT.fullmatch(file) or _DEVELOPMENT.match(file) or _COMMENT.match(before))


def _consequence(below: str, file: str) -> tuple[str, ...]:
    """Return what is not found, in words with places for the variables that name it, and these."""
    if file.startswith("share/terminfo/") and not below.startswith("/share/tabset"):
        return _UNKNOWN
    return next((row[1:] for row in _CONSEQUENCES if re.match(row[0], below)), _UNKNOWN)


def _weight(finding: Finding) -> int:
    return ("relocated", "inert", "functional").index(finding.kind)


def _line(consequence: str, members: Sequence[Finding]) -> str:
    """Return the consequence and the first place: the others are in `explain`."""
    files = {member.path for member in members}
    first = members[0]
    more = {1: "", 2: " and 1 more file"}.get(len(files), f" and {len(files) - 1} more files")
    return f"{consequence} ({first.path.rpartition('/')[2]}{more}: {_below(first.text) or 'the prefix itself'})"


def _lines(package: str, group: dict[str, list[Finding]]) -> Iterator[str]:
    # What is known comes first: it tells the user what to do.
    ordered = sorted(group.items(), key=lambda item: (item[0] == _UNKNOWN[0], item[0]))
    for consequence, members in ordered[:_SHOWN]:
        yield f"{package}: {_line(consequence, members)}"
    rest = sum(len(members) for _, members in ordered[_SHOWN:])
    if rest:
        yield f"{package}: and {rest} more"
