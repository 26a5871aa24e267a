"""Where the lines go that this product logs within a replica, and for whom they say they are.

Every line is JSON (`logging_config` in `serve_config.yaml`) and names the request and the session
that it is about, in whichever replica it is written. The ingress adds one line per request
(`app.observability.story`). What a client sent is in none of them: lines are made of numbers, of
names from closed sets, and of our own sentences.
"""

import logging

from app.observability.origin import ORIGINS, SPAN, trace_id

SERVE = "ray.serve"


class Ids(logging.Filter):
    """Adds to a record for whom it was written: request, session and, where there is one, trace.

    A model runs a batch for several: its lines list all of them. Where Ray knows the request, its
    own filter says the same once more; in a batch it would name the first one only.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the ids; keeps every record."""
        origins = ORIGINS.get()
        if len(origins) == 1:
            record.request_id = origins[0].request_id
            record.session_id = origins[0].session_id
            trace = trace_id(SPAN.get() or origins[0].traceparent)
            if trace:
                record.trace_id = trace
        elif origins:
            record.request_ids = list(dict.fromkeys(each.request_id for each in origins))
            record.session_ids = list(dict.fromkeys(each.session_id for each in origins))
        return True


class ToServe(logging.Handler):
    """Hands records to Serve's logger: JSON, with request id, deployment and replica.

    For the rooms that know no Ray: Serve sets up its own logger only, and what others log ends
    as bare text in the worker's file.
    """

    @classmethod
    def attach(cls) -> None:
        """Let this process's `app` loggers hand their records on, once; all get their ids."""
        serve = logging.getLogger(SERVE)
        if not any(isinstance(known, Ids) for known in serve.filters):
            serve.addFilter(Ids())
        logger = logging.getLogger("app")
        if not any(isinstance(handler, cls) for handler in logger.handlers):
            logger.addHandler(cls())

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one record on."""
        logging.getLogger(SERVE).handle(record)
