-- One line for each part of the schema that does not hold; nothing where all do.
SELECT 'Constraint ' || conrelid::regclass || '/' || conname
FROM pg_constraint JOIN pg_namespace n ON n.oid = connamespace
WHERE nspname = 'public' AND NOT convalidated
UNION ALL
SELECT 'Index ' || indexrelid::regclass
FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE nspname = 'public' AND NOT (indisvalid AND indisready);
