"""The second listener, for browsers: Connect, gRPC-Web and JSON over HTTP/1.1, into the same servicer as gRPC's.

Nothing here is imported unless `[browser]` is in the vault's file.
"""
