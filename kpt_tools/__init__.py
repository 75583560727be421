"""kpt-tools: from labelled images to a working keypoint detector."""

__version__ = "0.1.0"
