"""The nets, one folder per family: plain torch that knows nothing of speed, files or serving."""
