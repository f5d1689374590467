import json
from http.cookies import SimpleCookie

ORDERS = {}  # name -> what was ordered


def app(environ, start_response):
    headers = [("Content-Type", "application/json"), ("Access-Control-Allow-Origin", "*")]
    cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("user")
    if environ["PATH_INFO"] == "/login":
        start_response("200 OK", [*headers, ("Set-Cookie", "user=ada; SameSite=None; Secure; Partitioned")])
        return [b'{"user": "ada"}\n']
    if environ["PATH_INFO"] != "/orders":
        start_response("404 Not Found", headers)
        return [b'{"error": "not found"}\n']
    if cookie is None:
        start_response("401 Unauthorized", headers)
        return [b'{"error": "who are you?"}\n']
    orders = ORDERS.setdefault(cookie.value, [])
    if environ["REQUEST_METHOD"] == "PUT":
        size = int(environ.get("CONTENT_LENGTH") or 0)
        orders.append(json.loads(environ["wsgi.input"].read(size)))
    answer = {"user": cookie.value, "orders": orders, "request_id": environ.get("HTTP_X_REQUEST_ID")}
    start_response("200 OK", headers)
    return [json.dumps(answer).encode() + b"\n"]
