"""What can be put right in a COCO JSON by rule: one repair per finding code, each change told."""
