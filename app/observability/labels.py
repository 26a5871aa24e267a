"""The values that labels may take, where they are ours to choose; all sets are closed."""

FAULTS = ("internal", "failed", "not_ready", "weights", "deadline")
"""Outcomes that are this server's fault."""

BUSY = ("over_capacity",)
"""Outcomes of a server that has more to do than it can."""

UNJUDGED = ("ok", "abandoned")
"""Outcomes that say nothing against the server or the request."""

MODELS_OF_ROUTE = {
    "/v1/talk": ("portrait", "lips"),
    "/v1/frames": ("portrait", "lips"),
    "/v1/animate": ("portrait",),
    "/v1/lipsync": ("lips",),
    "/v1/motions": ("portrait",),
}
"""The roles that make an answer; the face role has a part in each."""

ROLES = ("face", "portrait", "lips")
DECISIONS = ("admitted", "waited", "server_full", "key_full", "live_full")
RESULTS = ("hit", "miss")
PACES = ("free", "live")
PUBLISHED = ("liveportrait", "wav2lip")
"""Variants whose nets have faster engines than eager."""
