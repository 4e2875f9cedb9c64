"""All metric names, and logs."""
