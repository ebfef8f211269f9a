from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from mamba_press.platforms.linux import policy as linux_policy

ARCHITECTURES = ("x86_64", "aarch64", "ppc64le", "riscv64")
CHECKED = (*ARCHITECTURES, "i686", "armv7l", "s390x", "ppc64", "loongarch64")


def auditwheels():
    spec = find_spec("auditwheel")
    if spec is None or spec.origin is None:
        pytest.skip("auditwheel is not installed: its policies are what ours are compared with")
    text = (Path(spec.origin).parent / "policy" / "manylinux-policy.json").read_text(encoding="utf-8")
    return [policy for policy in json.loads(text) if policy["name"] != "linux"]


def floor_of(policy):
    _, major, minor = policy["name"].split("_")
    return int(major), int(minor)


def versions_of(policy, arch):
    versions = policy["symbol_versions"][arch]
    return {f"{prefix}_{version}" for prefix, names in versions.items() for version in names}


def test_the_architectures_are_the_ones_that_are_pressed_for():
    assert linux_policy.ARCHITECTURES == ARCHITECTURES
    assert linux_policy.known() == CHECKED


@pytest.mark.parametrize("arch", CHECKED)
def test_what_every_floor_promises_is_what_auditwheel_says(arch):
    theirs = [policy for policy in auditwheels() if arch in policy["symbol_versions"]]
    assert linux_policy.baseline(arch) == min(map(floor_of, theirs))
    assert linux_policy.newest(arch) == max(map(floor_of, theirs))
    expected = {floor_of(policy): versions_of(policy, arch) for policy in theirs}
    floors = {version: linux_policy.floor_for(version, arch) for version in set().union(*expected.values())}
    for floor, versions in expected.items():
        assert {version for version, since in floors.items() if since <= floor} == versions, floor


@pytest.mark.parametrize("arch", CHECKED)
def test_the_allow_list_of_every_floor_is_auditwheels(arch):
    theirs = [policy for policy in auditwheels() if arch in policy["symbol_versions"]]
    every = {name for policy in theirs for name in policy["lib_whitelist"]}
    for policy in theirs:
        ours = {name for name in every if linux_policy.allowed(name, arch, floor_of(policy))}
        assert ours == set(policy["lib_whitelist"]), policy["name"]


def test_the_symbols_that_zlib_keeps_to_itself_are_auditwheels_blacklist_of_every_floor():
    allowed = linux_policy.internals("libz.so.1")
    for policy in auditwheels():
        ours = {name for name, since in allowed.items() if since is None or floor_of(policy) < since}
        assert ours == set(policy["blacklist"]["libz.so.1"]), policy["name"]


@pytest.mark.parametrize("arch", CHECKED)
def test_the_older_names_of_every_floor_are_auditwheels(arch):
    for policy in auditwheels():
        expected = policy["aliases"] if arch in policy["symbol_versions"] else []
        assert linux_policy.aliases(floor_of(policy), arch) == tuple(f"{name}_{arch}" for name in expected)
        for name in policy["aliases"]:
            assert linux_policy.alias_floor(name) == floor_of(policy)


@pytest.mark.parametrize("arch", CHECKED)
def test_every_symbol_version_that_auditwheel_knows_gets_a_floor_that_it_accepts(arch):
    theirs = [policy for policy in auditwheels() if arch in policy["symbol_versions"]]
    for prefix in theirs[-1]["symbol_versions"][arch]:
        for version in max(theirs, key=floor_of)["symbol_versions"][arch][prefix]:
            first = min(floor_of(policy) for policy in theirs if version in policy["symbol_versions"][arch][prefix])
            ours = linux_policy.floor_for(f"{prefix}_{version}", arch)
            # Auditwheel has no policy between 2.17 and 2.24: the number in a name of glibc says which it is.
            assert ours == first or (prefix == "GLIBC" and ours < first and f"{ours[0]}.{ours[1]}" == version)


