from __future__ import annotations

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "greet_abi3._greet",
            sources=["src/_greet.c"],
            libraries=["greet"],
            define_macros=[("Py_LIMITED_API", "0x030A0000")],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
