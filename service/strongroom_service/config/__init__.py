"""Vault and tenant files, read strictly."""
