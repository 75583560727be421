"""The only place that knows the TensorFlow Object Detection API."""
