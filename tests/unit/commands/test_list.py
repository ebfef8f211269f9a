from __future__ import annotations

from mamba_press.commands import parser


def test_what_is_listed_may_be_json_and_for_another_machine():
    found = parser.parse(["list", "zlib", "--json", "--platform", "linux-aarch64", "-c", "here"])
    assert (found.what, found.json, found.platform, found.channel) == (["zlib"], True, "linux-aarch64", ["here"])
