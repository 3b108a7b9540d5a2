"""A stub provider on this machine, and requests to put to it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from ai import http
from tests.ai.stub_provider import Stub, serving


@pytest_asyncio.fixture
async def stub() -> AsyncIterator[Stub]:
    async with serving() as running:
        yield running
        await http.close()
