"""Where the lines go that this product logs within a replica."""

import logging


class ToServe(logging.Handler):
    """Hands records to Serve's logger: JSON, with request id, deployment and replica.

    For the rooms that know no Ray: Serve sets up its own logger only, and what others log ends
    as bare text in the worker's file.
    """

    @classmethod
    def attach(cls) -> None:
        """Let this process's `app` loggers hand their records on, once."""
        logger = logging.getLogger("app")
        if not any(isinstance(handler, cls) for handler in logger.handlers):
            logger.addHandler(cls())

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one record on."""
        logging.getLogger("ray.serve").handle(record)
