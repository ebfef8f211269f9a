from __future__ import annotations

import hashlib
import json
import re
import tracemalloc
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.version import Version

from mamba_press.conda import package_info
from mamba_press.metadata import sbom
from mamba_press.metadata.licenses import Licence
from mamba_press.types import Edits, Entry, File, Info, Kept, Reason, Resolved, Wheel
from tests.support.values import package

BEFORE = hashlib.sha256(b"before").hexdigest()
AFTER = hashlib.sha256(b"after").hexdigest()

MEANWHILE = "a-gone"


def entry(path, name, *, edits=None, needs=(), before=BEFORE, inside=None):
    file = File(path=path, source=Path("nowhere"), package=name, size=1, sha256=before)
    links = tuple(Resolved(needed=needed, where="wheel", path=needed) for needed in needs)
    kept = Kept(file=file, why=Reason("rule"), links=links)
    return replace(Entry.of(kept, inside or f"x/_prefix/{path}"), edits=edits)


ENTRIES = (
    entry("lib/libapp.so", "app", needs=("lib/libz.so",), edits=Edits(search=("$ORIGIN",), needed=(("a", "b"),))),
    entry("lib/libz.so", "zlib"),
    entry("share/z and more.txt", "zlib", before=None),
    Entry(path="x/_mamba_press.py", source=b"ours"),
)

PACKAGES = (
    replace(package("app", MEANWHILE, "python >=3", requested=True), timestamp=1_700_000_000_000, sha256="ab" * 32),
    package(MEANWHILE, "zlib >=1", "__glibc >=2.17"),
    replace(package("zlib", MEANWHILE), timestamp=1_600_000_000, md5="cd" * 16),
)


def facts(**changes):
    plain = sbom.Sbom(
        packages=PACKAGES,
        licences=(
            Licence(package="app", text="MIT", expression="MIT", is_certain=True),
            Licence(package="zlib", text="GPL v2+", expression="GPL-2.0-or-later", is_certain=False),
        ),
        expression="GPL-2.0-or-later AND MIT",
        info={
            "app": Info(about={"summary": "An  app\nfor all", "home": "https://app.example", "dev_url": "none of them"})
        },
        epoch=None,
    )
    return replace(plain, **changes)


def made(entries=ENTRIES, **changes):
    wheel = Wheel(name="My.App", version=Version("1.0"), tags="py3-none-any", entries=tuple(entries))
    hashes = {each.path: AFTER for each in entries}
    text = sbom.document(wheel, hashes, facts(**changes)).decode()
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert problem is None, problem
    return json.loads(text)


def component(bill, name):
    return next(each for each in bill["components"] if each["name"] == name)


def test_the_wheel_is_the_root_with_the_licence_of_all_that_is_in_it():
    root = made()["metadata"]["component"]
    assert root["purl"] == root["bom-ref"] == "pkg:pypi/my-app@1.0"
    assert (root["name"], root["version"]) == ("My.App", "1.0")
    assert root["licenses"] == [{"expression": "GPL-2.0-or-later AND MIT", "acknowledgement": "concluded"}]


def test_at_the_top_stands_each_package_that_has_a_file_in_the_wheel_and_no_other():
    assert [each["name"] for each in made()["components"]] == ["app", "zlib"]


