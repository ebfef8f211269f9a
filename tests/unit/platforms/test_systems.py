"""What is said of each system in a word."""

from __future__ import annotations

import pytest

from mamba_press import platforms


@pytest.mark.parametrize("name", ["label", "format", "family", "sysconfig", "markers"])
def test_no_two_systems_are_called_alike(name):
    assert len({getattr(each, name) for each in platforms.FACTS.values()}) == len(platforms.FACTS)


@pytest.mark.parametrize(
    ("subdir", "system"), [("linux-aarch64", "linux"), ("osx-arm64", "osx"), ("win-64", "win"), ("winter-64", None)]
)
def test_a_conda_subdir_belongs_to_its_system(subdir, system):
    found = platforms.of_subdir(subdir)
    assert (found.system if found else None) == system


@pytest.mark.parametrize(("tag", "system"), [("manylinux2014_x86_64", "linux"), ("win32", "win"), ("any", None)])
def test_a_platform_tag_belongs_to_its_system(tag, system):
    found = platforms.facts_of(tag)
    assert (found.system if found else None) == system


def test_a_system_whose_tags_have_versions_has_the_virtual_package_of_conda():
    assert all(bool(each.versioned) == bool(each.virtual) for each in platforms.FACTS.values())
