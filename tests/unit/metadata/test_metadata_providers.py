"""Providers of dynamic metadata; scikit-build's own loader is the judge of what they may give."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mamba_press.errors import ConfigError
from mamba_press.metadata import metadata_providers, pyproject
from mamba_press.types import Project

loader = pytest.importorskip("dynamic_metadata.loader", reason="dynamic-metadata is not here")

HEAD = '[project]\nname = "x"\n'
LOCAL = '[[tool.dynamic-metadata]]\nprovider = { path = "tools", module = "one" }\n'


@pytest.fixture
def root(tmp_path):
    """Write a project with a provider of its own, ``tools/one.py``, and return its folder."""

    def root(text: str, one: str = "") -> Path:
        tmp_path.joinpath("pyproject.toml").write_text(text)
        tmp_path.joinpath("tools").mkdir(exist_ok=True)
        tmp_path.joinpath("tools/one.py").write_text(one)
        return tmp_path

    return root


def completed(root: Path, conda: str | None = "3.4", state="wheel") -> Project:
    return metadata_providers.complete(pyproject.load(root), conda, state)


def giving(fields: str) -> str:
    return f"def dynamic_metadata(settings, project):\n    return {fields}\n"


def test_a_provider_of_the_project_gives_fields(root):
    text = HEAD + 'dynamic = ["version", "scripts"]\n' + LOCAL + "prefix = 'v'\n"
    one = giving("{'version': settings['prefix'][1:] + '1.2', 'scripts': {'x': 'x:main'}}")
    found = completed(root(text, one))
    assert str(found.version) == "1.2"
    assert found.table["scripts"] == {"x": "x:main"}
    assert found.table["dynamic"] == []


def test_what_nobody_gives_is_left_to_conda(root):
    text = HEAD + 'dynamic = ["version", "description", "urls"]\n' + LOCAL
    found = completed(root(text, giving("{'urls': {'Home': 'https://x.org'}}")))
    assert found.version is None
    assert found.table["dynamic"] == ["version", "description"]


def test_what_nobody_can_give_is_an_error(root):
    text = HEAD + 'dynamic = ["version", "scripts"]\n' + LOCAL
    with pytest.raises(ConfigError, match='"scripts" cannot be dynamic: no provider'):
        completed(root(text, giving("{}")))


def test_providers_see_the_versions_of_the_conda_package_until_one_is_given(root):
    text = HEAD + 'dynamic = ["version", "description"]\n' + LOCAL
    one = giving("{'description': 'for ' + project['version']}")
    assert completed(root(text, one)).table["description"] == "for 3.4"
    with pytest.raises(ConfigError, match="KeyError: 'version'"):
        completed(root(text, one), conda=None)


def test_a_class_is_told_the_state_and_called_in_the_projects_folder(root, other_directory):
    one = (
        "from pathlib import Path\n"
        "class One:\n"
        "    def build_state(self, state):\n        self.state = state\n"
        "    def dynamic_metadata(self, settings, project):\n"
        "        return {'description': self.state + ' ' + str(Path('pyproject.toml').is_file())}\n"
    )
    text = HEAD + 'dynamic = ["version", "description"]\n' + LOCAL.replace('"one"', '"one:One"')
    assert completed(root(text, one), state="sdist").table["description"] == "sdist True"
    assert Path.cwd() == other_directory


def test_an_installed_provider_is_named_by_its_entry_point(root):
    text = HEAD + 'dynamic = ["version", "description"]\n[[tool.dynamic-metadata]]\n'
    text += 'provider = "dynamic_metadata.template"\nfield = "description"\nresult = "{project[name]} it is"\n'
    assert completed(root(text)).table["description"] == "x it is"


ONE = "dynamic_metadata.template"


@pytest.mark.parametrize(
    ("table", "one", "says"),
    [
        ("[tool.dynamic-metadata]\nversion.provider = 'x'", "", "must be an array of tables"),
        ("[[tool.dynamic-metadata]]\nfield = 'version'", "", "entry 1: names no provider"),
        (LOCAL + "[[tool.dynamic-metadata]]\nprovider = {path = 'x'}", "", "entry 2: names no provider"),
        ("[[tool.dynamic-metadata]]\nprovider = 'dynamic_metadata.templat'", "", f"did you mean {ONE}"),
        ("[[tool.dynamic-metadata]]\nprovider = 'zzz'", "", "add its package to build-system.requires"),
        (LOCAL.replace("one", "json"), "", "there is no module 'json' in"),
        (LOCAL.replace("tools", "tolls"), "", "there is no module 'one' in"),
        (LOCAL, "import nothing_of_this_name\n", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        (LOCAL, "", "AttributeError: module 'one' has no attribute 'dynamic_metadata'"),
        (LOCAL, giving("1/0"), r"ZeroDivisionError: division by zero\n  raised in .*one.py, line 2"),
        (LOCAL, giving("'1.2'"), "returned str, not a dict"),
        (LOCAL, giving("{'nme': 1}"), "gives 'nme', which no provider can give"),
        (LOCAL, giving("{'readme': 'x'}"), "gives 'readme', which is not dynamic"),
        (LOCAL, giving("{'keywords': {'a': 1}}"), "gives 'keywords', which is of another kind there"),
        (LOCAL, giving("{'urls': {'A': 'https://b.org'}}"), "changes project.urls.A, and may only add"),
        (LOCAL, giving("{'description': 7}"), "project.description"),
    ],
)
def test_what_is_wrong_is_said_with_its_entry(root, table, one, says):
    text = HEAD + 'keywords = ["a"]\nurls = {A = "https://a.org"}\n'
    text += 'dynamic = ["version", "description", "keywords", "urls"]\n' + table
    with pytest.raises(ConfigError, match=says):
        completed(root(text, one))


def test_an_installed_module_of_the_same_name_is_not_taken_and_comes_back(root, monkeypatch):
    sentinel = object()
    monkeypatch.setitem(sys.modules, "one", sentinel)
    completed(root(HEAD + 'dynamic = ["version"]\n' + LOCAL, giving("{'version': '1'}")))
    assert sys.modules["one"] is sentinel


def test_nothing_is_left_behind_in_the_project(root):
    folder = root(HEAD + 'dynamic = ["version"]\n' + LOCAL, giving("{'version': '1'}"))
    completed(folder)
    assert sorted(path.name for path in folder.rglob("*")) == ["one.py", "pyproject.toml", "tools"]


def test_requirements_and_what_changes_are_asked_of_all(root):
    one = (
        "def dynamic_metadata(settings, project):\n    return {'version': '1'}\n"
        "def get_requires_for_dynamic_metadata(settings):\n    return [settings['need']]\n"
        "def dynamic_wheel(settings):\n    return {'dependencies': settings['need'] == 'a', 'urls': False}\n"
    )
    text = HEAD + 'dynamic = ["version"]\n' + LOCAL + 'need = "a"\n' + LOCAL + 'need = "b"\n'
    folder = root(text, one)
    assert metadata_providers.requirements(folder) == ["a", "b"]
    assert metadata_providers.changing(folder) == {"dependencies"}


def test_a_version_never_changes_between_sdist_and_wheel(root):
    one = "def dynamic_wheel(settings):\n    return {'version': True}\n"
    with pytest.raises(ConfigError, match="says that 'version' may change"):
        metadata_providers.changing(root(HEAD + 'dynamic = ["version"]\n' + LOCAL, one))


def test_a_version_other_than_the_sdists_is_refused(root):
    folder = root(HEAD + 'dynamic = ["version"]\n' + LOCAL, giving("{'version': '2'}"))
    folder.joinpath("PKG-INFO").write_text("Metadata-Version: 2.2\nName: x\nVersion: 1\n")
    with pytest.raises(ConfigError, match="a provider says 2, the sdist's PKG-INFO 1"):
        completed(folder)
    folder.joinpath("PKG-INFO").write_text("Metadata-Version: 2.2\nName: x\nVersion: 2\n")
    assert str(completed(folder).version) == "2"


@pytest.mark.parametrize(
    "steps",
    [
        ["{'version': '1'}", "{'version': project['version'] + '.2'}"],
        ["{'dependencies': ['b']}", "{'dependencies': ['c', 'a']}"],
        ["{'optional-dependencies': {'e': ['b'], 'f': ['c']}}", "{'optional-dependencies': {'f': ['d']}}"],
        ["{'entry-points': {'g': {'b': 'x:b'}}}", "{'entry-points': {'g': {'b': 'x:b'}, 'h': {'c': 'x:c'}}}"],
        ["{'scripts': {'t': 'x:t'}}", "{'scripts': {'t': 'x:t', 'u': 'x:u'}}"],
        ["{'authors': [{'name': 'B'}]}", "{'authors': [{'name': 'C'}], 'description': 'd'}"],
    ],
)
def test_the_fields_are_those_of_scikit_builds_own_loader(root, steps, monkeypatch):
    text = HEAD + 'dependencies = ["a"]\nauthors = [{name = "A"}]\nentry-points.g.a = "x:a"\n'
    text += "optional-dependencies.e = ['a']\n"
    text += "dynamic = ['version', 'dependencies', 'authors', 'entry-points', 'optional-dependencies', 'scripts',"
    text += " 'description']\n" + "".join(LOCAL + f"step = {number}\n" for number in range(len(steps)))
    text += LOCAL + "step = -1\n"
    done = "{'scripts': {}, 'version': project.get('version', '0'), 'entry-points': {}}"
    one = giving(f"[{', '.join(f'lambda: {each}' for each in [*steps, done])}][settings['step']]()")
    folder = root(text, one)
    monkeypatch.chdir(folder)
    before = pyproject.load(folder)
    entries = [
        {"provider": {"path": str(folder / "tools"), "module": "one"}, "step": n} for n in [*range(len(steps)), -1]
    ]
    sys.modules.pop("one", None)
    expected = loader.process_dynamic_metadata(before.table, entries, "wheel")
    assert dict(metadata_providers.complete(before, None, "wheel").table) == expected
