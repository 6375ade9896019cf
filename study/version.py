"""The version of the study, apart from everything that computes: a release changes no result."""

__version__ = "0.1.0"
