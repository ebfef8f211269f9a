from __future__ import annotations

import pytest

from mamba_press.errors import Remark
from mamba_press.platforms.linux import hazards


@pytest.mark.parametrize(
    ("folder", "verdict"),
    [
        ("/tmp/build/ssl", "wrong"),
        ("ssl", "wrong"),
        ("/home/conda/feedstock_root/ssl", "noted"),
        ("C:\\\\bld\\\\openssl\\\\ssl", "noted"),
        ("/usr/local/ssl", "sound"),
        ("C:\\Program Files\\Common Files\\SSL", "sound"),
        ("/proc/mamba-press/////ssl", "sound"),
    ],
)
def test_openssl_loads_nothing_from_where_others_can_write(folder, verdict):
    data = b"\0built on: x\0" + f'OPENSSLDIR: "{folder}"'.encode() + b"\0"
    found = hazards.traces("libcrypto.so.3", data, is_binary=True)
    assert ["sound" if not found else "noted" if isinstance(found[0], Remark) else "wrong"] == [verdict]


def test_each_of_the_folders_of_openssl_is_judged_once():
    data = b'OPENSSLDIR: "/etc/ssl"\0ENGINESDIR: "/tmp/e"\0MODULESDIR: "/tmp/m"\0ENGINESDIR: "/tmp/e"\0'
    found = hazards.traces("libcrypto.so.3", data, is_binary=True)
    assert [problem.what.split()[5] for problem in found] == ["/tmp/e,", "/tmp/m,"]
