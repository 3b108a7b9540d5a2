-- Who answers at a widget, and from what: the personality asked for, else the widget's own, else the tenant's default,
-- never an inactive one; and the widget's collections and language. One row, also without a widget or a personality.
CREATE FUNCTION public.speaker(at_widget uuid, chosen uuid)
RETURNS TABLE (
    collections varchar[], locale text, id uuid, system_prompt text, temperature numeric, max_tokens integer, top_p numeric,
    frequency_penalty numeric, presence_penalty numeric, preferred_model varchar, version integer
)
LANGUAGE plpgsql STABLE
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT
        widget.collections, widget.settings ->> 'locale', personality.id, personality.system_prompt,
        personality.temperature, personality.max_tokens, personality.top_p, personality.frequency_penalty,
        personality.presence_penalty, personality.preferred_model, personality.version
    FROM (VALUES (true)) AS one (row)
    LEFT JOIN widgets AS widget ON widget.id = at_widget
    LEFT JOIN LATERAL (
        SELECT * FROM ai_personalities AS candidate
        WHERE candidate.is_active
            AND CASE WHEN chosen IS NULL THEN candidate.is_default OR candidate.id = widget.personality_id
                ELSE candidate.id = chosen END
        ORDER BY candidate.is_default
        LIMIT 1
    ) AS personality ON true;
END
$$
