"""JSON logs with the playbook's fields (OB-2); redaction is one processor and cannot be skipped."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from aicp.telemetry.redaction import redact

FIELDS = ("bd_issue", "tenantId", "mission_id", "correlation_id", "event", "toolkit", "message")
log: structlog.stdlib.BoundLogger = structlog.get_logger("aicp")


def configure(service: str, *, env: str, level: str, file: Path | None = None) -> None:
    """Send every log line of this process, foreign libraries included, as JSON to a stream.

    Args:
        service: "server", "worker" or "cli".
        file: append here instead of standard error.
    """
    stream: TextIO = file.open("a", encoding="utf-8") if file else sys.stderr

    def shape(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        known = {name: event.pop(name, None) for name in FIELDS}
        context = event.pop("context", {}) | {
            k: v for k, v in event.items() if not k.startswith("_")
        }
        stamp, severity = context.pop("timestamp", None), context.pop("level", method)
        return {
            "timestamp": stamp, "level": str(severity).upper(), "service": service, "env": env,
            **known, "context": context,
        }  # fmt: skip

    def scrub(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return redact(event)

    def render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        try:
            return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except TypeError:  # half characters and numbers beyond 64 bits: the line is written still
            return json.dumps(event, default=str, skipkeys=True)

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                shape,
                scrub,
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in (
        "httpx",
        "httpcore",
        "asyncio",
        "procrastinate",
        "google_adk",
        "psycopg.pool",
        "mail.log",
    ):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
