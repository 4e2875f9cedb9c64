"""Client of a Strongroom vault: library and command line."""
