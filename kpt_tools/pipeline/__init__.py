"""Label map text, and pipeline.config text from a template."""
