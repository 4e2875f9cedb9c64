-- Where this vault has gone: it is served from there, and from here no more.

CREATE TABLE moved (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    destination TEXT NOT NULL
) STRICT;
