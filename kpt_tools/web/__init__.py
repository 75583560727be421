"""A model behind HTTP: a page for people, coco-annotator's protocol, and JSON for programs."""
