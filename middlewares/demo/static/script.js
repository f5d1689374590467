// The page. No dependency and no build: what stands here is what runs.

const NAMES = { localhost: "127.0.0.1", "127.0.0.1": "localhost" };
const there = location.hostname in NAMES ? location.origin.replace(location.hostname, NAMES[location.hostname]) : null;
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
const bytes = count => `${count.toLocaleString("en")} B`;
let requests = 0; // makes each URL a new one, so that its entry in the browser's timeline is found

// ---- elements

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Custom properties are set on the object: the policy forbids the attribute `style`, not this.
function measured(made, properties) {
  for (const [name, value] of Object.entries(properties)) made.style.setProperty(name, value);
  return made;
}

const code = text => element("code", {}, text);
const lines = texts => element("pre", {}, texts.join("\n"));

// The text with each place of the id marked.
function marked(made, id) {
  const parts = made.textContent.split(id);
  made.replaceChildren(...parts.flatMap((part, index) => (index ? [element("mark", {}, id), part] : [part])));
  return made;
}

function facts(pairs) {
  const rows = pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  return element("dl", { class: "facts" }, ...rows);
}

function table(caption, heads, rows) {
  const cells = (tag, texts) =>
    texts.map((text, index) => {
      const kind = heads[index].kind ?? "";
      return element(tag, tag === "th" ? { scope: "col", class: kind } : { class: kind }, text);
    });
  const head = element("thead", {}, element("tr", {}, ...cells("th", heads.map(column => column.name))));
  const body = element("tbody", {}, ...rows.map(row => element("tr", {}, ...cells("td", row))));
  return element("table", { "aria-label": caption }, head, body);
}

const bar = share => element("div", { class: "bar", "aria-hidden": "true" }, measured(element("i"), { "--share": share }));

// One sentence is told to screen readers, and the rest stands below it.
function show(where, kind, sentence, ...details) {
  const id = where.startsWith("#") ? where : null;
  const verdict = id ? document.querySelector(`${id}-verdict`) : document.querySelector(`#${where} .verdict`);
  if (kind) verdict.dataset.kind = kind;
  else delete verdict.dataset.kind;
  verdict.textContent = sentence;
  const box = id ? document.querySelector(`${id}-details`) : document.querySelector(`#${where} .details`);
  box.replaceChildren(...details);
}

// ---- requests

const own = (path, options) => fetch(path, { cache: "no-store", ...options });

async function logOf(id, count) {
  for (let attempt = 0; ; attempt++) {
    const found = await (await own(`/demo/log?${new URLSearchParams({ id })}`)).json();
    if (found.length >= count || attempt === 20) return found;
    await pause(50); // a request is logged when it is over, which its answer does not wait for
  }
}

async function entryOf(url) {
  for (let attempt = 0; attempt < 40; attempt++) {
    const entry = performance.getEntriesByName(new URL(url, location.href).href).at(-1);
    if (entry) return entry;
    await pause(25);
  }
  throw new Error(`the browser has no timing of ${url}`);
}

function secondOrigin(panel) {
  if (there) return true;
  show(panel, "bad", `This panel needs a second origin: open the page as http://localhost:${location.port || 80}/.`);
  return false;
}

// ---- request ids

async function sendWithId(id) {
  const before = id ? (await logOf(id, 0)).length : 0;
  const response = await own("/demo/hello", { headers: id ? { "X-Request-ID": id } : {} });
  const given = response.headers.get("x-request-id");
  const seen = await response.json();
  const logged = (await logOf(given, (given === id ? before : 0) + 2)).slice(-2);
  const same = seen.request_id === given && logged.length === 2;
  const sentence = !id
    ? "One id in the header, in the application and in both lines of the log."
    : given === id
      ? "Your id was adopted: it is in the header, in the application and in both lines of the log."
      : "Your id was refused, as it is not safe in a log or a page. The request got a new one.";
  show("request-id", same ? "good" : "bad", sentence, facts([
    ...(id ? [["sent", code(`X-Request-ID: ${id}`)]] : []),
    ["response header", marked(code(`X-Request-ID: ${given}`), given)],
    ["application", marked(code(`scope["state"]["request_id"] = "${seen.request_id}"`), given)],
    ["log of the server", marked(lines(logged), given)],
    ["trace of the request", code(seen.trace)],
  ]));
}

