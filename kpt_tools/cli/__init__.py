"""The command line: parsing, one call, printing, exit codes."""
