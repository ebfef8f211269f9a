"""An editable wheel has all but the sources, and leads to them; nothing is written where they are."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.errors import ContentError
from mamba_press.types import OWN, Edits, Entry, File, Kept, Module, Reason
from mamba_press.vendoring import editable
from mamba_press.vendoring.link import Linked
from tests.support.environment import clean_environment, interpreter

INIT = "import mine._mamba_press as found\nfrom mine.part import word\n"
TEXTS = {"__init__.py": INIT, "part.py": "import mine\nword = 'one'\n", "data/x.txt": "data", "deep/__init__.py": ""}
HERE = Path(sys.executable)
MINE = Module(name="mine", path="src/mine")


def sources(root: Path, folder: str = "src/mine", texts: dict[str, str] = TEXTS) -> list[Entry]:
    """The project's files, and the entries that they are in the wheel."""
    found = []
    for name, text in texts.items():
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        found.append(own(f"mine/{name}", path))
    return found


def own(path: str, source: Path) -> Entry:
    file = File(path=f"lib/python3.10/site-packages/{path}", source=source, package=OWN, size=1)
    return Entry.of(Kept(file=file, why=Reason("rule", "of the project")), path)


MODULE = Entry(path="mine/_mamba_press.py", source=b"here = __file__\n")
LIBRARY = Entry(path="mine/_prefix/lib/libx.so.1", source=b"library")


def adjusted(root: Path, *entries: Entry, modules: tuple[Module, ...] = (MINE,)) -> Linked:
    return editable.adjust(Linked(entries=entries, names={}), modules, root, stem="mine-1.0", lock="mamba-press.lock")


def installed(site: Path, found: Linked) -> Path:
    for entry in found.entries:
        (site / entry.path).parent.mkdir(parents=True, exist_ok=True)
        data = entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes()
        (site / entry.path).write_bytes(data)
    return site


def run(site: Path, code: str, python: Path) -> str:
    """What a text prints where the folder is one of those in which Python looks for ``.pth`` files."""
    text = f"import site, sys; sys.path.insert(0, {str(site)!r}); site.addsitedir({str(site)!r}); {code}"
    command = [str(python), "-W", "error::RuntimeWarning", "-c", text]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=clean_environment(), cwd=site)
    return done.stdout.strip() + done.stderr.strip()[-300:]


def test_where_nothing_was_pressed_only_the_folder_is_named(tmp_path):
    found = adjusted(tmp_path, *sources(tmp_path))
    assert [(entry.path, entry.source) for entry in found.entries] == [
        ("__editable__.mine-1.0.pth", f"{tmp_path.resolve() / 'src'}\n".encode())
    ]
    assert found.notes == ()


@pytest.mark.parametrize("version", ["3.6", "3.8", "3.10", "3.13"])
def test_the_sources_and_what_was_pressed_are_one_package(version, tmp_path):
    root = tmp_path / "it's a project"
    site = installed(tmp_path / "site", adjusted(root, *sources(root), MODULE, LIBRARY))
    python = interpreter(version)
    code = "import mine, mine.deep; print(mine.word, mine.__file__, mine.found.here, len(mine.__path__))"
    source, module = root.resolve() / "src/mine/__init__.py", site / "mine/_mamba_press.py"
    assert run(site, code, python) == f"one {source} {module} 2"
    (root / "src/mine/part.py").write_text("word = 'another'\n")
    (root / "src/mine/new.py").write_text("word = 'new'\n")
    assert run(site, "import mine.new; print(mine.word, mine.new.word)", python) == "another new"
    data = "import mine, pkgutil; print(pkgutil.get_data('mine', 'data/x.txt').decode())"
    assert run(site, data, python) == "data"
    assert sorted(path.name for path in (root / "src/mine").iterdir() if path.name != "__pycache__") == sorted(
        ["__init__.py", "data", "deep", "new.py", "part.py"]
    )


def test_what_the_wheel_imports_first_is_imported_first(tmp_path):
    first, *others = sources(tmp_path)
    changed = replace(first, source=b"from . import _mamba_press as _mamba_press\n")
    module = Entry(path="mine/_mamba_press.py", source=b"import os; os.environ['MINE'] = 'set'\n")
    texts = sources(tmp_path, texts={"__init__.py": "import os\nseen = os.environ['MINE']\n"})
    assert texts
    site = installed(tmp_path / "site", adjusted(tmp_path, changed, *others, module))
    assert run(site, "import mine; print(mine.seen)", HERE) == "set"


