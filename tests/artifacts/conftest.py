from __future__ import annotations

import pytest
from trees import Shelf


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)
