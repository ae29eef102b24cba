-- The application's schema. Applied by the leader at every start; every statement may be repeated.
CREATE EXTENSION IF NOT EXISTS amcheck;
SET ROLE shop_owner;
CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mark text NOT NULL CONSTRAINT orders_mark_unique UNIQUE CONSTRAINT orders_mark_sane CHECK (length(mark) BETWEEN 1 AND 200),
    created timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS orders_created ON orders (created);
RESET ROLE;
GRANT SELECT, INSERT ON orders TO shop;
GRANT SELECT ON orders TO auditor;
GRANT pg_monitor TO auditor;
GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean), bt_index_parent_check(regclass, boolean, boolean) TO auditor;
GRANT EXECUTE ON FUNCTION verify_heapam(regclass, boolean, boolean, text, bigint, bigint) TO auditor;
ALTER ROLE auditor SET default_transaction_read_only = on;
ALTER ROLE auditor CONNECTION LIMIT 10;
ALTER ROLE canary CONNECTION LIMIT 2;
