"""The operations, each a generator of steps: what is asked, in which order, and what is checked before going on."""
