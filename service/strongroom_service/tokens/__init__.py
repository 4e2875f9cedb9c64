"""Account and tenant tokens, checked by front and keeper alike."""
