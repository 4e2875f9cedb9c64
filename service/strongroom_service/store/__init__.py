"""Where records rest: SQLite, PostgreSQL, migrations."""
