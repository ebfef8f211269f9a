from __future__ import annotations

from setuptools import setup

setup(
    name="greet-words",
    version="2.0",
    description="Words for greetings",
    license="MIT",
    python_requires=">=3.6",
    packages=["greet_words"],
    package_dir={"": "src"},
)
