"""A stand-in for the real app, around fake_server.py: POST /control sets its switches, GET /control tells what it got."""

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from browser.fake_server import FAKE


async def sync(request: Request) -> Response:
    """POST /api/sync."""
    if not FAKE.route:
        return PlainTextResponse("Method Not Allowed", status_code=405)
    if FAKE.fail:
        words = {"error": "as told"}
        return JSONResponse(words, FAKE.fail) if FAKE.words else PlainTextResponse("<html>", FAKE.fail)
    body = await request.json()
    if FAKE.poison and any(annotation["comment"] == FAKE.poison for annotation in body["outbox"]):
        return JSONResponse({"error": "outbox[0].comment must be something else"}, status_code=400)
    return JSONResponse(FAKE.sync(body))


async def control(request: Request) -> Response:
    """POST /control sets switches, GET /control tells what came."""
    if request.method == "POST":
        FAKE.set(await request.json())
    return JSONResponse({"saved": list(FAKE.saved.values())})


app = st.App(
    str(Path(__file__).with_name("fake_page.py")),
    routes=[Route("/api/sync", sync, methods=["POST"]), Route("/control", control, methods=["GET", "POST"])],
)
