"""The console's routers, one module for each domain."""

from __future__ import annotations

from fastapi import APIRouter

from aicp.console import actions, assets, errors, home, issues, missions, session


def routers() -> list[APIRouter]:
    """All pages, in the order they are looked up; the last one answers for every other address."""
    return [
        assets.router,
        session.router,
        home.router,
        missions.router,
        actions.router,
        issues.router,
        errors.router,
    ]
