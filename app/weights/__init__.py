"""Weight files that others own: an allow-list by digest, a store, and a command that fetches.

The server only reads and verifies; nothing but `python -m app.weights fetch` uses the network.
"""
