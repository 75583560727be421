"""The exceptions of kpt-tools, each with the exit code that the command line gives it.

A message says where, what was found, what was expected and what to do, in one line.
"""

from __future__ import annotations


class KptToolsError(Exception):
    """Base of every error that kpt-tools raises on purpose."""

    exit_code = 1


class ConfigError(KptToolsError):
    """The command or its configuration cannot be carried out as given."""

    exit_code = 2


class DataError(KptToolsError):
    """Annotations, images or records are not what they should be."""

    exit_code = 3


class MissingDependencyError(KptToolsError):
    """A package that this command needs is not installed."""

    exit_code = 4


class EngineError(KptToolsError):
    """The OD API, or another engine that does the work, failed."""

    exit_code = 5


class OutOfMemoryError(EngineError):
    """The OD API's process ran out of memory, or the system killed it for that."""
