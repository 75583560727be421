"""The formats that other tools read and write: each a pure `parse` and `format` with a thin file edge."""
