"""Channels, and the client that asks them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mamba_press.conda.worker import Json, RefusedError
from mamba_press.conda.worker.watch import TASK

if TYPE_CHECKING:
    from collections.abc import Sequence

    import rattler


RELATIONS: Literal["disabled"] = "disabled"
"""Packages come from the channels that the user names, not from others that these may point to (CEP 42)."""


def gateway_for(request: Json) -> rattler.Gateway:
    """Return what reads the lists of channels."""
    from rattler import Gateway
    from rattler.repo_data.gateway import SourceConfig

    # The same folder as pixi's; py-rattler's own default is the cache's root.
    return Gateway(
        cache_dir=Path(request["cache"], "repodata"),
        default_config=SourceConfig(cache_action="force-cache-only" if request["offline"] else "cache-or-fetch"),
        client=client_for(offline=request["offline"]),
    )


def client_for(*, offline: bool) -> rattler.networking.Client:
    """Return a client with retries and the credentials that rattler finds; offline, one that refuses to connect."""
    from rattler.networking import (
        AddHeadersMiddleware,
        AuthenticationMiddleware,
        Client,
        GCSMiddleware,
        OciMiddleware,
        RetryMiddleware,
        S3Middleware,
    )

    def refuse(host: str, path: str) -> None:
        raise ConnectionError(f"offline = true forbids asking {host} for {path}")

    if offline:
        return Client([AddHeadersMiddleware(refuse)])
    # As Client.default_client() has them; the last one is called for every attempt, with the address that is asked.
    return Client(
        [
            RetryMiddleware(),
            AuthenticationMiddleware(),
            OciMiddleware(),
            GCSMiddleware(),
            S3Middleware(),
            AddHeadersMiddleware(TASK.note),
        ],
        user_agent="mamba-press",
    )


async def open_channels(
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
        await gateway.names([channel], platforms, channel_relations=RELATIONS)
    except Exception as error:  # noqa: BLE001 - rattler's errors have no common base
        return None, str(error)
    return channel, ""
