"""Class name -> room. The one table that exports, `Stack`, `wrap`, the command and the docs read."""

ROOMS = {
    "RequestIDMiddleware": "request_id",
    "TimingMiddleware": "timing",
    "CORSMiddleware": "cors",
    "ServerErrorMiddleware": "server_errors",
    "CompressionMiddleware": "compression",
    "DecompressionMiddleware": "compression",
    "SessionMiddleware": "sessions",
}
