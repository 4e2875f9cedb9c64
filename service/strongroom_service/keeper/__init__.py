"""The process that owns the token session and judges."""
