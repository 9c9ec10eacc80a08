-- Whoever reads a view for longer must not have all other readers wait behind this transaction.
SELECT set_config('lock_timeout', '1s', true)
