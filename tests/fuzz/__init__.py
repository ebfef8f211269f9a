"""Fuzzing: every reader and editor of the project called with broken inputs; ``nox -s fuzz`` runs it."""
