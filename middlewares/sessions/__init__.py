"""Sessions (the manual page comes with the middleware)."""
