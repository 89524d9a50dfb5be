"""A small real world to try missions in: a CRM table, a calendar, a mail folder, an inbox."""

from aicp.toolkits.sandbox.create import create
from aicp.toolkits.sandbox.state import state_hash

__all__ = ["create", "state_hash"]
