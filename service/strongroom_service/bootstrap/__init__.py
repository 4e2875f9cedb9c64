"""The composition root: the only room that names concrete parts, and the only one that reads the environment."""
