"""Turns what the worker could not do into errors that say what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mamba_press import messages, platforms
from mamba_press.conda.channels import meant_as_name
from mamba_press.credentials import hidden
from mamba_press.errors import (
    ConfigError,
    ContentError,
    FetchError,
    PressError,
    Problem,
    Setting,
    SolveError,
    Text,
    Words,
    joined,
)

if TYPE_CHECKING:
    from mamba_press.conda.worker_process import RefusedError
    from mamba_press.types import Target

Json = dict[str, Any]

AGAIN = "try again; if it fails every time, check the memory and the limits of this machine"


def translate(refused: RefusedError, target: Target) -> PressError:
    """Return the error that tells the user what the worker refused to do."""
    tellers: Mapping[str, Callable[[Json, Target], PressError]] = {
        "spec": _spec,
        "channels": _channels,
        "channel": lambda facts, target: _channels({**facts, "wrong": [facts]}, target),
        "solve": _solve,
        "archives": lambda facts, _: FetchError(*map(_archive, facts["wrong"])),
        "offline": _offline,
        "install": _install,
        "members": _members,
    }
    tell = tellers.get(refused.kind)
    return tell(refused.facts, target) if tell else refused


def clean(text: str) -> str:
    """Return an error of rattler's in one line: what failed, the address, and the last cause, all printable."""
    causes = list(dict.fromkeys(line.strip() for line in _printable(text).split("\nCaused by: ") if line.strip()))
    # A cause is often repeated with more words around it.
    told = [cause for cause in causes if not any(cause in other for other in causes if other != cause)]
    kept = told if len(told) < 4 else [*told[:2], told[-1]]
    return ": ".join(_shortened(" ".join(cause.split())) for cause in kept)


def _shortened(text: str) -> str:
    """Return a cause of bearable length: it begins with what was tried and ends with why it failed."""
    text = re.sub(r"(failed to copy file) from /.+? to (/.+?)(?=: )", r"\1 to \2", text)
    return text if len(text) <= 300 else f"{text[:140]} … {text[-140:]}"


def explanation(text: str) -> str:
    """Return the solver's explanation as the tree that it is, of bearable length."""
    lines = _printable(text).removeprefix("Cannot solve the request because of: ").strip("\n").splitlines()
    if len(lines) > 30:
        lines = [*lines[:25], f"… {len(lines) - 28} lines more", *lines[-3:]]
    return "\n  ".join(lines)


def _printable(text: str) -> str:
    """Return a text without what a damaged archive put into it, and without credentials."""
    return hidden(re.sub(r"[\x00-\x09\x0b-\x1f\x7f]+", " ", text))


def _spec(facts: Json, _: Target) -> PressError:
    problems = []
    for wrong in facts["wrong"]:
        what = f"{wrong['spec']!r} is no conda spec: {clean(wrong['text'])}"
        hint = 'write it as in "libmambapy 1.5.8", "zlib >=1.2,<2" or "numpy 1.26.* py310*"'
        problems.append(Problem(where=Setting(wrong["key"]), what=what, hint=hint))
    return ConfigError(*problems)


def _channels(facts: Json, target: Target) -> PressError:
    problems = []
    for wrong in facts["wrong"]:
        problem = _channel(wrong["channel"], clean(wrong["text"]), target)
        alike = [meant_as_name(name) for name in facts.get("alike", ()) if wrong["channel"] in ("", name)]
        problems.append(replace(problem, hint=joined((*alike, problem.hint))))
    kind = ConfigError if all("invalid channel" in wrong["text"] for wrong in facts["wrong"]) else FetchError
    return kind(*problems)


