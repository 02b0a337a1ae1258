"""The fakes that keep the contracts live one folder up."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
