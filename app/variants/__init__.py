"""The variants of each role: what surrounds an engine so that it animates or lip-syncs.

A variant prepares the inputs of its net, runs it on frames of several sessions at once and
splits the answer. It knows nothing of Ray, HTTP or files.
"""
