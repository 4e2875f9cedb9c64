"""Byte formats that the keeper makes and reads, one file each."""
