"""A server on this machine, started and stopped, and a client of the HTTP interface.

For the demo, benchmarks and tests. Knows nothing of what the server is made of.
"""
