from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamba_press.platforms.linux import policy as linux_policy

auditwheel = pytest.importorskip("auditwheel.policy", reason="auditwheel is what our policies are compared with")
from auditwheel.architecture import Architecture  # noqa: E402
from auditwheel.libc import Libc  # noqa: E402

THEIRS = {
    arch: auditwheel.WheelPolicies(libc=Libc.GLIBC, arch=Architecture(arch)) for arch in linux_policy.ARCHITECTURES
}


@st.composite
def demands(draw):
    arch = draw(st.sampled_from(linux_policy.ARCHITECTURES))
    promised = (each for policy in THEIRS[arch] for each in policy.symbol_versions.items())
    known = sorted({f"{prefix}_{version}" for prefix, versions in promised for version in versions})
    return arch, draw(st.sets(st.sampled_from(known), min_size=1, max_size=6))


def floor_of(policy):
    _, major, minor = policy.name.split("_")[:3]
    return int(major), int(minor)


@given(demands())
def test_the_floor_of_any_set_of_symbol_versions_leads_to_auditwheels_policy(demand):
    arch, symbols = demand
    floors = {linux_policy.floor_for(symbol, arch) for symbol in symbols}
    assert None not in floors
    # Auditwheel knows a choice of floors only; the tag that it gives is the lowest of them that is not below ours.
    known = [floor_of(policy) for policy in THEIRS[arch] if policy != THEIRS[arch].linux]
    expected = min(floor for floor in known if floor >= max(floors))
    assert floor_of(THEIRS[arch].versioned_symbols_policy({"libany.so": symbols})) == expected
