"""What the client checks of all that a vault says. Pure: bytes and what is known go in; a check raises or is silent."""
