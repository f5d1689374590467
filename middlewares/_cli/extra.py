"""What the command says where its extra is missing."""

NEEDED = "the command needs the extra `serve`: pip install 'asgi-middlewares[serve]'"
