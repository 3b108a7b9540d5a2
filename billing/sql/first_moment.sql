-- When a day begins in a zone: its midnight, the first of two where the clock goes back over it (America/Havana), the
-- moment of the change where there is none (America/Sao_Paulo until 2018). PostgreSQL's own conversion takes the second of
-- two.
CREATE FUNCTION public.first_moment(day date, zone text)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (day::timestamp AT TIME ZONE zone) - CASE
    WHEN ((day::timestamp AT TIME ZONE zone) - interval '1 hour') AT TIME ZONE zone >= day::timestamp
    THEN interval '1 hour' ELSE interval '0'
END
