"""A stand-in for the real app, around fake_server.py: `streamlit run` it with MANER_SCENARIO naming a JSON file.

The file holds {labels, sentences, status?}. POST /control {"fail": 401, "refuse": "why", ...} changes how it answers,
GET /control tells what it has got.
"""

import os
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from browser.fake_server import FAKE


async def sync(request: Request) -> Response:
    """POST /api/sync."""
    FAKE.requests += 1
    if FAKE.fail:
        return JSONResponse({"error": "as told"}, status_code=FAKE.fail)
    body = await request.json()
    if FAKE.poison and any(annotation["comment"] == FAKE.poison for annotation in body["outbox"]):
        return JSONResponse({"error": "outbox[0].comment must be something else"}, status_code=400)
    return JSONResponse(FAKE.sync(body))


async def control(request: Request) -> Response:
    """POST /control sets the switches, GET /control tells what came."""
    if request.method == "POST":
        vars(FAKE).update(await request.json())
    return JSONResponse({"saved": list(FAKE.saved.values()), "requests": FAKE.requests})


async def missing(_request: Request) -> Response:
    """What a host without our routes answers."""
    return PlainTextResponse("no such page", status_code=405)


routed = os.environ.get("MANER_NO_ROUTE") is None
app = st.App(
    str(Path(__file__).with_name("fake_page.py")),
    routes=[
        Route("/api/sync", sync if routed else missing, methods=["POST"]),
        Route("/control", control, methods=["GET", "POST"]),
    ],
)
