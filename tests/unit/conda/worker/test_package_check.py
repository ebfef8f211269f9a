from __future__ import annotations

import tracemalloc

import pytest

from mamba_press.conda.worker import package_check


@pytest.mark.parametrize(
    ("size", "files", "said"),
    [
        (1000, 3, ""),
        (1001, 3, "it unpacks to 0 MB or more; for an archive of its size the limit is 0 MB"),
        (1000, 4, "it has 4 files or more; for an archive of its size the limit is 3"),
    ],
)
def test_a_package_has_no_more_bytes_and_files_than_it_may(size, files, said):
    assert package_check._too_large(size, files, 1000, 3) == said


@pytest.mark.parametrize(
    ("size", "downloaded", "most"),
    [
        (66_000, None, (275_035_456, 101_320)),
        (3 << 30, None, (322_390_982_656, 64_524_509)),
        (None, None, (6_872_216_109_056, 1_374_489_534)),
        (10**15, None, (6_872_216_109_056, 1_374_489_534)),
        (10**15, 66_000, (275_035_456, 101_320)),
    ],
    ids=["small", "a giant", "unknown", "a lie", "a lie over the network"],
)
def test_what_a_package_may_unpack_to_grows_with_its_archive(size, downloaded, most):
    each = {"name": "evil", "version": "1.0", "build": "0", "size": size}
    gate = package_check.Gate([each], {"cache": "cache", "on_windows": False, "python": []}, print)
    if downloaded is not None:
        gate.downloaded["evil"] = downloaded
    assert gate.most(each) == most


def test_counting_what_a_folder_has_ends_above_the_most(tmp_path):
    for number in range(10):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "file").write_bytes(b"x" * 10)
    (tmp_path / "link").symlink_to(tmp_path)
    assert package_check._weight(tmp_path, 1000, 100) == (100 + len(str(tmp_path)), 11)
    size, files = package_check._weight(tmp_path, 1000, 3)
    assert files == 4
    assert size <= 40 + len(str(tmp_path))


SHORT_LISTS = {
    "files": (b"a\n" * 1_000_001, "files lists more than 1,000,000 files"),
    "has_prefix": (b"a b\n" * 1_000_001, "has_prefix lists more than 1,000,000 files"),
    "paths.json": (b'{"paths":[' + b"{}," * 5_000_001 + b"{}]}", "paths.json lists more than 1,000,000 files"),
    "index.json": (b'{"a":[' + b"[]," * 5_000_001 + b"1]}", "index.json lists more than 1,000,000 files"),
}


@pytest.mark.parametrize("name", SHORT_LISTS)
@pytest.mark.parametrize("size", [66_000, None])
def test_lists_of_far_too_many_files_are_not_read(name, size, tmp_path):
    data, said = SHORT_LISTS[name]
    info = tmp_path / "pkgs/evil-1.0-0/info"
    info.mkdir(parents=True)
    (info / "index.json").write_text('{"name": "evil", "version": "1.0", "build": "0"}')
    (info / "files").write_text("a\n")
    (info / name).write_bytes(data)
    each = {"name": "evil", "version": "1.0", "build": "0", "size": size}
    gate = package_check.Gate([each], {"cache": str(tmp_path), "on_windows": False, "python": []}, print)
    tracemalloc.start()
    wrong = gate.wrong(each)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    told = said.replace("1,000,000", "101,320" if size else "1,000,000")
    assert wrong == [["info", f"its records cannot be read: {told}"]]
    assert most < 10 * len(data)
