"""`/`: the web page, one file that loads nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import re

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from ragstead_serving.openapi import described, errors
from ragstead_serving.responses import ServiceRoute


def page_router() -> APIRouter:
    """Return the route `/`."""
    router = APIRouter(route_class=ServiceRoute, tags=["operations"])
    html = importlib.resources.files("ragstead_gateway").joinpath("page.html").read_text("utf-8")
    headers = {
        "Content-Security-Policy": content_security_policy(html),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }

    @router.get("/", response_class=HTMLResponse, responses=errors() | described("The web page.", "text/html"))
    async def page() -> HTMLResponse:
        """Show the web page."""
        return HTMLResponse(html, headers=headers)

    return router


def content_security_policy(html: str) -> str:
    """Return a policy under which the page's own script and style run, by their hashes, and nothing else does."""
    scripts, styles = (_hashes(html, tag) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(html: str, tag: str) -> str:
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
