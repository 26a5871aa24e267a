"""Engines: how a net of ours is run. The nets themselves know nothing of speed."""
