"""The Ray Serve application: one deployment per model, and the ingress that chains them.

The only room that imports Ray. Options of deployments live in `serve_config.yaml` alone, because
Ray replaces, and does not merge, what the code would say.
"""
