"""Strongroom: a self-hosted backup key vault."""
