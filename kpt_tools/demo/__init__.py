"""A made-up data set: pictures of pliers, annotated as coco-annotator would export them."""
