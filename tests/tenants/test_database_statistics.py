"""Slow queries are written down without what was put in them, and dbstats says how PostgreSQL does."""

import io
import json
import logging
import re

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from kernel import measuring
from tenants.context import acting_as
from tenants.db import slow_queries, statistics
from tests import conversations

SECRET = "what-a-visitor-said"


class TestSlowQueries:
    @pytest.fixture(autouse=True)
    def _written(self, caplog):
        caplog.set_level(logging.WARNING, "tenants.db.slow_queries")

    def test_a_slow_one_is_written_with_placeholders_and_counted(self, acme, caplog):
        before = measuring.SLOW_QUERIES._value.get()
        with acting_as(acme), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s),\n   %s::text", [0.12, SECRET])
        (record,) = caplog.records
        assert record.statement == "SELECT pg_sleep(%s), %s::text"
        assert 110 <= record.duration_ms < 5_000
        assert record.in_transaction is True
        assert SECRET not in str(record.__dict__)
        assert measuring.SLOW_QUERIES._value.get() == before + 1

    def test_a_slow_one_that_fails_is_written_too(self, acme, caplog):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / (length(pg_sleep(%s)::text))", [0.12])
        assert len(caplog.records) == 1

    def test_a_quick_one_is_not(self, acme, caplog):
        with acting_as(acme):
            assert conversations.widget(acme)
        assert caplog.records == []

    def test_the_owners_work_takes_as_long_as_it_takes(self, acme, caplog, monkeypatch):
        monkeypatch.setitem(connection.settings_dict, "USER", "frontdesk_owner")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.12)")
        assert caplog.records == []

    def test_a_composed_statement_may_hold_literals_and_is_not_shown(self):
        assert slow_queries.described(sql.SQL("SELECT {}").format(sql.Literal(SECRET))) == "(composed)"
        assert len(slow_queries.described("x " * 5_000)) == slow_queries.LONGEST


class TestStatistics:
    def test_every_table_is_shown_to_a_person(self, acme):
        printed = io.StringIO()
        call_command("dbstats", stdout=printed)
        text = printed.getvalue()
        for title in ("Connections", "Active queries", "Slow statements", "Tables", "Indexes"):
            assert f"\n{title}\n" in text
        assert "As role frontdesk_app" in text
        assert "pg_stat_statements is not installed here" in text
        # Which tables are among the largest depends on what ran before; the first shown is the largest.
        largest = statistics.tables().rows[0][0]
        assert re.fullmatch(r"\w+\.\w+", largest)
        assert largest in text

    def test_and_to_a_program(self, acme):
        printed = io.StringIO()
        call_command("dbstats", json=True, stdout=printed)
        found = json.loads(printed.getvalue())
        assert set(found) == {"Connections", "Active queries", "Slow statements", "Tables", "Indexes"}
        assert any(row["role"] == "frontdesk_app" for row in found["Connections"]["rows"])
        assert len(found["Tables"]["rows"]) == statistics.ROWS

    @pytest.mark.parametrize(
        ("statement", "shown"),
        [
            (f"SELECT * FROM t WHERE a = '{SECRET}' AND b = 42", "SELECT * FROM t WHERE a = ? AND b = ?"),
            ("SELECT 'it''s', E'a\\'b', $$x$$, $tag$y$tag$", "SELECT ?, ?, ?, ?"),
            ("SELECT col1, t2.x FROM t2", "SELECT col1, t2.x FROM t2"),
            (f"SELECT 'cut off in the middle {SECRET}", "SELECT ?"),
        ],
    )
    def test_literals_are_masked(self, statement, shown):
        assert statistics.masked(statement) == shown

    @given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40))
    def test_nothing_of_a_literal_is_left(self, secret):
        literal = sql.Literal("<" + secret + ">").as_string(None)
        assert statistics.masked(f"SELECT {literal}, x") == "SELECT ?, x"
