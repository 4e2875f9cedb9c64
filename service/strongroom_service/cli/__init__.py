"""The `strongroomd` command line."""
