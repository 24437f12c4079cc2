"""The version of this package, which its distribution has as well."""

__version__ = "0.1.0"
