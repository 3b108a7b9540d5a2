-- Whether any endpoint of the acting tenant is to be told of events of this type. Read beside another statement's result,
-- so that a tenant without webhooks pays no round trip. A function with its caller's rights, for its plan is made once per
-- connection.
CREATE FUNCTION public.wants_event(of_type text)
RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM webhook_endpoints WHERE is_active AND (events = '{}' OR of_type = ANY (events))
    );
END
$$
