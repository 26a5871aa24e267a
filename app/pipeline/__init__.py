"""The talking head as plain functions: motion, mouth crops, blending and the session loop.

Models come in as callables; nothing here knows Ray, HTTP, engines or files.
"""
