"""The embedded lip-sync net: mouth controls from speech, and a renderer that obeys them."""
