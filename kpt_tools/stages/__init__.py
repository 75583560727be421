"""One function per command: compose the parts, write the run's manifest, return a result object."""
