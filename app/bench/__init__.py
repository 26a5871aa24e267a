"""Load and timing of a running server, as a client sees it. Nothing imports this room."""