def _channel(name: str, text: str, target: Target) -> Problem:
    where: Words = f"channel {hidden(name)}" if name else Setting("channels")
    hint: Words
    # Which of its subdirs is asked first is chance, and the channel is named already.
    text = re.sub(r" for url \([^)]*\)", "", text)
    folder = re.search(r"could not find subdir '([^']+)'", text)
    subdir = folder[1] if folder else target.subdir
    if "invalid channel" in text:
        what, hint = text, "write a name such as conda-forge, a URL, or a path that begins with ./ or /"
    elif refused := _file_system(text):
        where = "the package cache" if "failed to create" in text else where
        what, hint = text, refused
    elif "no usable repodata cache" in text:
        what = "offline = true, and the cache has not got its list of packages"
        hint = "build once with offline = false, or use a channel that is a folder"
    elif folder and "No such file" in text:
        what = f"it has no {subdir}/repodata.json"
        hint = "index it: a channel has one for each platform, and always one for noarch"
    elif folder or re.search(r"\b404\b", text):
        what = f"there is no {subdir}/repodata.json at that address"
        hint = Text.of("look at the spelling in ", Setting("channels"))
    elif re.search(r"\b(401|403)\b", text):
        what, hint = text, "log in with `rattler auth login` or `pixi auth login`"
    elif on_the_way := _on_the_way(text):
        what, hint = f"it cannot be reached: {text}", on_the_way
    elif re.search(r"server error|error sending request|timed out|dns error|\b429\b", text, re.IGNORECASE):
        what = f"it cannot be reached: {text}"
        mirror = " may name a mirror or a folder, and offline = true builds from the cache"
        hint = Text.of("try again; ", Setting("channels"), mirror)
    else:
        what, hint = f"its list of packages cannot be read: {text}", "index the channel again"
    return Problem(where=where, what=what, hint=hint)


def _solve(facts: Json, target: Target) -> PressError:
    if facts["empty"]:
        choose = () if facts["keys"] == ["build"] else ("choose another ", Setting("platform"), ", or ")
        what = f"the channels have no packages for {target.subdir} at all"
        hint = Text.of(*choose, f"add a channel that has {target.subdir}")
        return SolveError(Problem(where=Setting("channels"), what=what, hint=hint))
    if facts["missing"]:
        return SolveError(*(_missing(missing, target) for missing in facts["missing"]))
    where = joined((Setting(key) for key in facts["keys"]), ", ")
    return SolveError(Problem(where=where, what=explanation(facts["text"]), hint=joined(_hints(facts, target))))


def _missing(missing: Json, target: Target) -> Problem:
    near = ", ".join(missing["near"])
    return Problem(
        where=Setting(missing["key"]),
        what=f"no channel has a package {missing['name']!r} for {target.subdir} or noarch",
        hint=f"did you mean {near}?" if near else Text.of("add the channel that has it to ", Setting("channels")),
    )


def _hints(facts: Json, target: Target) -> list[Words]:
    is_for_build = facts["keys"] == ["build"]  # on this machine, whatever the target is

    def see(key: str) -> Text:
        return Text.of() if is_for_build else Text.of(": see ", Setting(key))

    assumed = ", ".join(f"{name} {version}" for name, version, _ in facts["virtual"]) or "no virtual packages"
    hints: list[Words] = [f"solved for {target.subdir} and Python {target.python}, with {assumed}"]
    for found in facts["found"]:
        if not found["versions"]:
            hints.append(f"files are listed as {found['name']}, and the records of all have another name")
        elif not found["fits"]:
            hints.append(f"{found['name']} is there as {_some(found['versions'])}")
        elif found["pythons"] and str(target.python) not in found["pythons"]:
            hints.append(Text.of(f"{found['spec']} is there for Python {_some(found['pythons'])}", see("python")))
    text = facts["text"]
    if "strict channel priority" in text:
        only = " that has a package is the only one for it: reorder them, or write"
        hints.append(Text.of("the first of ", Setting("channels"), only))
        hints.append("channel::package for a package that is to come from another")
    versioned = {each.virtual for each in platforms.FACTS.values()}
    for name, version, _ in facts["virtual"]:
        if name in versioned and (asked := re.findall(rf"{name} >=([\d.]+)", text)):
            whose = "machine that builds" if is_for_build else "target"
            hints.append(Text.of(f"{name} >={asked[-1]} is asked for, the {whose} has {version}", see("platform")))
    return hints


def _some(values: list[str]) -> str:
    return ", ".join((["…"] if len(values) > 5 else []) + values[-5:])


def _archive(wrong: Json) -> Problem:
    where = f"{wrong['package']} ({wrong['file']})"
    if "differs" not in wrong:
        hint = "put the archive back, or index the channel again"
        return Problem(where=where, what=f"the archive cannot be read: {wrong['text']}", hint=hint)
    differs = wrong["differs"]
    key = next(key for key in ("size", "sha256", "md5") if key in differs)  # one says it: all follow from the bytes
    what = f"its {key} is {differs[key][0]}, its record states {differs[key][1]}"
    hint = "the archive is damaged or not the one that was indexed: get it again, or index the channel again"
    return Problem(where=where, what=what, hint=hint)


