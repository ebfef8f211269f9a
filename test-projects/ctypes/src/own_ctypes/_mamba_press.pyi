# What mamba-press writes into the wheel, for type checkers that look at the sources.
from pathlib import Path

prefix: Path

def library(name: str) -> str: ...
