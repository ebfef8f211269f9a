"""The nouns know their facts: nobody has to ask where a file of the wheel comes from."""

from __future__ import annotations

from mamba_press.types import Binary, Entry, File, Kept, Reason, Resolved, Strings


def test_an_entry_has_all_that_is_known_of_the_file_that_stays(tmp_path):
    file = File(path="lib/libx.so", source=tmp_path, package="x", size=1, link="lib/libx.so.1")
    binary = Binary(format="elf", arch="x86_64", kind="shared")
    links = (Resolved(needed="libc.so.6", where="system"),)
    strings = Strings(names=frozenset({"liby.so"}), built=False, announced=True)
    kept = Kept(file=file, why=Reason("needed", "y"), binary=binary, links=links, strings=strings)
    assert Entry.of(kept, "x/libx.so") == Entry(
        path="x/libx.so",
        source=tmp_path,
        executable=True,
        origin=file,
        package="x",
        binary=binary,
        links=links,
        strings=strings,
        why=Reason("needed", "y"),
    )


def test_a_file_is_called_as_in_its_package_and_a_link_is_the_file_at_which_it_ends(tmp_path):
    file = File(path="lib/libx.so", source=tmp_path, package="x", size=1)
    entry = Entry.of(Kept(file=file, why=Reason("rule")), "x/libx.so")
    assert (entry.original, entry.real) == ("lib/libx.so", "lib/libx.so")
    link = File(path="lib/libx.so", source=tmp_path, package="x", size=1, link="lib/libx.so.1")
    entry = Entry.of(Kept(file=link, why=Reason("rule")), "x/libx.so")
    assert (entry.original, entry.real) == ("lib/libx.so", "lib/libx.so.1")


def test_what_no_package_has_is_called_as_in_the_wheel_and_was_nowhere_before():
    entry = Entry(path="x/_mamba_press.py", source=b"ours")
    assert (entry.original, entry.real, entry.package) == ("x/_mamba_press.py", "", "")


def test_an_entry_reads_its_bytes_wherever_they_are(tmp_path):
    (tmp_path / "file").write_bytes(b"on disk")
    assert Entry(path="x", source=tmp_path / "file").read() == b"on disk"
    assert Entry(path="x", source=b"at hand").read() == b"at hand"
