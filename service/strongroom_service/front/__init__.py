"""The network process: servicers with their caller, rates and status codes; gRPC, and in `browser` what pages speak."""
