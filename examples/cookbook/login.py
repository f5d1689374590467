"""Login and logout: a new session id for new rights."""

import hmac
import secrets

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from middlewares import SessionMiddleware
from middlewares.sessions import MemoryStore

PASSWORDS = {"ada": "lovelace"}  # for the recipe: real ones are hashed, by argon2 or scrypt


async def login(request):
    form = await request.json()
    if not hmac.compare_digest(PASSWORDS.get(form["user"], ""), form["password"]):
        return JSONResponse({"error": "wrong"}, status_code=403)
    request.session.regenerate()  # whoever knew the id of before, or planted it, has nothing
    request.session["user"] = form["user"]
    if form.get("remember"):
        request.session.max_age = 30 * 24 * 3600  # for this session alone
    return JSONResponse({"user": form["user"]})


async def me(request):
    return JSONResponse({"user": request.session.get("user")})


async def logout(request):
    request.session.invalidate()
    return JSONResponse({"user": None})


app = SessionMiddleware(
    Starlette(
        routes=[
            Route("/login", login, methods=["POST"]),
            Route("/me", me),
            Route("/logout", logout, methods=["POST"]),
        ]
    ),
    secret_key=secrets.token_urlsafe(32),  # in production from the environment, the same for all workers
    store=MemoryStore(),  # in production one that all workers share
    session_cookie="__Host-session",
    https_only=True,
    idle_timeout=3600,
)
