-- Who prepares or switches tables at the same time waits. A lock of two numbers is none of those by which appends are known.
SELECT pg_advisory_xact_lock(1634627169, {namespace})
