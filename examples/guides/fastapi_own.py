import os

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse

from middlewares import (
    CompressionMiddleware,
    CORSMiddleware,
    RequestIDMiddleware,
    ServerErrorMiddleware,
    SessionMiddleware,
)

app = FastAPI()

# The one that is added last stands outermost.
app.add_middleware(SessionMiddleware, secret_key=os.environ["SESSION_KEY"])
app.add_middleware(CompressionMiddleware)
app.add_middleware(ServerErrorMiddleware)
app.add_middleware(CORSMiddleware, allow_origins=["https://app.example"], allow_credentials=True)
app.add_middleware(RequestIDMiddleware)


@app.get("/", response_class=PlainTextResponse)
async def menu(request: Request):
    return f"Request {request.state.request_id}\n" + "A cup of tea\n" * 100


@app.get("/visits")
async def visits(request: Request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return request.session["visits"]


@app.get("/boom")
async def boom():
    raise RuntimeError("for the log alone")