// ---- timing

const timeline = [];
performance.setResourceTimingBufferSize(5000);
new PerformanceObserver(list => {
  // The log is asked for by the panels themselves, and beside a stream of 1.5 s all else would be too short to see.
  const told = list.getEntries().filter(entry =>
    entry.serverTiming.some(metric => metric.name === "app") && !/\/demo\/(log|events)\b/.test(entry.name));
  timeline.unshift(...told.reverse());
  timeline.splice(8);
  drawTimeline();
}).observe({ type: "resource", buffered: true });

function drawTimeline() {
  const longest = Math.max(...timeline.map(entry => entry.duration), 1);
  const lane = (kind, from, length) =>
    measured(element("i", { class: kind }), { "--from": from / longest, "--share": Math.min(length, longest - from) / longest });
  const items = timeline.map(entry => {
    const [app] = entry.serverTiming.filter(metric => metric.name === "app");
    const spans = entry.serverTiming.filter(metric => metric !== app);
    const begin = Math.max(entry.requestStart - entry.startTime, 0);
    let from = begin;
    const bars = [lane("browser", 0, entry.duration), lane("app", begin, app.duration)];
    spans.forEach((metric, index) => {
      bars.push(lane(`span-${(index % 3) + 1}`, from, metric.duration));
      from += metric.duration;
    });
    const told = [app, ...spans].map(metric => `${metric.name}\u00a0${metric.duration.toFixed(1)}`).join(" · ");
    const label = element("p", {}, code(new URL(entry.name).pathname), element("span", {}, `${told}\u00a0ms`));
    return element("li", {}, label, element("div", { class: "lane", "aria-hidden": "true" }, ...bars));
  });
  document.querySelector("#timing .legend").hidden = !items.length;
  const list = element("ol", { class: "waterfall", "aria-label": "The last requests, the newest first" }, ...items);
  document.querySelector("#timing .details").replaceChildren(list);
}

async function askForMenus(count) {
  const urls = Array.from({ length: count }, () => `/demo/menu?n=${++requests}`);
  await Promise.all(urls.map(async url => (await own(url)).json()));
  const entries = await Promise.all(urls.map(entryOf));
  const all = index => entries.map(entry => entry.serverTiming[index].duration.toFixed(0)).join(", ");
  const verdict = document.querySelector("#timing .verdict");
  verdict.dataset.kind = "good";
  verdict.textContent = `The application took ${all(0)} ms, of them ${all(1)} ms for “${entries[0].serverTiming[1].description}”.`;
}

// ---- cors

async function crossOriginFetch(form) {
  if (!secondOrigin("cors")) return;
  const { method, path, header, credentials } = Object.fromEntries(new FormData(form));
  const options = { method, headers: header ? { "X-Tea": "1" } : {}, credentials: credentials ? "include" : "same-origin" };
  let outcome;
  try {
    const response = await own(there + path, options);
    outcome = { allowed: true, id: response.headers.get("x-request-id"), text: await response.text() };
  } catch (error) {
    outcome = { allowed: false, text: String(error) };
  }
  const query = new URLSearchParams({ origin: location.origin, method, path });
  if (header) query.append("header", "X-Tea");
  if (credentials) query.append("credentials", "1");
  const told = await (await own(`/demo/explain?${query}`)).json();
  const why = told.configuration.join("; ") || told.reason;
  show("cors", outcome.allowed ? "good" : "bad",
    outcome.allowed ? "Allowed: the page has read the answer, and the id beside it." : `Refused by the browser: ${why}.`,
    facts([
      ["request", code(`${method} ${there}${path}`)],
      ["what the page sees", code(outcome.text)],
      ...(outcome.id ? [["exposed header", code(`X-Request-ID: ${outcome.id}`)]] : []),
      ...(told.allowed ? [] : [["rule of the browser", told.reason]]),
      ["server's forecast", `${told.allowed ? "allowed" : "refused"}, ${told.allowed === outcome.allowed ? "as it was" : "unlike what happened"}`],
      ...told.exchanges.map(exchange => [
        exchange.request[0].startsWith("OPTIONS") ? "preflight" : "fetch",
        lines([...exchange.request.map(line => `> ${line}`), ...exchange.response.map(line => `< ${line}`)]),
      ]),
    ]));
}

