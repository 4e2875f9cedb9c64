-- A vault that is being copied here from elsewhere must not be served from until all of it is here and compared.

CREATE TABLE copies (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    finished BOOLEAN NOT NULL
);
