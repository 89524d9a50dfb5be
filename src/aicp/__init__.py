"""The AI Employee Control Plane."""

from importlib.metadata import version

__version__ = version("aicp")
