"""Work on many machines: Apache Beam's pipelines, and any filesystem that Beam knows."""
