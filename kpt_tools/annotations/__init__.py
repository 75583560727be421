"""What people drew: reading COCO, checking, splitting. Pure functions over Dataset, no TensorFlow."""
