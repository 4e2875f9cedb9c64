"""A small web backend of a product whose users keep backups with Strongroom: an example to copy from.

It signs its users in, mints their account tokens, and serves the page that talks to the vault. It never sees a passkey,
an archive or an archive key, and it has no connection to the vault: the user's browser has.
"""
