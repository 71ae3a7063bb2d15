"""musr gives music back the high frequencies it lost."""

__version__ = "0.1.0"
