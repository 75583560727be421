"""The OD API's own tests, run through kpt-tools' compatibility layer: ``python -m tests.conformance``."""
