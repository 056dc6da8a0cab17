"""The makers of small runs can be imported by their name."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
