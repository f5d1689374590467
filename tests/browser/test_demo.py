"""The demo, clicked through in a browser: what each panel shows, and that the browser finds nothing to complain about."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from ..conftest import require

pytestmark = pytest.mark.servers

HEX_ID = "[0-9a-f]{32}"
# What the browser itself writes of answers that the panels ask for: errors, and what CORS refuses.
EXPECTED = re.compile(
    r"Failed to load resource: (the server responded with a status of (400|413|500) |net::ERR_FAILED)"
    r"|Access to fetch at 'http://localhost:\d+/demo/\w+' from origin 'http://127\.0\.0\.1:\d+' has been blocked by CORS"
    r"|WebSocket connection to 'ws://localhost:\d+/demo/closed/socket' failed: .* 403"
)


class Demo:
    """The page, and its panels."""

    def __init__(self, page, url):
        self.page = page
        self.expect = require("playwright.sync_api").expect
        page.goto(url)

    def press(self, name):
        """Press the button of this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def verdict(self, where, text):
        """The sentence of a panel, once it says this."""
        pattern = re.compile(text)
        found = self.page.locator(
            f"#{where}-verdict" if where in {"delta", "socket"} else f"#{where} .verdict >> nth=0"
        )
        self.expect(found).to_have_text(pattern)
        return pattern.search(found.inner_text())

    def fact(self, where, name):
        """What stands beside this name."""
        return (
            self.page.locator(f"#{where} dt", has_text=re.compile(f"^{name}$"))
            .locator("xpath=following-sibling::dd[1]")
            .inner_text()
        )

    def rows(self, where):
        """The cells of the table in a panel."""
        rows = self.page.locator(f"#{where} tbody tr").all()
        return [[cell.inner_text() for cell in row.locator("td").all()] for row in rows]


