"""What pressing costs, in multiples of what nobody can do without: ``python -m benchmarks --help``."""
