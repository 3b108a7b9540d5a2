"""Wiring: settings, URLs, servers, the supervisor. Owns no table and no rule of the product."""