@pytest.mark.parametrize(
    ("symbol", "arch", "floor"),
    [
        ("GLIBC_2.2.5", "x86_64", (2, 5)),
        ("GLIBC_2.17", "aarch64", (2, 17)),
        ("GLIBC_2.29", "x86_64", (2, 29)),
        ("GLIBC_2.44", "x86_64", (2, 44)),
        ("GLIBC_2.27", "riscv64", (2, 31)),
        ("GLIBC_ABI_DT_RELR", "x86_64", (2, 36)),
        ("GLIBC_ABI_DT_RELR", "aarch64", (2, 36)),
        ("GLIBC_ABI_DT_RELR", "riscv64", (2, 38)),
        ("GLIBC_ABI_GNU2_TLS", "x86_64", (2, 43)),
        ("GLIBCXX_3.4.30", "x86_64", (2, 35)),
        ("GLIBCXX_3.4.19", "x86_64", (2, 17)),
        ("CXXABI_FLOAT128", "x86_64", (2, 24)),
        ("GCC_3.0", "x86_64", (2, 5)),
        ("GLIBC_PRIVATE", "x86_64", None),
        ("GLIBC_ABI_SOMETHING_NEW", "x86_64", None),
        ("GLIBCXX_3.4.99", "x86_64", None),
        ("OPENSSL_3.0.0", "x86_64", None),
    ],
)
def test_the_floor_of_a_symbol_version_is_the_lowest_that_promises_it(symbol, arch, floor):
    assert linux_policy.floor_for(symbol, arch) == floor


@pytest.mark.parametrize(
    ("symbol", "governed"),
    [("GLIBC_PRIVATE", True), ("GLIBCXX_3.4.99", True), ("ZLIB_1.2.9", True), ("GOMP_4.0", False), ("Base", False)],
)
def test_names_of_other_kinds_are_nothing_that_a_policy_speaks_of(symbol, governed):
    assert linux_policy.governed(symbol) is governed


def test_the_loader_is_allowed_everywhere():
    assert linux_policy.allowed("ld-linux-x86-64.so.2", "x86_64", (2, 5))
    assert linux_policy.allowed("ld-linux-aarch64.so.1", "aarch64", (2, 17))
    assert linux_policy.allowed("ld64.so.2", "ppc64le", (2, 17))


@pytest.mark.parametrize(
    "name",
    [
        "libc.so.6", "libm.so.6", "libpthread.so.0", "librt.so.1", "libdl.so.2", "libresolv.so.2", "libutil.so.1",
        "libanl.so.1", "libnsl.so.1", "libmvec.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1",
        "ld-linux-riscv64-lp64d.so.1", "ld64.so.2", "libcuda.so.1", "libcuda.so", "libcuda.so.550.54.14",
        "libnvidia-ml.so.1", "libGL.so.1", "libEGL.so.1", "libGLX.so.0", "libOpenGL.so.0", "libGLdispatch.so.0",
        "libGLESv2.so.2", "libdrm.so.2", "libdrm_amdgpu.so.1", "libgbm.so.1", "libudev.so.1", "libudev.so",
    ],
)  # fmt: skip
def test_the_c_library_and_the_drivers_are_never_vendored(name):
    assert linux_policy.never_vendored(name)
    assert linux_policy.why_never(name)


@pytest.mark.parametrize(
    "name",
    [
        "libstdc++.so.6", "libgcc_s.so.1", "libz.so.1", "libcrypt.so.1", "libnsl.so.3", "libGLU.so.1", "libGLEW.so.2.2",
        "libcublas.so.12", "libcudart.so.12", "libmagic.so.1", "libcurl.so.4", "libX11.so.6", "libdlfoo.so.1",
        "libOpenCL.so.1", "libvulkan.so.1", "libmpi.so.40", "libutil.so.3", "notlibc.so.6",
    ],
)  # fmt: skip
def test_all_other_libraries_may_be_vendored(name):
    assert not linux_policy.never_vendored(name)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_what_auditwheel_allows_of_glibc_is_never_vendored(arch):
    glibc = {"libc.so.6", "libm.so.6", "libpthread.so.0", "librt.so.1", "libdl.so.2", "libresolv.so.2", "libutil.so.1",
             "libanl.so.1", "libnsl.so.1", "libmvec.so.1"}  # fmt: skip
    assert {name for name in glibc if not linux_policy.never_vendored(name)} == set()
    assert all(linux_policy.allowed_from(name, arch) for name in glibc)


@pytest.mark.parametrize(
    ("floor", "arch", "name"),
    [
        ((2, 5), "x86_64", "manylinux1_x86_64"),
        ((2, 7), "x86_64", "manylinux2010_x86_64"),
        ((2, 14), "x86_64", "manylinux2014_x86_64"),
        ((2, 17), "aarch64", "manylinux2014_aarch64"),
        ((2, 18), "x86_64", None),
        ((2, 39), "riscv64", None),
    ],
)
def test_the_covering_older_name_promises_at_least_the_floor(floor, arch, name):
    assert linux_policy.covering_alias(floor, arch) == name
