-- Whether the acting tenant has budgets that must be told of the events its transaction writes. The lock is shared with
-- other writers and kept to the end: whoever counts the ledger for a new budget takes it alone and so waits for every
-- writer that could not see the budget yet. A function, so that it looks once it has the lock, not before.
CREATE FUNCTION public.has_budgets(for_tenant uuid)
RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('cost_events ' || for_tenant, 0));
    RETURN EXISTS (SELECT FROM budgets);
END
$$
