"""What stays of a prefix, asked as the tests of it ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mamba_press.config import reader
from mamba_press.errors import ContentError
from mamba_press.vendoring.select import files
from tests.support.values import TARGET

if TYPE_CHECKING:
    from mamba_press.config.model import Config
    from mamba_press.types import Selection, Target
    from tests.support.values import Prefix

SITE = "lib/python3.10/site-packages"


def config(**table: object) -> Config:
    return reader.from_values({"packages": ["app"], **table}, {}, {})


def pressed(prefix: Prefix, target: Target = TARGET, **table: object) -> Selection:
    return files.select(prefix.environment(), target, config(**table))


def kept(selection: Selection) -> dict[str, str]:
    return {each.file.path: str(each.why) for each in selection.kept}


def left(selection: Selection) -> dict[str | None, str]:
    return {each.path: str(each.why) for each in selection.dropped}


def problems(prefix: Prefix, target: Target = TARGET, **table: object) -> list[str]:
    with pytest.raises(ContentError) as caught:
        pressed(prefix, target, **table)
    return [str(problem) for problem in caught.value.problems]
