"""The CenterNet models of the TF2 detection zoo: what there is, and how it gets here safely."""
