"""The command line: subcommands, their options and what they print. The work is done in the modules beside this one."""

from __future__ import annotations

import asyncio
import math
import os
import sys
from collections.abc import Callable, Iterable
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .. import __version__
from .errors import FailureError

if TYPE_CHECKING:  # nothing is loaded before it is known what for
    from .config import Given

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_LOG_LEVELS = ("critical", "error", "warning", "info", "debug", "trace")
_APPLICATION, _LAYERS, _SERVER = "Application", "Layers", "Server"
_SECTIONS = {
    **dict.fromkeys(["factory", "wsgi", "app_dir"], _APPLICATION),
    **dict.fromkeys(
        [
            *("config", "request_id", "timing", "server_errors", "compression", "decompression", "trust"),
            *("cors_origin", "cors_method", "cors_header", "cors_credentials"),
            *("session_secret_env", "session_secret_file"),
        ],
        _LAYERS,
    ),
    **dict.fromkeys(["host", "port", "reload", "workers", "log_level"], _SERVER),
}


class _Command(click.Command):
    """A command that shows its options by what they are about."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (shown := parameter.get_help_record(ctx)) is not None:
                sections.setdefault(_SECTIONS.get(parameter.name or "", "Options"), []).append(shown)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def _all(*decorators: Callable[[Any], Any]) -> Callable[[Decorated], Decorated]:
    def decorate(function: Decorated) -> Decorated:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _network(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            ip_network(value)
        except ValueError as exc:
            raise click.BadParameter(f"{exc}; write a network such as 10.0.0.0/8, or an address") from None
    return values


def _finite(_ctx: click.Context, _parameter: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number of seconds")
    return value


def _pair(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for value in values:
        name, colon, text = (part.strip() for part in value.partition(":"))
        if not name or not value.isascii():
            raise click.BadParameter(f"{value!r} must be a name, or 'Name: value', in ASCII")
        # The form that needs a permission, as that of an API does; any other value is as good as the next.
        pairs.append((name, text if colon else "application/json" if name.lower() == "content-type" else "1"))
    return pairs


_config = click.option(
    "--config",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file with a table of keywords for each room. Default: the table [tool.asgi-middlewares] of "
    "pyproject.toml in the working directory, if there is one.",
)
_app_dir = click.option(
    "--app-dir",
    metavar="FOLDER",
    default=".",
    show_default=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where modules are looked for first.",
)
_application = _all(
    click.option(
        "--factory", is_flag=True, help="What APP names makes the application: it is called without arguments."
    ),
    click.option(
        "--wsgi", is_flag=True, help="It is a WSGI application. Default: found out by what it can be called with."
    ),
    _app_dir,
)
_cors = _all(
    click.option(
        "--cors-origin",
        metavar="ORIGIN",
        multiple=True,
        help="An origin whose pages may read answers: https://app.example, https://*.app.example, http://localhost:*, "
        "or * for all. May be repeated. Turns CORS on.",
    ),
    click.option(
        "--cors-method",
        metavar="METHOD",
        multiple=True,
        help="A method that a preflight may ask for, or * for all. May be repeated. Default: GET alone.",
    ),
    click.option(
        "--cors-header",
        metavar="NAME",
        multiple=True,
        help="A request header that pages may set, or * for all. May be repeated.",
    ),
    click.option("--cors-credentials/--no-cors-credentials", default=None, help="Pages may send cookies."),
)
_layers = _all(
    _config,
    click.option("--request-id/--no-request-id", default=None, help="An id for each request. Default: on."),
    click.option("--timing/--no-timing", default=None, help="The header Server-Timing. Default: on."),
    _cors,
    click.option(
        "--server-errors/--no-server-errors", default=None, help="A plain 500 for unhandled exceptions. Default: on."
    ),
    click.option("--compression/--no-compression", default=None, help="Coded responses: zstd, br, gzip. Default: on."),
    click.option("--decompression/--no-decompression", default=None, help="Coded request bodies. Default: off."),
    click.option(
        "--session-secret-env",
        metavar="NAME",
        help="The environment variable that holds the key of sessions. Turns sessions on.",
    ),
    click.option(
        "--session-secret-file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The file that holds the key of sessions. Turns sessions on.",
    ),
    click.option(
        "--trust",
        metavar="NETWORK",
        multiple=True,
        callback=_network,
        help="A network of your proxies, such as 10.0.0.0/8: their X-Request-ID, X-Forwarded-For and X-Forwarded-Proto "
        "are believed, and nobody else's. May be repeated. Default: every X-Request-ID that is safe, and "
        "X-Forwarded-* from 127.0.0.1, or from FORWARDED_ALLOW_IPS.",
    ),
)

_address = _all(
    click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="The address to listen on."),
    click.option(
        "--port",
        metavar="PORT",
        default=8000,
        show_default=True,
        type=click.IntRange(0, 65535),
        help="The port to listen on.",
    ),
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="asgi-middlewares")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Middlewares in front of any ASGI or WSGI application, without touching its code.

    \b
    middlewares run main:app --cors-origin https://app.example
    middlewares explain main:app
    """  # noqa: D301 - click's mark for lines that are kept as they are
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        ctx.color = False


