"""The ``.whl`` file: written, read, and copied with changes."""
