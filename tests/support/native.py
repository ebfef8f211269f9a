"""Conda packages to build against: a C library with headers, pkg-config and CMake files, which name their prefix."""

from __future__ import annotations

from pathlib import Path

from tests.support.channel import (
    PLACEHOLDER,
    Channel,
    CondaPackage,
    Content,
    Link,
    python_abi,
    python_package,
    write_channel,
)
from tests.support.compile import Linking, shared_library
from tests.support.press import HERE

# A header whose code says where it was read: what is compiled with it holds that path.
HEADER = """\
#ifndef GREET_H
#define GREET_H
#ifdef __cplusplus
extern "C" {
#endif
int greet_number(void);
const char *greet_words(int);
static inline const char *greet_header(void) { return __FILE__; }
#ifdef __cplusplus
}
#endif
#endif
"""
SOURCE = """\
int echo_number(int);
int greet_number(void) { return echo_number(42); }
const char *greet_words(int n) { return n ? "hello" : "goodbye"; }
"""
PKG_CONFIG = f"""\
prefix={PLACEHOLDER}
Name: greet
Description: greets
Version: 1.2
Libs: -L${{prefix}}/lib -lgreet
Cflags: -I${{prefix}}/include
"""
CMAKE = f"""\
add_library(greet::greet SHARED IMPORTED)
set_target_properties(greet::greet PROPERTIES
  IMPORTED_LOCATION "{PLACEHOLDER}/lib/libgreet.so.1.2"
  INTERFACE_INCLUDE_DIRECTORIES "{PLACEHOLDER}/include")
"""
PROGRAM = f"""\
#!/bin/sh
echo "{PLACEHOLDER}"
"""


def native_packages(folder: Path) -> list[CondaPackage]:
    """A library with all that its users need to build, the library that it needs itself, and one that nobody needs."""
    echo = shared_library(
        folder / "libecho.so.3", "int echo_number(int n) { return n; }", Linking(soname="libecho.so.3")
    )
    greet = shared_library(
        folder / "libgreet.so.1.2", SOURCE, Linking(soname="libgreet.so.1", needed=(echo,), rpath="$ORIGIN")
    )
    unused = shared_library(folder / "libidle.so.1", "int idle(void) { return 0; }", Linking(soname="libidle.so.1"))
    return [
        CondaPackage(
            name="echo", version="3.0", files={"lib/libecho.so.3": echo, "lib/libecho.so": Link("libecho.so.3")}
        ),
        CondaPackage(
            name="greet",
            version="1.2",
            depends=("echo >=3,<4", "idle", "__glibc >=2.17"),
            run_exports={"weak": ["greet >=1.2,<2"]},
            license="MIT",
            license_files={"COPYING": "Greet whom you like.\n"},
            files={
                "lib/libgreet.so": Link("libgreet.so.1.2"),
                "lib/libgreet.so.1": Link("libgreet.so.1.2"),
                "lib/libgreet.so.1.2": greet,
                "lib/pkgconfig/greet.pc": PKG_CONFIG,
                "lib/cmake/greet/greet-config.cmake": CMAKE,
                "include/greet.h": HEADER,
                "bin/greet-config": Content(PROGRAM, executable=True),
                "share/greet/salutation.txt": "dear\n",
            },
        ),
        CondaPackage(name="idle", files={"lib/libidle.so.1": unused}),
        python_package(HERE),
        python_abi(HERE),
    ]


def native_channel(root: Path, folder: Path) -> Channel:
    """A channel of `native_packages`; what is compiled goes to ``folder``."""
    return write_channel(root, native_packages(folder))
