"""Weight files that others own: an allow-list by digest, a store, and commands that fill it.

The server only reads and verifies; nothing but `python -m app.weights fetch` uses the network.
Published checkpoints are pickles: they are converted to safetensors once, when they come in.
"""
