"""Solving: records that satisfy what is asked for, or why there are none; and the same archives elsewhere."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mamba_press.conda.worker import Json, RefusedError
from mamba_press.conda.worker.fetch import client_for
from mamba_press.conda.worker.records import name_of, python_of, specs_of, title, with_specs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import rattler

    Where = tuple[rattler.Gateway, list[rattler.Channel], list[rattler.Subdir]]

_RELATIONS: Literal["disabled"] = "disabled"
"""Packages come from the channels that the user names, not from others that these may point to (CEP 42)."""

_ANSWERS: dict[str, Json] = {}
"""What was solved, by question: whoever asks the same again within a build gets the same, and at once."""


async def solve(request: Json, say: Callable[[Json], None]) -> Json:
    """Answer each question with records that satisfy it, or with why there are none; repodata is read once for all."""
    from rattler.exceptions import GatewayError

    gateway = _gateway(request)
    answers: list[Json] = []
    for number, question in enumerate(request["questions"], 1):
        say({"event": "solving", "number": number, "total": len(request["questions"])})
        key = json.dumps([question, request["offline"], request["cache"]])
        try:
            if key not in _ANSWERS:
                _ANSWERS[key] = await _answer(question, gateway)
            answers.append(_ANSWERS[key])
        except GatewayError as error:
            answers.append({"error": "channel", "channel": "", "text": str(error)})
        except RefusedError as refused:
            answers.append(refused.answer)
    return {"answers": answers}


async def _answer(question: Json, gateway: rattler.Gateway) -> Json:
    from rattler import Subdir
    from rattler.exceptions import SolverError

    platforms = [Subdir(question["subdir"]), Subdir("noarch")]
    *asked, constraints, python = specs_of(
        {**question["specs"], "constraints": question["constraints"], "python": question["python"]}
    )
    specs = [spec for each in asked for spec in each]
    channels = await _open_channels(question["channels"], platforms, gateway)
    where = (gateway, channels, platforms)
    kept = await _still_there(question, where)
    try:
        records = await _attempt(question, where, specs, [*constraints, *python], kept)
        # Python is a constraint, so that packages without Python are solved in channels that have none. What is
        # noarch needs its record nevertheless: it says where site-packages is.
        names = {record.name.normalized for record in records}
        if "python" not in names and any(_is_noarch_python(record) for record in records):
            records = await _attempt(question, where, [*specs, python[0]], [*constraints, *python], kept)
    except SolverError as error:
        facts = await _failed_solve(question, where, specs)
        raise RefusedError("solve", text=str(error), **facts) from None
    return {
        **with_specs(records),
        "names": [name_of(spec) for spec in specs],
        "vain": await _vain(dict(zip(question["constraints"], map(name_of, constraints), strict=True)), names, where),
    }


async def _vain(constraints: Mapping[str, str], solved: Collection[str], where: Where) -> Json:
    """Return the constraints whose package no channel has, each with the names that are nearly right."""
    import difflib

    sought = {text: name for text, name in constraints.items() if name not in solved and not name.startswith("__")}
    if not sought:
        return {}
    gateway, channels, platforms = where
    known = {name.normalized for name in await gateway.names(channels, platforms, channel_relations=_RELATIONS)}
    return {
        text: difflib.get_close_matches(name, sorted(known), 1, 0.7)
        for text, name in sought.items()
        if name not in known
    }


async def _still_there(question: Json, where: Where) -> list[rattler.RepoDataRecord]:
    """Return what was locked and is to stay, as the channels have it now; what they would not give anew is left out."""
    gateway, channels, platforms = where
    locked = {(each["name"], each["file_name"]): each for each in question["locked"]}
    if not locked:
        return []
    names = sorted({name for name, _ in locked})
    first: dict[str, str] = {}
    kept: list[rattler.RepoDataRecord] = []
    # The first channel that has a package wins, as in the solve.
    for channel in channels:
        answers = await gateway.query([channel], platforms, names, recursive=False, channel_relations=_RELATIONS)
        for record in (record for answer in answers for record in answer):
            name = record.name.normalized
            found = locked.get((name, record.file_name))
            if first.setdefault(name, channel.base_url) != channel.base_url or not found:
                continue
            is_same = not (found["sha256"] and record.sha256) or record.sha256.hex() == found["sha256"]
            newest, made = question["exclude_newer"], record.timestamp
            if is_same and (newest is None or made is None or made.timestamp() <= newest):
                kept.append(record)
    return kept


async def locate(request: Json, _: Callable[[Json], None]) -> Json:
    """Answer with the records of the same archives, by name and hash, in other channels than they were locked in."""
    from rattler import Subdir
    from rattler.exceptions import GatewayError

    gateway = _gateway(request)
    platforms = [Subdir(request["subdir"]), Subdir("noarch")]
    channels = await _open_channels(request["channels"], platforms, gateway)
    wanted = {(each["file_name"], each["sha256"]): each for each in request["packages"]}
    names = sorted({each["name"] for each in request["packages"]})
    try:
        answers = await gateway.query(channels, platforms, names, recursive=False, channel_relations=_RELATIONS)
    except GatewayError as error:
        raise RefusedError("channel", channel="", text=str(error)) from None
    found: dict[tuple[str, str], Json] = {}
    for record in (record for answer in answers for record in answer):
        key = (record.file_name, record.sha256.hex() if record.sha256 else "")
        if key in wanted:
            found.setdefault(key, {"url": record.url, "channel": record.channel})
    missing = [title(each) for key, each in wanted.items() if key not in found]
    return {"places": {name: place for (name, _), place in found.items()}, "missing": missing}


async def _attempt(
    question: Json,
    where: Where,
    specs: Sequence[rattler.MatchSpec],
    constraints: Sequence[rattler.MatchSpec],
    kept: Sequence[rattler.RepoDataRecord],
) -> list[rattler.RepoDataRecord]:
    """Solve once, with the virtual packages of the target and never those of this machine."""
    import rattler
    from rattler.package.build_string import BuildString

    gateway, channels, platforms = where
    newest = question["exclude_newer"]
    # Of a spec's package rattler loads only what fits it, and then takes a channel for the first that is not. The bare
    # name makes it load all, so that the first channel that has the package at all wins, as elsewhere in the solve.
    bare = [rattler.MatchSpec(name_of(spec)) for spec in specs if spec.channel is None]
    return await rattler.solve(
        channels,
        [*bare, *specs],
        gateway=gateway,
        platforms=platforms,
        locked_packages=list(kept),
        virtual_packages=[
            rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), BuildString(build))
            for name, version, build in question["virtual"]
        ],
        constraints=list(constraints),
        exclude_newer=None if newest is None else datetime.fromtimestamp(newest, timezone.utc),
        timestamp_policy="allow-missing",
        channel_priority=rattler.ChannelPriority.Strict,
        channel_relations=_RELATIONS,
    )


def _is_noarch_python(record: rattler.RepoDataRecord) -> bool:
    return bool(record.noarch.python)


async def _failed_solve(question: Json, where: Where, specs: Sequence[rattler.MatchSpec]) -> Json:
    """Gather what explains a failed solve: names nearly right, and what of the named packages there is instead."""
    import difflib

    gateway, channels, platforms = where
    known = {name.normalized for name in await gateway.names(channels, platforms, channel_relations=_RELATIONS)}
    of_target = await gateway.names(channels, platforms[:1], channel_relations=_RELATIONS)
    missing, found = [], []
    keys = [key for key, texts in question["specs"].items() for _ in texts]
    for key, spec in zip(keys, specs, strict=True):
        name = name_of(spec)
        if name not in known:
            missing.append({"key": key, "name": name, "near": difflib.get_close_matches(name, sorted(known), 3, 0.7)})
            continue
        answers = await gateway.query(channels, platforms, [name], recursive=False, channel_relations=_RELATIONS)
        records = [record for answer in answers for record in answer]
        records.sort(key=lambda record: (record.version, record.build_number))
        fitting = [record for record in records if spec.matches(record)]
        found.append(
            {
                "name": name,
                "spec": str(spec),
                "fits": bool(fitting),
                "versions": list(dict.fromkeys(str(record.version) for record in records)),
                "pythons": list(dict.fromkeys(filter(None, map(python_of, fitting or records)))),
            }
        )
    empty, virtual = not of_target, question["virtual"]
    return {"missing": missing, "found": found, "empty": empty, "virtual": virtual, "keys": list(dict.fromkeys(keys))}


# -- channels


def _gateway(request: Json) -> rattler.Gateway:
    """Return what reads the lists of channels."""
    from rattler import Gateway
    from rattler.repo_data.gateway import SourceConfig

    # The same folder as pixi's; py-rattler's own default is the cache's root.
    return Gateway(
        cache_dir=Path(request["cache"], "repodata"),
        default_config=SourceConfig(cache_action="force-cache-only" if request["offline"] else "cache-or-fetch"),
        client=client_for(offline=request["offline"]),
    )


async def _open_channels(
    names: Sequence[str], platforms: Sequence[rattler.Subdir], gateway: rattler.Gateway
) -> list[rattler.Channel]:
    """Open every channel, so that what is wrong with one is reported with its name, and for all of them at once."""
    opened = [(name, *await _open(name, platforms, gateway)) for name in names]
    wrong = [{"channel": name, "text": problem} for name, _, problem in opened if problem]
    if wrong:
        raise RefusedError("channels", wrong=wrong)
    return [channel for _, channel, _ in opened if channel]


async def _open(
    name: str, platforms: Sequence[rattler.Subdir], gateway: rattler.Gateway
) -> tuple[rattler.Channel | None, str]:
    from rattler import Channel

    try:
        channel = Channel(name)
        await gateway.names([channel], platforms, channel_relations=_RELATIONS)
    except Exception as error:  # noqa: BLE001 - rattler's errors have no common base
        return None, str(error)
    return channel, ""
