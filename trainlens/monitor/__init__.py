"""Monitor mode: runs that are being written now are read on, judged, shown and told about.

What belongs to whom: `following` reads on and keeps a bounded picture of each run; `looks` judges
a run as a cold read would, as often as a budget of processor time allows; `ledger` knows which
findings were told; `loop` ties them together and makes an `Update` of each round; views, pages and
reactions get updates and know nothing of logs.
"""
