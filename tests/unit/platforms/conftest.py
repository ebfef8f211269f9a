"""Libraries that the system's compiler makes."""

from __future__ import annotations

import sys

import pytest

from tests.support.elf_samples import Samples


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    if not sys.platform.startswith("linux"):
        pytest.skip("needs a Linux compiler and loader")
    return Samples(tmp_path_factory.mktemp("elf"))


@pytest.fixture
def outer(samples: Samples) -> bytes:
    return samples.outer().read_bytes()
