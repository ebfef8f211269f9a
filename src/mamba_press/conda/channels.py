"""Channels: which text names one by a folder's path, which by its name or a URL, and where the folders are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from mamba_press.errors import ConfigError, Problem, Setting

_PATH = re.compile(r"[./~]|\\\\|[A-Za-z]:[\\/]|file:", re.IGNORECASE)
"""How a path begins. On Windows so does the name of a share, which no channel has."""

_NO_FOLDER = "give a URL or an absolute path, or override it for this build with -C channels=… or MAMBA_PRESS_CHANNELS"
_FILE_URL = re.compile(r"file:(?://([^/?#]*))?([^?#]*)", re.IGNORECASE)


def is_path(channel: str) -> bool:
    """Whether a channel is named by the path of a folder: its text alone says so, whatever folders there are.

    ``channel`` and ``a/b`` are names, as rattler and conda take them.
    """
    return _PATH.match(channel) is not None


def folder_of(channel: str, root: Path) -> Path | None:
    """Return the folder that a channel is, relative paths from ``root``, or None for a name or a URL of the network."""
    if not is_path(channel):
        return None
    url = _FILE_URL.match(channel)
    text = _path_in(url[1], url[2]) if url else channel
    return Path(os.path.normpath(root.absolute() / os.path.expanduser(text)))  # noqa: PTH111 - that of pathlib raises


def _path_in(host: str | None, path: str) -> str:
    """Return the path that a ``file:`` URL has, with the host in front of it that is not this machine."""
    if os.name == "nt":
        from urllib.request import url2pathname  # brings http, ssl and email along

        plain = url2pathname(path)
    else:
        plain = unquote(path, errors="surrogateescape")
    return plain if host in (None, "", "localhost") else f"//{host}{plain}"


def is_folder(path: Path) -> bool:
    """Whether a folder is there; what no file system can have as a path is none."""
    return os.path.isdir(path)  # noqa: PTH112 - that of pathlib raises where a name is too long


def alike(channels: Iterable[str], root: Path) -> tuple[str, ...]:
    """Return the channels given by a name for which there is also a folder, relative to ``root``."""
    names = (channel for channel in channels if not is_path(channel) and "://" not in channel)
    return tuple(name for name in names if is_folder(root / name))


def meant_as_name(channel: str) -> str:
    """Say what to write for the folder in place of a name that `alike` has found."""
    return f"{channel!r} is taken as a channel's name; for the folder of that name write './{channel}'"


def urls(channels: Iterable[str], root: Path) -> tuple[str, ...]:
    """Return the channels with paths made URLs, relative ones from the project's folder; names and URLs stay.

    Raises ConfigError for each folder that is not there.
    """
    problems = []
    found = []
    for channel in channels:
        path = folder_of(channel, root)
        if path is not None and not is_folder(path):
            what = f"{channel!r} is a folder that is not there: {path}"
            problems.append(Problem(where=Setting("channels"), what=what, hint=_NO_FOLDER))
        found.append(channel if path is None else path.as_uri())
    ConfigError.raise_for(problems)
    return tuple(found)


def outside(channels: Iterable[str], root: Path) -> tuple[str, ...]:
    """Return the channels that are folders but not of the project: they do not travel with its sdist."""
    folders = ((channel, folder_of(channel, root)) for channel in channels)
    here = Path(os.path.normpath(root.absolute()))
    return tuple(channel for channel, path in folders if path is not None and not path.is_relative_to(here))


def inside(channels: Iterable[str], root: Path) -> tuple[str, ...]:
    """Return the folders of the project that are channels, relative to it: they travel with its sdist."""
    here = Path(os.path.normpath(root.absolute()))
    folders = (folder_of(channel, root) for channel in channels)
    return tuple(path.relative_to(here).as_posix() for path in folders if path and path.is_relative_to(here))
