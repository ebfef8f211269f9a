"""Packages that were made to do harm: nothing of the building machine gets into a wheel, and the text says why."""

from __future__ import annotations

import pytest

from tests.support import press
from tests.support.channel import CondaPackage, Link, python_package, write_channel

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")


@pytest.fixture
def refused(tmp_path):
    """Press a package with one more file below ``info``, which must fail, and return what was said."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "id_rsa").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "home" / "about.json").write_text('{"summary": "a secret"}')

    def run(path: str, target: str) -> str:
        link = Link(target.replace("HOME", str(tmp_path / "home")))
        package = CondaPackage(
            name="evil", files={"share/evil.txt": "x\n"}, license_files={}, info={"about.json": None, path: link}
        )
        channel = write_channel(tmp_path / "channel", [package, python_package(press.HERE)])
        done = press.command("press", "evil", "-c", channel.root, "-o", tmp_path / "dist", cwd=tmp_path)
        assert done.code == 5, done.err
        assert not list(tmp_path.glob("dist/*"))
        return press.normalised(done.err, {"tmp": tmp_path})

    return run


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("licenses/LICENSE", "HOME/id_rsa"),
        ("licenses/LICENSE", "/proc/self/environ"),
        ("licenses/LICENSE", "../../../../../../../../../../../../../../etc/passwd"),
        ("licenses", "HOME"),
        ("LICENSE.txt", "HOME/id_rsa"),
        ("about.json", "HOME/about.json"),
        ("recipe/meta.yaml", "HOME/id_rsa"),
        ("recipe", "HOME"),
    ],
)
def test_a_link_out_of_a_packages_info_is_refused(refused, path, target):
    assert f"evil 1.0 0: info/{path}: is a symlink to " in refused(path, target)
