from fastapi import FastAPI

from middlewares import wrap

app = FastAPI()


@app.get("/teas")
async def teas():
    return [{"id": number, "name": f"Tea No. {number}"} for number in range(1000)]


app = wrap(
    app,
    request_id=True,
    timing=True,
    cors={"allow_origins": ["https://app.example"]},
    server_errors=True,
    compression=True,
)
