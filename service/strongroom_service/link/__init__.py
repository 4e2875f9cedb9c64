"""Between front and keeper: frames, keeper client, supervisor."""
