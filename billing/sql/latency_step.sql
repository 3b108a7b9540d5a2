-- Each step is a tenth longer than the one before: a percentile read from them is right within 5 percent. NULL stays so.
floor(ln((CASE WHEN latency_ms < 1 THEN 1 ELSE latency_ms END)::float) / ln(1.1::float))::int
