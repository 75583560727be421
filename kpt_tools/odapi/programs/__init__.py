"""Programs that run in a child process, where the OD API is loaded: ``python -m kpt_tools.odapi.programs.NAME``."""
