"""A small OpenID Connect provider that lets in whom the test says, without asking: what `st.login` talks to."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT = "maner"


@dataclass
class IdentityProvider:
    """`subject` and `name` are who comes back from here."""

    url: str = ""
    subject: str = "17"
    name: str = "Juma Mwangi"
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"}))
    nonces: dict[str, str] = field(default_factory=dict)

    def secrets(self, app_url: str) -> str:
        """The secrets.toml of an app at `app_url` that trusts this provider."""
        return (
            f'[auth]\nredirect_uri = "{app_url}/oauth2callback"\ncookie_secret = "of the tests"\nclient_id = "{CLIENT}"\n'
            f'client_secret = "s"\nserver_metadata_url = "{self.url}/.well-known/openid-configuration"\n'
        )

    async def metadata(self, _: Request) -> Response:
        """Where everything is."""
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def authorize(self, request: Request) -> Response:
        """Nobody is asked: straight back with a code."""
        query = request.query_params
        code = f"code-{len(self.nonces)}"
        self.nonces[code] = query.get("nonce", "")
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}", 302)

    async def token(self, request: Request) -> Response:
        """Who it was, signed."""
        [code] = parse_qs((await request.body()).decode())["code"]
        at = int(time.time())
        claims = {
            "iss": self.url, "sub": self.subject, "aud": CLIENT, "iat": at, "exp": at + 300,
            "nonce": self.nonces[code], "name": self.name,
        }  # fmt: skip
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.key)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": signed})

    async def keys(self, _: Request) -> Response:
        """What the signature is checked with."""
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})


@contextmanager
def running() -> Iterator[IdentityProvider]:
    """A provider on a free port, until the end."""
    provider = IdentityProvider()
    routes = [
        Route("/.well-known/openid-configuration", provider.metadata),
        Route("/authorize", provider.authorize),
        Route("/token", provider.token, methods=["POST"]),
        Route("/keys", provider.keys),
    ]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)  # for a thread, not for a page: there is nothing to wait on
    provider.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield provider
    server.should_exit = True
    thread.join(10)