def _offline(facts: Json, _: Target) -> PressError:
    what = "the cache has not got " + ", ".join(facts["packages"])
    hint = "build once with offline = false: what is fetched stays in the cache (RATTLER_CACHE_DIR)"
    return FetchError(Problem(where=Setting("offline"), what=what, hint=hint))


def _members(facts: Json, _: Target) -> PressError:
    where = f"{facts['package']} ({hidden(facts['file'])})" if facts["file"] else facts["package"]
    wrong = [f"{path!r}: {text}" if path else text for path, text in facts["wrong"]]
    told = [*wrong[:5], *([f"and {len(wrong) - 5} more"] if len(wrong) > 5 else [])]
    lines = ("it was not installed, because of what it lists", *(_shortened(_printable(line)) for line in told))
    hint = "the package is malformed, or made to do harm: take another build of it, and tell the channel's owner"
    return ContentError(Problem(where=where, what="\n  ".join(lines), hint=hint))


def _install(facts: Json, _: Target) -> PressError:
    text = re.sub(r"^failed to (fetch|link) \S+: ", "", clean(facts["text"]))
    text = re.sub(r"failed to interact with the package cache layer\.: |an io error occurred: ", "", text)
    where = f"{facts['package']} ({hidden(facts['file'])})" if facts["package"] else "the packages"
    if hint := _file_system(text):
        return FetchError(Problem(where=where if facts["package"] else "the package cache", what=text, hint=hint))
    if hint := _on_the_way(text):
        return FetchError(Problem(where=where, what=text, hint=hint))
    if facts["step"] == "link":
        hint = "the package is malformed: take another build of it"
        return ContentError(Problem(where=where, what=text, hint=hint))
    if "hash" in text and "mismatch" in text:
        hint = "the archive is not the one that was indexed: try again, or tell the channel's owner"
        return FetchError(Problem(where=where, what=text, hint=hint))
    if "HTTP status" in text:
        later = Text.of("try again later, or name a mirror or a folder in ", Setting("channels"))
        return FetchError(Problem(where=where, what=re.sub(r" for url \([^)]*\)", "", text), hint=later))
    hint = "where the archive is whole, the network may be at fault: try again; else take another build of the package"
    return FetchError(Problem(where=where, what=text, hint=hint))


def _on_the_way(text: str) -> str:
    """Return what to do about what lies between this machine and a server, or nothing where that is not at fault."""
    if re.search(r"\b407\b|tunnel error", text):
        return "the proxy refuses: check HTTPS_PROXY and HTTP_PROXY, which name it, with a login if it needs one"
    if "peer certificate" in text:
        return "set SSL_CERT_FILE to a file with the certificates of your network's authority"
    if re.search(r"lookup address|dns error", text):
        return "check the spelling of the address and the network; offline = true builds from the cache"
    if "InvalidContentType" in text:
        return "the server does not speak https: check whether the address should begin with http://"
    return ""


def _file_system(text: str) -> str:
    """Return what to do about a file system that refuses, or nothing where it is not at fault."""
    if re.search(r"os error (28|122)\b|No space left", text):
        return "make room there, or let RATTLER_CACHE_DIR and TMPDIR name folders with more"
    if re.search(r"os error (13|1|20|30)\b|Permission denied|failed to create directory", text):
        return "make the cache a folder that can be written, or let RATTLER_CACHE_DIR name another"
    return ""


def silent(facts: Json) -> FetchError:
    """Return the error for servers from which nothing came any more, or for a process that does nothing."""
    if not facts["addresses"]:
        what = f"it did nothing for {facts['seconds']:g} seconds, and was ended"
        return FetchError(Problem(where="rattler's process", what=what, hint=AGAIN))
    told = [_printable(address) for address in facts["addresses"]]
    where = ", ".join(told[:3]) + messages.others(len(told) - 3)
    again = "try again; if the server stays silent, name a mirror or a folder in "
    hint = Text.of(again, Setting("channels"), ", or build from the cache with offline = true")
    return FetchError(Problem(where=where, what=f"no byte came for {facts['seconds']:g} seconds", hint=hint))


def unreadable_lock(text: str) -> ConfigError:
    """Return the error for a file that is no lock."""
    hint = "make it anew with `mamba-press lock --update`, or take back the one that was there"
    return ConfigError(Problem(where="mamba-press.lock", what=f"it cannot be read: {clean(text)}", hint=hint))
