"""Failed assertions of the checks show their values, as those of tests do."""

import pytest

pytest.register_assert_rewrite("tests.servers.checks", "tests.servers.clients")
