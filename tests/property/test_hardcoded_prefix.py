from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mamba_press.types import NEUTRAL, Entry, File, Kept, Reason
from mamba_press.vendoring.hardcoded_prefix import examine


@given(
    st.lists(st.sampled_from([NEUTRAL.encode(), b"/lib", b"\0", b"\n", b" ", b"-L", b":", b"'", b"=", b"#", b"\xff"])),
    st.sampled_from(["text", "binary"]),
)
def test_a_file_has_findings_exactly_where_it_names_the_prefix(tmp_path_factory, parts, placeholder):
    data = b"".join(parts)
    source = tmp_path_factory.getbasetemp() / "file"
    source.write_bytes(data)
    file = File(path="lib/x", source=source, package="x", size=len(data), placeholder=placeholder)
    findings = examine([Entry.of(Kept(file=file, why=Reason("rule")), "x")])
    assert bool(findings) == (NEUTRAL.encode() in data)
    assert len(findings) <= data.count(NEUTRAL.encode())
    for finding in findings:
        assert finding.text.startswith(NEUTRAL)
        assert bool(finding.consequence) == (finding.kind == "functional")