@command.command(cls=_Command)
@click.argument("app", metavar="APP")
@_application
@_layers
@_address
@click.option("--reload", is_flag=True, help="Start anew when a Python file changes; for development.")
@click.option(
    "--workers",
    metavar="NUMBER",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="How many processes serve.",
)
@click.option("--log-level", default="info", show_default=True, type=click.Choice(_LOG_LEVELS), help="What is logged.")
def run(
    app: str,
    *,
    factory: bool,
    wsgi: bool,
    app_dir: Path,
    config: Path | None,
    host: str,
    port: int,
    reload: bool,
    workers: int,
    log_level: str,
    **options: Any,
) -> None:
    """Serve an application behind layers, on uvicorn.

    APP is module:attribute, such as main:app. It may be an application of ASGI 3, ASGI 2 or WSGI.
    """
    if reload and workers > 1:
        raise click.UsageError("--reload is for one process: leave out --workers, or --reload")
    from .serving import Plan, serve

    plan = Plan(app, factory, wsgi, str(config) if config else None, _given(**options), options["trust"])
    folder = _look_in(app_dir)
    serve(plan, host=host, port=port, reload=reload, workers=workers, log_level=log_level, app_dir=folder)


@command.command(cls=_Command, short_help="Show the layers as a tree, and mistakes of their order.")
@click.argument("app", metavar="[APP]", required=False)
@_application
@_layers
@click.pass_context
def explain(
    ctx: click.Context,
    /,
    app: str | None,
    *,
    factory: bool,
    wsgi: bool,
    app_dir: Path,
    config: Path | None,
    **options: Any,
) -> None:
    """Show the layers as a tree, outermost first, and mistakes of their order.

    With APP alone: the layers that stand in its own code. With --config or options of layers: what `run` would serve
    with them. Without APP: the layers by themselves. Secrets are not shown.

    The exit code is 1 if there are problems.
    """
    from .config import read
    from .explaining import explain as explained
    from .loading import load

    given = _given(**options)
    _look_in(app_dir)
    source = read(config) if config or given or app is None else None
    if source is not None and app is None and not source.tables and not given:
        raise click.UsageError("name an application, a --config, or layers by their options")
    lines, problems = explained(source, given, None if app is None else load(app, factory=factory, wsgi=wsgi))
    for line in lines:
        click.echo(line)
    for problem in problems:
        click.secho(f"Problem: {problem}", fg="red")
    if not problems:
        click.secho("The order is right.", fg="green")
    ctx.exit(FailureError.exit_code if problems else 0)


@command.command(cls=_Command, short_help="Say whether a browser would allow a fetch, and if not, why.")
@_config
@_cors
@_app_dir
@click.option("--origin", metavar="ORIGIN", required=True, help="The origin of the page, such as https://app.example.")
@click.option("--method", metavar="METHOD", default="GET", show_default=True, help="The method, as given to fetch().")
@click.option(
    "--header",
    metavar="HEADER",
    multiple=True,
    callback=_pair,
    help="A header that the page sets: a name, or 'Name: value'. May be repeated.",
)
@click.option("--credentials", is_flag=True, help="The page sends cookies (credentials: 'include').")
@click.option("--path", metavar="PATH", default="/", show_default=True, help="What the page asks for.")
@click.pass_context
def cors(
    ctx: click.Context,
    /,
    *,
    config: Path | None,
    app_dir: Path,
    origin: str,
    method: str,
    header: list[tuple[str, str]],
    credentials: bool,
    path: str,
    **options: Any,
) -> None:
    """Say whether a browser would let a page make a fetch, and if not, why.

    The browser's algorithm (WHATWG Fetch) is played on the messages of the CORS layer, as it is configured.

    The exit code is 1 if the browser refuses.
    """
    from .config import read
    from .fetching import ask

    _look_in(app_dir)
    answer = asyncio.run(
        ask(
            read(config),
            _given(**options),
            origin=origin,
            method=method,
            headers=header,
            credentials=credentials,
            path=path,
        )
    )
    for exchange in answer.exchanges:
        for mark, lines in (("> ", exchange.request), ("< ", exchange.response)):
            for line in lines:
                click.echo(f"{mark}{line}")
        click.echo()
    if answer.result:
        click.secho(f"Allowed: a page of {origin} can read the answer.", fg="green")
        ctx.exit(0)
    click.secho(f"Refused: {answer.result.reason}.", fg="red")
    for reason in answer.reasons:
        click.echo(f"The configuration: {reason}.")
    if not answer.result.preflighted:
        click.echo("Such a request needs no preflight: it reaches the application, and only its answer is kept back.")
    ctx.exit(FailureError.exit_code)


