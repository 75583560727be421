"""Engines that run an exported model, sources of images, sinks of predictions."""
