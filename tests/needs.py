"""What a middleware has to be given beside the application."""

NEEDS = {"SessionMiddleware": {"secret_key": "a key for tests"}}
