from __future__ import annotations

from setuptools import Extension, setup

setup(
    name="pygreet",
    version="0.3.1",
    description="Greets from Python",
    license="MIT",
    python_requires=">=3.6",
    install_requires=["greet-words"],
    packages=["pygreet"],
    package_dir={"": "src"},
    entry_points={"console_scripts": ["pygreet = pygreet:main"]},
    ext_modules=[Extension("pygreet._greet", ["src/pygreet/_greet.c"], libraries=["greet"])],
)
