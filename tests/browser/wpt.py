"""The web-platform-tests' folder `cors`: which of our tests covers each of its files, or why it is nothing for a server.

Many of its files send broken permissions, and see that a browser takes none of them. Ours are made by the policy, which
`tests/cors/test_policy.py` holds to the grammar; that the browser takes what we send is shown here.
"""

from __future__ import annotations

COVERED = {
    "304.htm": ["test_not_modified", "test_script"],
    "access-control-basic-allow.html": ["test_allowed_origin"],
    "access-control-basic-allow-access-control-origin-header.html": ["test_headers"],
    "access-control-basic-allow-star.html": ["test_any_origin"],
    "access-control-basic-denied.html": ["test_foreign_origin", "test_path_without_policy"],
    "access-control-basic-non-simple-allow.html": ["test_methods"],
    "allow-headers.htm": ["test_allowed_origin", "test_any_origin", "test_foreign_origin"],
    "basic.htm": ["test_allowed_origin", "test_ports", "test_schemes"],
    "cors-safelisted-request-header.any.js": ["test_headers"],
    "credentials-flag.htm": ["test_credentials", "test_cookies_of_answers"],
    "data-url-iframe.html": ["test_null_origin_of_data"],
    "data-url-shared-worker.html": ["test_null_origin_of_data"],
    "data-url-worker.html": ["test_null_origin_of_data"],
    "image-tainting-in-cross-origin-iframe.sub.html": ["test_image"],
    "late-upload-events.htm": ["test_upload_events", "test_late_upload_events"],
    "origin.htm": ["test_allowed_origin", "test_any_origin", "test_permissions_of_the_application_are_replaced"],
    "preflight-cache.htm": ["test_preflight_cache", "test_preflight_cache_ends"],
    "preflight-failure.htm": ["test_refused_preflight", "test_preflight_of_the_application"],
    "redirect-origin.htm": [
        "test_redirect_from_the_own_origin",
        "test_redirect_within_the_origin",
        "test_redirect_to_another_origin",
        "test_redirect_without_permission",
    ],
    "redirect-preflight.htm": ["test_redirect_after_preflight", "test_preflight_of_the_application"],
    "redirect-preflight-2.htm": ["test_redirect_from_the_own_origin"],
    "redirect-userinfo.htm": ["test_redirect_with_user_info"],
    "remote-origin.htm": ["test_allowed_origin", "test_any_origin", "test_foreign_origin"],
    "request-headers.htm": ["test_headers"],
    "response-headers.htm": ["test_allowed_origin", "test_safelisted_response_headers", "test_exposed_headers"],
    "script-304.html": ["test_script"],
    "simple-requests.htm": ["test_methods", "test_headers"],
    "status.htm": ["test_status"],
    "status-async.htm": ["test_status"],
    "status-preflight.htm": ["test_status_after_preflight"],
    "resources/access-control-sandboxed-iframe-allow.php": ["test_null_origin"],
    "resources/access-control-sandboxed-iframe-denied.php": ["test_null_origin"],
    "resources/access-control-sandboxed-iframe-denied-without-wildcard.php": ["test_null_origin"],
}
"""The file -> tests of test_cors.py."""

HINTS = "Which client hints need no permission is the browser's to know; one that needs it is any other header."
APART = {
    "access-control-expose-headers-parsing.window.js": "It parses lists that the policy never writes.",
    "client-hint-request-headers.htm": HINTS,
    "client-hint-request-headers-2.tentative.htm": HINTS,
    "simple-requests-ch.tentative.htm": HINTS,
    "preflight-cache-partitioning.sub.window.js": "How the browser divides its cache of preflights among sites.",
    "cors-tests.html": "It lists the other files, as MANIFEST, META.yml and testrunner.html do.",
    "CORS_001.htm": "The files with a number are earlier forms of basic.htm, origin.htm and simple-requests.htm.",
}
"""The file -> why no test of ours stands for it; what is left in the folder is code that these files share."""