def test_a_package_states_the_archives_hash_its_licence_and_where_it_is():
    app = component(made(), "app")
    assert app["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert app["licenses"] == [{"expression": "MIT", "acknowledgement": "declared"}]
    assert app["description"] == "An app for all"
    assert [(each["type"], each["url"]) for each in app["externalReferences"]] == [
        ("distribution", "https://example.org/app-1.0-0.conda"),
        ("website", "https://app.example"),
    ]


def test_an_old_record_gives_its_md5_and_its_own_words_for_the_licence():
    zlib = component(made(), "zlib")
    assert zlib["hashes"] == [{"alg": "MD5", "content": "cd" * 16}]
    assert zlib["properties"] == [{"name": "mamba-press:license", "value": "GPL v2+"}]


def test_a_file_states_its_hash_in_the_wheel_and_path_and_hash_in_the_package():
    (file,) = component(made(), "app")["components"]
    assert file["name"] == "x/_prefix/lib/libapp.so"
    assert file["hashes"] == [{"alg": "SHA-256", "content": AFTER}]
    assert file["pedigree"] == {
        "ancestors": [
            {"type": "file", "name": "lib/libapp.so", "hashes": [{"alg": "SHA-256", "content": BEFORE}]},
        ],
        "notes": "changed by mamba-press: names of needed libraries, search path",
    }


def test_a_file_that_is_as_it_was_says_nothing_of_changes():
    (file,) = component(made([entry("a", "app", before=AFTER)]), "app")["components"]
    assert "notes" not in file["pedigree"]


def test_the_graph_leads_past_a_package_without_files_and_reaches_all_from_the_root():
    bill = made()
    graph = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    app, zlib = (component(bill, name)["bom-ref"] for name in ("app", "zlib"))
    assert graph["pkg:pypi/my-app@1.0"] == [app]
    assert graph[app] == [zlib]
    assert graph[zlib] == []
    assert graph["file:x/_prefix/lib/libapp.so"] == ["file:x/_prefix/lib/libz.so"]


def test_a_package_and_a_cycle_that_nothing_leads_to_hang_on_the_root():
    packages = (package("app", requested=True), package("one", "two"), package("two", "one"), package("alone"))
    bill = made([entry(name, name) for name in ("app", "one", "two", "alone")], packages=packages)
    root = bill["dependencies"][0]["dependsOn"]
    assert [PackageURL.from_string(each).name for each in root] == ["alone", "app", "one"]


def test_the_date_is_source_date_epoch_else_that_of_the_newest_package():
    assert made()["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    assert made(epoch=0)["metadata"]["timestamp"] == "1970-01-01T00:00:00Z"
    assert "timestamp" not in made(packages=(package("app"), package("zlib")))["metadata"]


def test_the_same_content_has_the_same_serial_and_another_one_has_not():
    assert made(ENTRIES[::-1]) == made()
    assert made()["serialNumber"] != made(epoch=1)["serialNumber"]


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        ("https://conda.anaconda.org/conda-forge/", "conda-forge"),
        ("https://conda.anaconda.org/conda-forge/label/dev", "conda-forge/label/dev"),
        ("https://repo.anaconda.com/pkgs/main", "main"),
        ("https://user:secret@example.org/private/", "private"),
        ("https://example.org/t/tk-123-secret/private", "private"),
        ("https://example.org/base/t/tk-123-secret/private", "base/private"),
        ("conda-forge", "conda-forge"),
        ("team/stable", "team/stable"),
    ],
)
def test_a_channel_is_written_without_credentials_and_server(channel, name):
    one = replace(package("x"), channel=channel, version="1!2.0+b", file_name="x.tar.bz2")
    found = PackageURL.from_string(sbom.purl(one))
    assert found.qualifiers == {"build": "0", "channel": name, "subdir": "linux-64", "type": "tar.bz2"}
    assert (found.type, found.name, found.version) == ("conda", "x", "1!2.0+b")


@pytest.mark.parametrize(
    "channel",
    ["file:///home/somebody/conda-forge/", "/home/somebody/conda-forge", "C:\\channels\\conda-forge", "./conda-forge"],
)
def test_a_folder_is_never_written_as_a_channel_of_its_name(channel):
    found = PackageURL.from_string(sbom.purl(replace(package("x"), channel=channel)))
    assert "channel" not in found.qualifiers


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("file:///home/somebody/channel/linux-64/app-1.0-0.conda", None),
        ("https://user:secret@example.org/linux-64/app.conda", "https://example.org/linux-64/app.conda"),
        ("https://example.org/t/tk-secret/main/linux-64/app.conda", "https://example.org/main/linux-64/app.conda"),
    ],
)
def test_an_archive_is_named_only_where_others_find_it_and_without_credentials(url, shown):
    bill = made(packages=(replace(PACKAGES[0], url=url), *PACKAGES[1:]), info={})
    references = component(bill, "app").get("externalReferences", [])
    assert [each["url"] for each in references] == ([shown] if shown else [])


