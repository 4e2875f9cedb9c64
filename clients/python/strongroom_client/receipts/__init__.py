"""The verified receipts that a device keeps: the user's proof of what the vault said."""
