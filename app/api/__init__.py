"""The HTTP door: a Starlette application over a service that is handed in.

Parses and validates requests and maps errors to problem JSON. Knows no Ray, no models, no media.
"""
