"""How extension modules are called: their endings say for which Python they are."""

from __future__ import annotations

import re

TAGGED = re.compile(
    r"\.(?:cpython-3(?P<posix>\d+)(?P<flags>[a-z]*)(?:-[\w-]+)?\.so|cp3(?P<win>\d+)(?P<threads>t?)-win_\w+\.pyd)$"
)
"""The ending of an extension module for one version of CPython."""
