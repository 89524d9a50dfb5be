"""The AI Employee Control Plane."""

__version__ = (
    "0.1.0"  # as in pyproject.toml; a constant, because `bd` starts in less than a look-up
)
