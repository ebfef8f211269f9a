"""What the value of a key may be: in words, and as a pattern."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, NamedTuple, get_args, get_origin


class Rule(NamedTuple):
    """What a string has to be: in words, and as a pattern that is searched for in it (also part of the schema)."""

    words: str
    pattern: str
    or_false: bool = False
    """Whether `false` may stand there too; it is held as the string "false"."""
    or_list: bool = False
    """Whether a list of such strings may stand there too; it is held as a tuple."""


_NAME = "[A-Za-z_][A-Za-z0-9_]*"
# No leading slash, no drive letter, no backslash, no part that is empty, "." or "..".
_INSIDE = r"(?!/)(?![A-Za-z]:)(?!(?:.*/)?\.{1,2}(?:/|$))(?!.*//)[^\\]*[^\\\s][^\\]*"

Filled = Annotated[str, Rule("a string that is not empty", r"\S")]
Glob = Annotated[str, Rule("a glob that is not empty", r"\S")]
Size = Annotated[str, Rule('a size such as "100 MB"', r"^\d+(?:\.\d+)? ?(?:[kMG]|[KMG]i)?B$")]
PackageName = Annotated[str, Rule("the name of a Python package", rf"^{_NAME}(?:\.{_NAME})*$")]
ModuleName = Annotated[str, Rule("the name of a module as it is imported", rf"^{_NAME}(?:-stubs)?(?:\.{_NAME})*$")]
Hook = Annotated[str, Rule('"file.py:function"', rf"^[^:]+\.py:{_NAME}$")]
Inside = Annotated[str, Rule("a relative path with / and no part '.' or '..'", f"^{_INSIDE}$")]
InPrefix = Annotated[str, Rule("a relative path with / and no part '.' or '..', or '.' alone", rf"^(?:\.|{_INSIDE})$")]
Folder = Annotated[str, Rule("'.', or a relative path with / and no part '.' or '..'", rf"^(?:\.$|{_INSIDE}$)")]
Variable = Annotated[
    str,
    Rule("the name of an environment variable", f"^{_NAME}$"),
    Rule(
        "no variable for certificates: importing a wheel must not replace the process's certificate store "
        "(depend on certifi, and hand its file to the library)",
        r"^(?!(?:SSL_CERT_FILE|SSL_CERT_DIR|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE)$)",
    ),
    Rule(
        "no variable of the loader, of Python or of the user's session: importing a wheel must not change where other "
        "programs and libraries look for things (PATH, HOME, TMPDIR, LD_*, DYLD_*, PYTHON*, XDG_*)",
        r"^(?!(?:PATH|Path|PATHEXT|HOME|TMPDIR|TEMP|TMP|LD_.*|DYLD_.*|PYTHON.*|XDG_.*)$)",
    ),
]
PyPIRequirement = Annotated[str, Rule('a requirement such as "name >=1.2", or false', r"\S", or_false=True)]
ElsewhereLibrary = Annotated[
    str,
    Rule(
        '"requirement: path", such as "torch >=2.3: torch/lib/libtorch.so"',
        # A name with extras, versions, and a path as in `Inside`; no marker, for it would not bring the library.
        r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?: *\[[A-Za-z0-9._, -]+\])? *"
        r"(?:(?:(?:==|!=|<=|>=|<|>) *[0-9]+(?:\.[0-9]+)*|== *[0-9]+(?:\.[0-9]+)*\.\*|~= *[0-9]+(?:\.[0-9]+)+)"
        r"(?: *, *(?=[<>=!~])|(?=:)))*"
        r": +(?!(?:.*/)?\.{1,2}(?:/|$))[^/\\;: ]+(?:/[^/\\;: ]+)*$",
    ),
]
Backend = Annotated[
    str,
    Rule(
        'another backend: a module, or "module:object", as in [build-system]',
        r"^(?!mamba_press\b)[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?$",
    ),
]
BackendSetting = Annotated[str, Rule("a string, or a list of strings", "", or_list=True)]
Runtime = Literal["auto", "system", "bundle"]
Pattern = Annotated[str, Rule("a regular expression that is not empty", r"\S")]
Versions = Annotated[str, Rule('a range of versions such as ">=3.12"', r"^\s*(?:~=|[=!<>]=|===|<|>)\s*\d")]


def rules(kind: object) -> tuple[Rule, ...]:
    """Return what a kind of string has to be."""
    return getattr(kind, "__metadata__", ())


def is_text(kind: object) -> bool:
    """Whether a value of this kind is written as one string."""
    return get_origin(kind) is Literal or bool(rules(kind))


def words(kind: object) -> str:
    """Say what a kind of value is, in the words of TOML."""
    if kind is bool:
        return "true or false"
    if kind is datetime:
        return 'a date such as "2026-10-01" or a time such as "2026-10-01T12:00:00Z"'
    if get_origin(kind) is Literal:
        *most, last = (f'"{choice}"' for choice in get_args(kind))
        return f"{', '.join(most)} or {last}" if most else last
    if get_origin(kind) is tuple:
        return "a list of strings"
    if get_origin(kind) is Mapping:
        of = rules(get_args(kind)[1])
        more = " or false" * any(rule.or_false for rule in of) + " or lists of strings" * any(r.or_list for r in of)
        return f"a table of strings{more}"
    return "a string" if is_text(kind) else "a table"
