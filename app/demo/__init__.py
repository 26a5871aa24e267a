"""The demo: a server of its own, one portrait, ten seconds of speech, one video."""
