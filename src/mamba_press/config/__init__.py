"""``[tool.mamba-press]``: its values, and how they are read."""
