import os

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from middlewares import wrap

api = FastAPI()


@api.get("/", response_class=PlainTextResponse)
async def menu(request: Request):
    return f"Request {request.state.request_id}\n" + "A cup of tea\n" * 100


@api.get("/visits")
async def visits(request: Request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return request.session["visits"]


@api.get("/boom")
async def boom():
    raise RuntimeError("for the log alone")


@api.exception_handler(Exception)
async def raise_on(request, exc):
    raise exc  # FastAPI would answer it in plain text; server_errors does it better


app = wrap(
    api,
    request_id=True,
    cors={"allow_origins": ["https://app.example"], "allow_credentials": True},
    server_errors=True,
    compression=True,
    sessions={"secret_key": os.environ["SESSION_KEY"]},
)
