"""``python -m trainlens`` is the command ``trainlens``."""

from trainlens.cli import main

main()
