"""coco-annotator's REST interface: what it has goes to files here, pre-annotations go there."""