// ---- server errors

async function fail(path) {
  if (!secondOrigin("server-errors")) return;
  try {
    const response = await own(there + path, { headers: { Accept: "application/json" } });
    const problem = await response.json();
    const logged = await logOf(problem.request_id, 2);
    show("server-errors", "good", `The page has read the ${response.status}, and can name the request.`, facts([
      ["status", code(String(response.status))],
      ["content type", code(response.headers.get("content-type"))],
      ["body", marked(lines([JSON.stringify(problem, null, 2)]), problem.request_id)],
      ["log of the server", marked(lines(logged), problem.request_id)],
    ]));
  } catch (error) {
    show("server-errors", "bad", "The page has read nothing: it cannot tell this from a broken network.", facts([
      ["what the page sees", code(String(error))],
    ]));
  }
}

// ---- compression

async function fetchCodings() {
  const rows = [];
  let plain;
  for (const coding of ["identity", "gzip", "br", "zstd"]) {
    const url = `/demo/document?coding=${coding}&n=${++requests}`;
    const response = await own(url);
    const text = await response.text();
    const entry = await entryOf(url);
    const used = response.headers.get("content-encoding") ?? "identity";
    plain ??= text;
    rows.push({ coding, used, size: entry.encodedBodySize, decoded: entry.decodedBodySize, equal: text === plain });
  }
  const [whole] = rows;
  const offered = rows.filter(row => row.used === row.coding);
  const best = offered.reduce((least, row) => (row.size < least.size ? row : least));
  const equal = rows.every(row => row.equal && row.decoded === whole.size);
  const saved = Math.round((1 - best.size / whole.size) * 100);
  show("compression", equal ? "good" : "bad",
    `Each decodes to the same ${bytes(whole.size)}. The smallest is ${best.coding}: ${saved} % less.`,
    table("Sizes in each coding", [
      { name: "coding" }, { name: "size", kind: "wide" }, { name: "on the wire", kind: "number" },
      { name: "decoded", kind: "number" },
    ], rows.map(row => [
      code(row.coding),
      row.used === row.coding ? bar(row.size / whole.size) : "not offered by this browser",
      bytes(row.size),
      row.equal ? "equal" : "different",
    ])));
}

const versions = [];

async function fetchVersion() {
  const url = `/demo/versions/${Date.now()}`;
  const response = await fetch(url); // with the cache, where dictionaries are kept
  const count = (await response.json()).length;
  const entry = await entryOf(url);
  const coding = response.headers.get("content-encoding") ?? "identity";
  versions.unshift({ coding, size: entry.encodedBodySize, decoded: entry.decodedBodySize });
  versions.splice(6);
  const whole = Math.max(...versions.map(version => version.size));
  show("#delta", coding === "dcz" ? "good" : "",
    coding === "dcz"
      ? `Only what has changed: ${bytes(entry.encodedBodySize)} in place of ${bytes(entry.decodedBodySize)}.`
      : `A whole version, ${count} teas in ${coding}. If this browser keeps it as a dictionary, the next one is a delta.`,
    table("Versions, the newest first", [
      { name: "coding" }, { name: "size", kind: "wide" }, { name: "on the wire", kind: "number" },
      { name: "decoded", kind: "number" },
    ], versions.map(version => [code(version.coding), bar(version.size / whole), bytes(version.size), bytes(version.decoded)])));
}

