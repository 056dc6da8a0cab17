"""Where these tests find the updates that they share."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
