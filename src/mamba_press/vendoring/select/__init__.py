"""What stays in the wheel: which packages, and which files of them."""
