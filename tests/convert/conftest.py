"""What the tests of an export share: one kernel for each worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.convert.lab import SharedKernel


@pytest.fixture(scope="session")
def shared_kernel() -> Iterator[SharedKernel]:
    """``shared_kernel.fresh()`` is a kernel as good as new, in the test's home and folder."""
    shared = SharedKernel()
    yield shared
    shared.close()