// ---- decompression

const inGzip = async content =>
  new Response(new Blob([content]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();

async function upload(body, what) {
  const response = await own("/demo/orders", { method: "POST", body, headers: { "Content-Encoding": "gzip" } });
  const answer = await response.json();
  const sent = ["sent", `${bytes(body.byteLength)}, ${what}`];
  const status = ["status", code(String(response.status))];
  if (response.ok)
    show("decompression", "good", "The application has read the plain body.", facts([
      sent, status,
      ["application has read", `${bytes(answer.size)}: ${answer.begins}…`],
      ["coding it sees", answer.content_encoding.join() || "none"],
    ]));
  else show("decompression", "bad", `Refused: ${answer.detail}`, facts([sent, status, ["body", lines([JSON.stringify(answer, null, 2)])]]));
}

// ---- sessions

const visits = [];
const fingerprints = { last: undefined };

async function visit(method, action, label) {
  const response = await own(`/demo/${action}`, { method });
  const { user, count, id } = await response.json();
  const cookie = response.headers.get("demo-set-cookie");
  const before = fingerprints.last;
  fingerprints.last = id;
  const change = id === null ? "no session" : before === undefined || before === null ? "begun" : before === id ? "kept" : "changed";
  visits.unshift({ label, user, count, id, change, cookie: !cookie ? "none" : cookie.includes("Max-Age=0") ? "removed" : "set" });
  visits.splice(6);
  const who = user ? `You are ${user}` : "You are nobody in particular";
  const what = { "no session": "there is no session", begun: `the session is ${id}`, kept: "the id is the same", changed: `the id has changed to ${id}` }[change];
  show("sessions", "good", `${who}, the count is ${count}, and ${what}.`,
    table("What was done, the last first", [
      { name: "action" }, { name: "user" }, { name: "id" }, { name: "cookie" }, { name: "count", kind: "number" },
    ], visits.map(row => [
      row.label, row.user ?? "–", row.id ? element("span", {}, code(row.id), ` ${row.change}`) : "–", row.cookie, String(row.count),
    ])),
    ...(cookie ? [facts([["Set-Cookie", code(cookie)]])] : []));
}

// ---- streams

async function listen() {
  const started = performance.now();
  const response = await own("/demo/events", { headers: { Accept: "text/event-stream" } });
  const coding = response.headers.get("content-encoding") ?? "identity";
  const arrived = [];
  let held = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const events = (held + piece.value).split("\n\n");
    held = events.pop();
    for (const event of events) arrived.push([event.replace(/^data: /, ""), performance.now() - started]);
    show("streams", "", `Listening: ${arrived.length} so far.`, eventTable(arrived, coding));
  }
  const spread = arrived.at(-1)[1] - arrived[0][1];
  const single = spread > 300;
  show("streams", single ? "good" : "bad",
    `${arrived.length} events in ${coding}, ${single ? "one by one" : "together"}: the last came ${Math.round(spread)} ms after the first.`,
    eventTable(arrived, coding));
}

function eventTable(arrived, coding) {
  const longest = arrived.at(-1)?.[1] ?? 1;
  return table(`Events in ${coding}`, [{ name: "event" }, { name: "arrived", kind: "wide" }, { name: "after", kind: "number" }],
    arrived.map(([text, after]) => [text, bar(after / longest), `${Math.round(after)} ms`]));
}

let socket;
const said = [];

const socketTo = (origin, path) =>
  new Promise((resolve, reject) => {
    const made = new WebSocket(origin.replace(/^http/, "ws") + path);
    made.addEventListener("open", () => resolve(made));
    made.addEventListener("error", () => reject(new Error("the handshake was refused")));
  });

async function say(message) {
  if (socket?.readyState !== WebSocket.OPEN) socket = await socketTo(location.origin, "/demo/socket");
  const answered = new Promise((resolve, reject) => {
    socket.addEventListener("message", resolve, { once: true });
    socket.addEventListener("close", () => reject(new Error("the socket was closed")), { once: true });
  });
  socket.send(message);
  const answer = JSON.parse((await answered).data);
  said.unshift([answer.echo, answer.user ?? "nobody", String(answer.said)]);
  said.splice(5);
  show("#socket", "good", `The echo: “${answer.echo}”, message ${answer.said} of your session.`,
    table("What was said, the last first", [{ name: "echo" }, { name: "user of the session" }, { name: "message", kind: "number" }], said));
}

async function openForeign() {
  if (!there) return show("#socket", "bad", `This needs a second origin: open the page as http://localhost:${location.port || 80}/.`);
  const path = "/demo/closed/socket";
  try {
    (await socketTo(there, path)).close();
    show("#socket", "bad", "The socket was opened, which should not be.");
  } catch (error) {
    const query = new URLSearchParams({ origin: location.origin, path });
    const told = await (await own(`/demo/explain?${query}`)).json();
    show("#socket", "good", "Refused, as it should be.", facts([
      ["what the page sees", error.message],
      ["why", `${told.configuration.join("; ")}, at ${path}`],
    ]));
  }
}

// ---- controls

const ACTIONS = {
  hello: () => sendWithId(""),
  unsafe: () => sendWithId("<b>order 7</b>"),
  adopt: form => sendWithId(form.elements.id.value.trim()),
  menu: () => askForMenus(1),
  menus: () => askForMenus(3),
  fetch: crossOriginFetch,
  guarded: () => fail("/demo/boom"),
  unguarded: () => fail("/demo/unguarded"),
  codings: fetchCodings,
  version: fetchVersion,
  upload: async () => upload(await inGzip(JSON.stringify(Array.from({ length: 500 }, (_, tea) => ({ tea })))), "gzip"),
  damaged: () => upload(new TextEncoder().encode("a pot of tea"), "plain text that says it is gzip"),
  bomb: async () => upload(await inGzip(new Uint8Array(2_000_000)), "gzip of 2,000,000 zeros"),
  count: () => visit("POST", "count", "count"),
  session: () => visit("GET", "session", "look"),
  login: () => visit("POST", "login", "log in"),
  regenerate: () => visit("POST", "regenerate", "new id"),
  logout: () => visit("POST", "logout", "log out"),
  events: listen,
  say: form => say(form.elements.message.value),
  foreign: openForeign,
};

// A control that is at work stays where it is and keeps the focus; pressed again, it does nothing.
async function act(control) {
  const button = control.matches("form") ? control.querySelector("button:not([type])") : control;
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  const { action } = control.dataset;
  try {
    await ACTIONS[action](control);
  } catch (error) {
    const where = { version: "#delta", say: "#socket", foreign: "#socket" }[action] ?? control.closest(".panel").id;
    show(where, "bad", `It did not work: ${error.message}. If the server has ended, start it again.`);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

for (const control of document.querySelectorAll("[data-action]")) {
  control.addEventListener(control.matches("form") ? "submit" : "click", event => {
    event.preventDefault();
    act(control);
  });
}

const all = document.querySelector("#all");
all.addEventListener("click", async () => {
  if (all.getAttribute("aria-disabled") === "true") return;
  all.setAttribute("aria-disabled", "true");
  const progress = document.querySelector("#progress");
  const names = ["hello", "fetch", "guarded", "codings", "version", "upload", "count", "login", "events", "say", "version", "menus"];
  for (const [index, name] of names.entries()) {
    progress.textContent = `${index + 1} of ${names.length}`;
    await act(document.querySelector(`[data-action="${name}"]`));
  }
  progress.textContent = "Done. Each panel has more to try.";
  all.removeAttribute("aria-disabled");
});

document.querySelector("#origins").replaceChildren(
  "You are at ", code(location.origin),
  ...(there ? ["; the second origin is ", code(there), ", the same server by its other name."] : [": open the page as ", code(`http://localhost:${location.port || 80}/`), " for a second origin."]),
);
