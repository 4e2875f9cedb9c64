"""The network process: gRPC servicers, interceptors, rate limits, status codes."""
