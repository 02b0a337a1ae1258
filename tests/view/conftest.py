"""The golden files' checker lives beside them."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "golden"))
