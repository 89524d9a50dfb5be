"""The console's routers, one module for each domain."""

from __future__ import annotations

from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """All pages, in the order they are looked up."""
    return []
