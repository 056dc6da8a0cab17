"""The terminal view of the monitor: a screen that can be steered, and plain lines for logs.

`plain.lines` makes lines of an update; `Screen` shows updates on a terminal. In between, each of
its own file: what was chosen by keys (`choice`), what has been heard so far (`memory`), blocks of
lines about runs and findings (`runs`, `course`, `faults`, `pages`), and how they share the height
that there is (`layout`, `view`).
"""
