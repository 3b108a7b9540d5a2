"""Which vectors are scanned and which have an HNSW graph, and how a tenant is moved from the one to the other while it
is being searched and taught. See docs/decisions/0013-large-tenants-get-a-graph.md."""
