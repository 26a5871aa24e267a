"""Our nets again, for a Hopper GPU: channels last, half precision, fewer and larger steps.

Each takes a loaded net of `app.models` and computes the same function; `app.models` knows nothing
of this room. Off a GPU every operation has a torch formula, which the tests compare.
"""
