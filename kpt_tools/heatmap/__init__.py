"""The second road: heatmap regression for the keypoints of one object. No Keras at import."""