def test_a_part_of_a_namespace_package_is_one_too(tmp_path):
    root = tmp_path / "project"
    (root / "src/space/tool").mkdir(parents=True)
    (root / "src/space/tool/__init__.py").write_text("from ._mamba_press import here\n")
    entry = own("space/tool/__init__.py", root.resolve() / "src/space/tool/__init__.py")
    module = Entry(path="space/tool/_mamba_press.py", source=MODULE.source)
    modules = (Module(name="space.tool", path="src/space/tool"),)
    site = installed(tmp_path / "site", adjusted(root, entry, module, modules=modules))
    assert run(site, "import space.tool; print(space.tool.here)", HERE) == str(site / "space/tool/_mamba_press.py")


def test_a_changed_lock_is_told_at_import(tmp_path):
    root = tmp_path / "project"
    files = sources(root)
    (root / "mamba-press.lock").write_text("one")
    site = installed(tmp_path / "site", adjusted(root, *files, MODULE))
    assert hashlib.sha256(b"one").hexdigest() in (site / "mine/_mamba_press.py").read_text()
    assert run(site, "import mine; print('as it was')", HERE) == "as it was"
    (root / "mamba-press.lock").write_text("two")
    assert "mamba-press.lock has changed since this editable install was made" in run(site, "import mine", HERE)
    (root / "mamba-press.lock").unlink()
    assert "has changed" in run(site, "import mine", HERE)


def test_a_lock_that_comes_later_is_told(tmp_path):
    root = tmp_path / "project"
    site = installed(tmp_path / "site", adjusted(root, *sources(root), MODULE))
    (root / "mamba-press.lock").write_text("one")
    assert "has changed" in run(site, "import mine", HERE)


def test_a_flat_layout_is_told_its_way_out(tmp_path):
    files = sources(tmp_path, "mine")
    found = adjusted(tmp_path, *files, MODULE, modules=(Module(name="mine", path="mine"),))
    (note,) = found.notes
    assert 'home = "_mine_prefix"' in note


def test_what_the_sources_hide_is_told(tmp_path):
    made = tmp_path / "work.py"
    made.write_text("")
    root = tmp_path / "project"
    files = sources(root)
    found = adjusted(root, *files, own("mine/deep/_version.py", made))
    assert found.notes == (
        "mine/deep/_version.py is not there in an editable install: the sources' folder is looked into instead",
    )
    assert adjusted(root, *files, own("mine/_version.py", made)).notes == ()


def test_a_binary_of_the_sources_is_loaded_as_it_is(tmp_path):
    first, *others = sources(tmp_path)
    (note,) = adjusted(tmp_path, first, replace(others[0], path="mine/x.so", source=b"", edits=Edits())).notes
    assert note.startswith("mine/x.so is loaded from the sources as it is")


def test_data_for_other_places_is_installed(tmp_path):
    (first, *_) = sources(tmp_path)
    entry = replace(first, path="mine-1.0.data/data/share/x")
    assert "mine-1.0.data/data/share/x" in [each.path for each in adjusted(tmp_path, entry).entries]


def test_a_folder_that_no_pth_file_can_hold_is_refused(tmp_path):
    root = tmp_path / "a\nb"
    with pytest.raises(ContentError, match=r"has a name that no \.pth file can hold"):
        adjusted(root, *sources(root))


def test_a_project_without_code_has_no_pth_file_and_an_eye_on_its_lock_all_the_same(tmp_path):
    (tmp_path / "mamba-press.lock").write_text("one")
    module = Entry(path="_mine_prefix/_mamba_press.py", source=MODULE.source)
    found = adjusted(tmp_path, module, LIBRARY, modules=())
    by_path = {entry.path: entry for entry in found.entries}
    assert sorted(by_path) == sorted([module.path, LIBRARY.path])
    assert hashlib.sha256(b"one").hexdigest().encode() in bytes(by_path[module.path].source)
