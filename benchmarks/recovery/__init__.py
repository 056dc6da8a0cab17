"""What is left of damaged logs: trainlens and its peers read the same damaged files.

``python -m benchmarks.recovery`` prints a Markdown table; ``-o docs/recovery.md`` writes it. The
peers (tensorboard and its data server, tbparse, aim, pandas) are no dependencies of trainlens but
part of its extra ``dev``; a peer that is not installed is left out with the reason.
"""