@command.command(cls=_Command)
@click.argument("app", metavar="APP")
@_application
@_layers
@click.option("--path", metavar="PATH", default="/", show_default=True, help="What is asked for, with GET.")
@click.option(
    "--header", metavar="HEADER", multiple=True, callback=_pair, help="A header, 'Name: value'. May be repeated."
)
@click.option(
    "--seconds",
    metavar="SECONDS",
    default=3.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    callback=_finite,
    help="About how long it takes.",
)
def bench(
    app: str,
    *,
    factory: bool,
    wsgi: bool,
    app_dir: Path,
    config: Path | None,
    path: str,
    header: list[tuple[str, str]],
    seconds: float,
    **options: Any,
) -> None:
    """Show what each layer costs per request on this machine.

    The application is called in this process, without a server: bare, behind each layer alone, and behind all of them,
    in turns. The figures are CPU time.
    """
    from .benching import bench as measured
    from .config import read
    from .loading import load

    _look_in(app_dir)
    loaded = load(app, factory=factory, wsgi=wsgi)
    report = asyncio.run(measured(read(config), _given(**options), loaded, path=path, headers=header, seconds=seconds))
    click.echo(f"GET {path}: {report.status}, {report.size} bytes behind all layers")
    click.echo(f"{'µs per request':<16}{'median':>9}   middle half of the rounds")
    for row in report.rows:
        sign = "" if row is report.rows[0] else "+"
        low, high = (f"{value:{sign}.1f}" for value in row.quartiles)
        click.echo(f"{row.name:<16}{row.median:>{sign}9.1f}   {low} to {high}")
    click.echo(
        f"{report.rounds} rounds of {report.requests} requests, in random turns; layers over the bare application."
    )


@command.command(cls=_Command)
@_address
def demo(*, host: str, port: int) -> None:
    """Serve a page that shows what each layer does.

    Open it in a browser on this machine: its panels send real requests through the whole stack.
    """
    from .errors import required
    from .serving import check_address

    required("uvicorn")
    check_address(host, port)
    from ..demo import serve

    serve(host, port)


def _look_in(folder: Path) -> str:
    """Put a folder at the front of where modules are looked for."""
    path = str(folder.absolute())
    if sys.path[:1] != [path]:
        sys.path.insert(0, path)
    return path


def _given(
    *,
    cors_origin: Iterable[str],
    cors_method: Iterable[str],
    cors_header: Iterable[str],
    cors_credentials: bool | None,
    session_secret_env: str | None = None,
    session_secret_file: Path | None = None,
    trust: Iterable[str] = (),
    **switches: bool | None,
) -> Given:
    """What the options say of each room, as in TOML."""
    given: dict[str, Any] = {room: on for room, on in switches.items() if on is not None}
    if trust and given.get("request_id") is not False:
        given["request_id"] = {"trust_incoming": list(trust)}
    cors = {
        "allow_origins": list(cors_origin),
        "allow_methods": list(cors_method),
        "allow_headers": list(cors_header),
        "allow_credentials": cors_credentials,
    }
    if kept := {key: value for key, value in cors.items() if value not in ([], None)}:
        given["cors"] = kept
    if session_secret_env and session_secret_file:
        raise click.UsageError("--session-secret-env and --session-secret-file: only one of them can hold the key")
    if session_secret_env:
        given["sessions"] = {"secret_key": {"env": session_secret_env}}
    if session_secret_file:
        given["sessions"] = {"secret_key": {"file": str(session_secret_file.absolute())}}
    return given
