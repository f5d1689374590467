"""Strangers cannot make the process grow: a flood of random requests, and what it leaves behind."""

import pytest

from tests.conftest import require


@pytest.mark.slow
def test_flood():
    """Random methods, paths, versions and schemes leave a bounded number of series, no live record, and no memory."""
    for name in ("prometheus_client", "opentelemetry.sdk", "starlette"):
        require(name)
    from tests.timing.flood import TEMPLATES, flood

    requests = 2000
    remains = flood(requests, trace=True)
    assert (remains.records, remains.lines) == (requests, requests)
    assert (remains.live, remains.active) == (0, 0)
    assert remains.methods == {"GET", "HEAD", "POST", "_OTHER"}
    assert remains.routes == {*TEMPLATES, ""}
    statuses = 4  # 200, 403, 404, 500, and none; not each with each route
    assert remains.series <= len(remains.methods) * len(remains.routes) * statuses
    # http, https, neither; 1.1, 2, neither; with and without an exception
    assert remains.points <= remains.series * 3 * 3 * 2
    assert remains.kept < 200_000  # 1000 records alone would be twice that
