from __future__ import annotations

import pytest

from mamba_press.platforms import compiler_runtimes


@pytest.mark.parametrize(
    ("library", "runtime"),
    [
        ("libstdc++.so.6", "libstdcxx"),
        ("libstdc++.so.6.0.33", "libstdcxx"),
        ("libgcc_s.so.1", "libgcc"),
        ("libgfortran.so.5", "libgfortran"),
        ("libquadmath.so.0", "libquadmath"),
        ("libgomp.so.1", "libgomp"),
        ("libiomp5.so", "libomp"),
        ("@rpath/libomp.dylib", "libomp"),
        ("libomp140.x86_64.dll", "libomp"),
        ("libatomic.so.1", "libatomic"),
        ("libstdc++fs.so", None),
        ("libgcc.so", None),
    ],
)
def test_the_runtime_of_a_library_is_known_by_its_name(library, runtime):
    assert compiler_runtimes.runtime_of(library) == runtime
