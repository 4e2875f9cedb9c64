"""Archives: a folder as tar, compressed with zstd, encrypted with age, in one file that any age tool opens."""