RECIPES = {
    "meta.yaml": f"""\
package:
  name: x
source:
  - folder: sub
    url: https://example.org/x-1.tar.gz
    sha256: {"12" * 32}
    patches:
      - a.patch
  - sha256: {"34" * 32}
    url:
      - https://user:secret@example.org/y.zip
      - https://mirror.example/y.zip
  - path: ../local
build:
  number: 0
about:
  url: https://example.org/no-source
""",
    "rendered_recipe.yaml": f"""\
recipe:
  context: {{}}
  source:
  - url: https://example.org/x-1.tar.gz
    sha256: {"12" * 32}
  build:
    number: 0
finalized_sources:
- url: https://example.org/x-1.tar.gz
  sha256: {"12" * 32}
""",
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_sources_are_those_of_the_recipe_in_the_package(name, tmp_path):
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / name).write_text(RECIPES[name], encoding="utf-8")
    info, _ = package_info.read(tmp_path, "app")
    references = component(made(info={"app": info}), "app")["externalReferences"]
    sources = {
        each["url"]: each["hashes"][0]["content"] for each in references if each["type"] == "source-distribution"
    }
    expected = {"https://example.org/x-1.tar.gz": "12" * 32}
    if name == "meta.yaml":
        expected["https://example.org/y.zip"] = "34" * 32
    assert sources == expected


def test_the_bill_lies_in_the_dist_info():
    wheel = Wheel(name="x", version=Version("1"), tags="py3-none-any", entries=())
    entry = facts().entry(wheel, {})
    assert entry.path == "x-1.dist-info/sboms/mamba-press.cdx.json"
    assert json.loads(entry.source)["bomFormat"] == "CycloneDX"


def test_bills_that_packages_bring_are_kept_in_folders_of_their_own():
    theirs = entry("p", "app", inside="app-1.dist-info/sboms/rust.cyclonedx.json")
    other = entry("q", "app", inside="app/sboms/no.json")
    assert [each.path for each in sbom.inherited([theirs, other], "x-1")] == [
        "x-1.dist-info/sboms/app/rust.cyclonedx.json"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[" * 100_000, "has too many brackets in each other"),
        (b"[]", "has no component that it describes"),
        (b"1", "has no component that it describes"),
        (b"{" * 10, "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ],
)
def test_a_bill_that_cannot_be_read_is_refused_in_plain_words(text, expected):
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        sbom.edited(text, sbom.Edit(version="2", old_stem="a-1", stem="a-2", words=()))


def test_the_serial_number_is_the_uuid_of_all_that_follows_the_head():
    wheel = Wheel(name="app", version=Version("1.0"), tags="py3-none-any", entries=ENTRIES)
    text = sbom.document(wheel, {each.path: AFTER for each in ENTRIES}, facts()).decode()
    head, body = text.removesuffix("\n").split('"components": ', 1)
    serial = uuid.uuid5(uuid.NAMESPACE_URL, '{"components": ' + body)
    assert json.loads(head.rstrip(", ") + "}")["serialNumber"] == serial.urn


def test_a_text_that_looks_like_a_list_of_components_stays_a_text():
    summary = 'has "components": [] and \\"components\\": [1]'
    app = component(made(info={"app": Info(about={"summary": summary})}), "app")
    assert app["description"] == summary
    assert [each["name"] for each in app["components"]] == ["x/_prefix/lib/libapp.so"]


def test_a_bill_of_many_files_takes_little_more_memory_than_its_text():
    entries = tuple(entry(f"share/{number:05}", "zlib") for number in range(5_000))
    wheel = Wheel(name="app", version=Version("1.0"), tags="py3-none-any", entries=entries)
    hashes = {each.path: AFTER for each in entries}
    tracemalloc.start()
    try:
        size = len(sbom.document(wheel, hashes, facts()))
        assert tracemalloc.get_traced_memory()[1] < 2 * size
    finally:
        tracemalloc.stop()