@pytest.fixture
def demo(page, demo_server):
    """The page, which must not give the browser a reason to complain but for what its panels are about."""
    complaints = []
    page.on("console", lambda message: EXPECTED.match(message.text) or complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield Demo(page, demo_server.url)
    assert complaints == []


def test_opens(demo):
    """Nothing has been asked yet; the commands for a terminal are at the end, and both origins at the top."""
    assert {text.inner_text() for text in demo.page.locator(".verdict").all()} == {"Nothing sent yet."}
    assert "curl -i localhost:" in demo.page.inner_text("pre.curls")
    demo.expect(demo.page.locator("#origins")).to_contain_text("the second origin is http://localhost:")


def test_request_id(demo):
    """The id is one in all places; a safe one of the visitor is adopted, another one is not."""
    demo.press("Send a request")
    demo.verdict("request-id", "^One id in the header, in the application and in both lines of the log")
    request_id = re.fullmatch(f"X-Request-ID: ({HEX_ID})", demo.fact("request-id", "response header"))[1]
    assert demo.fact("request-id", "application") == f'scope["state"]["request_id"] = "{request_id}"'
    said, access = demo.fact("request-id", "log of the server").splitlines()
    assert said == f"INFO [{request_id}] middlewares.demo: the application says hello"
    assert f" request_id={request_id} " in access
    assert demo.page.locator("#request-id mark").count() == 5
    demo.page.get_by_label("An id of your own").fill("order-8")
    demo.press("Send with this id")
    demo.verdict("request-id", "^Your id was adopted")
    assert demo.fact("request-id", "response header") == "X-Request-ID: order-8"
    demo.page.get_by_label("An id of your own").fill("茶")
    demo.press("Send with this id")
    demo.verdict("request-id", "^It did not work: .*ISO-8859-1")  # no browser sends such a header
    demo.press("Send one with an unsafe id")
    demo.verdict("request-id", "^Your id was refused")
    assert re.fullmatch(f"X-Request-ID: {HEX_ID}", demo.fact("request-id", "response header"))


def test_timing(demo):
    """Three requests are three rows with the durations of the header, whose bars lie within each other."""
    demo.press("Three at once")
    told = demo.verdict(
        "timing", r"took (\d+), (\d+), (\d+) ms, of them (\d+), (\d+), (\d+) ms for “SELECT name FROM teas”"
    )
    app, db = [int(text) for text in told.groups()[:3]], [int(text) for text in told.groups()[3:]]
    # timers of uvloop may be up to 1 ms early (uvloop #739)
    assert all(whole >= part >= 12 - 1 for whole, part in zip(app, db, strict=True))
    rows = demo.page.locator("#timing .waterfall li", has_text="/demo/menu")
    demo.expect(rows).to_have_count(3)
    for row in rows.all():
        assert re.search(r"app.[\d.]+ · db.[\d.]+ · cache.[\d.]+ · template.[\d.]+.ms", row.inner_text())
        browser, inside, *spans = [bar.bounding_box() for bar in row.locator("i").all()]
        assert len(spans) == 3
        # Drawn is what was measured on either side, in hundredths of pixels and tenths of milliseconds.
        assert browser["x"] <= inside["x"]
        assert sum(span["width"] for span in spans) <= inside["width"] + 8


@pytest.mark.parametrize(
    ("method", "path", "header", "cookies", "why"),
    [
        ("GET", "/demo/open", False, False, None),
        ("PUT", "/demo/open", False, False, None),
        ("DELETE", "/demo/open", False, False, "method DELETE is not in allow_methods"),
        ("GET", "/demo/open", True, False, "header x-tea is not in allow_headers"),
        ("GET", "/demo/open", False, True, "credentials are not allowed: allow_credentials is False"),
        ("GET", "/demo/closed", False, False, r"origin 'http://127\.0\.0\.1:\d+' is not allowed"),
    ],
)
def test_cors(demo, method, path, header, cookies, why):
    """The fetch is allowed or refused, for the reason that the server names, and as the browser's algorithm foretells."""
    page = demo.page
    page.get_by_label("Method").select_option(method)
    page.get_by_label("Path").select_option(path)
    page.get_by_label("header X-Tea").set_checked(header)
    page.get_by_label("cookies").set_checked(cookies)
    demo.press("Fetch")
    demo.verdict("cors", f"^Refused by the browser: {why}" if why else "^Allowed: the page has read the answer")
    assert demo.fact("cors", "server's forecast") == ("refused, as it was" if why else "allowed, as it was")
    assert page.locator("#cors dt", has_text=re.compile("^preflight$")).count() == (method != "GET" or header)
    if why:
        assert demo.fact("cors", "what the page sees") == "TypeError: Failed to fetch"
    else:
        assert re.fullmatch(f"X-Request-ID: {HEX_ID}", demo.fact("cors", "exposed header"))
        assert "< access-control-allow-origin: http://127.0.0.1:" in demo.fact("cors", "fetch")


def test_server_errors(demo):
    """The page reads the 500 of the other origin and finds its exception in the log; without the layer, it has nothing."""
    demo.press("Fail behind the layer")
    demo.verdict("server-errors", "^The page has read the 500")
    request_id = re.search(HEX_ID, demo.fact("server-errors", "body"))[0]
    assert (
        f"ERROR [{request_id}] uvicorn.error: Exception in ASGI application | RuntimeError: the kettle is empty"
        in demo.fact("server-errors", "log of the server")
    )
    demo.press("Fail without it")
    demo.verdict("server-errors", "^The page has read nothing")
    assert demo.fact("server-errors", "what the page sees") == "TypeError: Failed to fetch"


def test_compression(demo):
    """Each coding is decoded to the same document, in fewer bytes than plain."""
    demo.press("Fetch it in each coding")
    demo.verdict("compression", r"^Each decodes to the same [\d,]+ B\. The smallest is \w+: 9\d % less")
    rows = demo.rows("compression")
    assert [(row[0], row[3]) for row in rows] == [(name, "equal") for name in ("identity", "gzip", "br", "zstd")]
    plain, *coded = [int(re.sub(r"\D", "", row[2])) for row in rows]
    assert all(size < plain / 5 for size in coded)


def test_delta(demo):
    """A version comes as what has changed, once the browser keeps one as a dictionary, which it does in its own time."""
    for _ in range(20):
        demo.press("Fetch the next version")
        found = demo.verdict("delta", "^(A whole version|Only what has changed: ([0-9,]+) B in place of ([0-9,]+) B)")
        if found[2]:
            break
        demo.page.wait_for_timeout(200)
    delta, whole = (int(text.replace(",", "")) for text in found.groups()[1:])
    assert delta < 500
    assert whole > 30_000


def test_decompression(demo):
    """The application sees the plain body of an upload; the damaged one and the bomb are refused with a reason."""
    demo.press("Upload in gzip")
    demo.verdict("decompression", "^The application has read the plain body")
    assert demo.fact("decompression", "application has read").startswith('5,891 B: [{"tea":0}')
    assert demo.fact("decompression", "coding it sees") == "none"
    demo.press("Upload what is no gzip")
    demo.verdict("decompression", "^Refused: The request body is not valid gzip")
    demo.press("Upload a bomb")
    demo.verdict("decompression", "^Refused: The request body decodes to more than 1000000 bytes")
    assert demo.fact("decompression", "status") == "413"


def test_sessions(demo):
    """What becomes of the session, its id and the cookie, from the first count to the logout."""
    visits = []
    for name, verdict in [
        ("Look", "the count is 0, and there is no session"),
        ("Count", "the count is 1, and the session is"),
        ("Look", "the count is 1, and the id is the same"),
        ("Log in as Ada", "You are ada, the count is 1, and the id has changed"),
        ("Take a new id", "You are ada, the count is 1, and the id has changed"),
        ("Log out", "the count is 0, and there is no session"),
    ]:
        demo.press(name)
        demo.expect(demo.page.locator("#sessions tbody tr")).to_have_count(len(visits) + 1)
        demo.verdict("sessions", verdict)
        visits.append(demo.rows("sessions")[0])
    assert [visit[3] for visit in visits] == ["none", "set", "none", "set", "set", "removed"]
    ids = [visit[2].split(" ")[0] for visit in visits]
    assert ids[1] == ids[2]
    assert len({*ids}) == 4  # none, and three
    assert [cookie["name"] for cookie in demo.page.context.cookies()] == []


def test_events(demo):
    """The events arrive one by one, in a coding."""
    demo.press("Listen to events")
    demo.verdict("streams", r"^5 events in (zstd|br|gzip), one by one: the last came \d+ ms after the first")
    assert [row[0][:5] for row in demo.rows("streams")] == [f"cup {number}" for number in range(1, 6)]


def test_socket(demo):
    """The echo counts in the session of the page, knows its user, and a page of a foreign origin gets none."""
    demo.press("Log in as Ada")
    demo.verdict("sessions", "^You are ada")
    demo.press("Send")
    demo.verdict("socket", "^The echo: “Tea, please”, message 1 of your session")
    demo.page.get_by_label("Message").fill("More")
    demo.press("Send")
    demo.verdict("socket", "^The echo: “More”, message 2 of your session")
    assert demo.rows("socket-details")[0] == ["More", "ada", "2"]
    demo.press("Open one that is refused")
    demo.verdict("socket", "^Refused, as it should be")
    assert re.fullmatch(
        r"origin 'http://127\.0\.0\.1:\d+' is not allowed, at /demo/closed/socket", demo.fact("socket-details", "why")
    )


def test_keyboard(demo):
    """The page works without a mouse: Tab gets to each control in order and shows where it is, Enter and Space press."""
    page = demo.page
    keyboard = page.keyboard
    keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the panels"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    keyboard.press("Enter")
    keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.action") == "hello"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    keyboard.press("Enter")
    demo.verdict("request-id", "^One id in the header")
    assert page.evaluate("document.activeElement.dataset.action") == "hello"
    for _ in range(2):
        keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "id"
    keyboard.press("Control+A")
    keyboard.type("order-9")
    keyboard.press("Enter")
    demo.verdict("request-id", "^Your id was adopted")
    assert demo.fact("request-id", "response header") == "X-Request-ID: order-9"
    keyboard.press("Shift+Tab")
    keyboard.press("Space")
    demo.verdict("request-id", "^Your id was refused")


def test_names_and_live_results(demo):
    """Each control has a name, each result is told to screen readers, and headings leave no level out."""
    page = demo.page
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select')].filter(c => !c.textContent.trim() && !c.labels.length).length"
    )
    assert nameless == 0
    assert page.locator(".verdict").count() == page.locator(".verdict[role=status]").count() == 10
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(heading => +heading.tagName[1])")
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")], ids=str)
def test_looks(browser, demo_server, tmp_path, width, scheme):
    """Nothing is wider than the window, text has the contrast that WCAG 2.2 1.4.3 asks for, and nothing moves unasked."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(30_000)
    demo = Demo(context.new_page(), demo_server.url)
    demo.press("Run every panel")
    demo.expect(demo.page.locator("#progress")).to_contain_text("Done", timeout=60_000)
    picture = tmp_path / f"demo-{width}-{scheme}.png"
    demo.page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 50_000
    assert demo.page.evaluate("document.documentElement.scrollWidth") == width
    kinds = demo.page.evaluate(
        "[...document.querySelectorAll('.verdict')].map(verdict => [verdict.id, verdict.dataset.kind])"
    )
    assert [kind for name, kind in kinds if name != "delta-verdict"] == ["good"] * 9  # that one takes its time
    assert demo.page.evaluate(CONTRASTS) == []
    assert demo.page.evaluate("document.getAnimations().length") == 0
    context.close()


# Each text whose colour is less than 4.5 : 1 against the background behind it (WCAG 2.2, relative luminance).
CONTRASTS = """() => {
    const parts = colour => (colour.match(/[\\d.]+/g) ?? []).map(Number);
    const light = ([red, green, blue]) => {
        const [r, g, b] = [red, green, blue].map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = parts(getComputedStyle(e).backgroundColor);
            if (colour[3] !== 0) return colour;
        }
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const poor = [];
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (!node.data.trim()) continue;
        const element = node.parentElement;
        const [a, b] = [light(parts(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < 4.5) poor.push([node.data.trim(), (a + 0.05) / (b + 0.05)]);
    }
    return poor;
}"""
