"""HTTP fields as ASGI carries them, pairs of bytes: lookups, edits, and the grammar of lists. Private to the package.

Plain functions that use the standard library alone, shared by all rooms. Request names are lower-case, as the ASGI
specification asks of servers; names from an application may be written in any case.
"""
