"""Tasks are counted by how they end, and how long they waited; beat is seen where it sends."""

from contextlib import suppress

import pytest
from celery import shared_task
from celery.exceptions import Retry

from config import observed_tasks
from kernel import measuring, observing


@shared_task(name="tests.well", tenant_mode=None)
def well():
    return None


@shared_task(name="tests.badly", tenant_mode=None)
def badly():
    raise ValueError


@shared_task(name="tests.again", tenant_mode=None, bind=True, max_retries=1)
def again(self):
    raise self.retry(countdown=0)


@pytest.mark.parametrize(("task", "outcome"), [(well, "succeeded"), (badly, "failed"), (again, "retried")])
def test_each_end_is_counted(task, outcome):
    before = tasks(task, outcome)
    with suppress(Retry):
        task.apply(throw=False)
    assert tasks(task, outcome) == before + 1
    assert observed_tasks._running == {}
    assert observing.facts() == {}


def test_the_wait_is_measured_from_when_the_task_was_due(monkeypatch):
    headers = {}
    monkeypatch.setattr(observed_tasks.time, "time", lambda: 1_000.0)
    observed_tasks.send_along(headers=headers)
    monkeypatch.setattr(observed_tasks.time, "time", lambda: 1_003.0)
    before = waited(well)
    well.apply(headers=headers)
    assert waited(well) == before + 3.0


def test_a_task_for_later_is_not_late_before_its_time():
    headers = {"eta": "2026-11-21T06:00:00+00:00"}
    observed_tasks.send_along(headers=headers)
    assert observed_tasks.SENT_AT not in headers


def test_beat_is_seen_when_it_sends_and_nobody_else_for_it(monkeypatch):
    told = []
    monkeypatch.setattr(observing, "_on_work", [lambda: told.append(1)])
    monkeypatch.setattr(observed_tasks, "_said_at", 0.0)
    observed_tasks.say_that_beat_works()
    assert told == []
    monkeypatch.setattr(observing, "_process", "beat")
    for _ in range(3):
        observed_tasks.say_that_beat_works()
    assert told == [1]


def tasks(task, outcome):
    return measuring.TASKS.labels(task.name, outcome)._value.get()


def waited(task):
    return measuring.TASK_WAIT_SECONDS.labels(task.name)._sum.get()
