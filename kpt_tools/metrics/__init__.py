"""OKS, PCK and COCO average precision."""
