"""The project's own code: found among its sources, or built by its inner backend."""
