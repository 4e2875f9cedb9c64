"""Use cases as straight lines over ports; no transport."""
