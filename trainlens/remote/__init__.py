"""Runs behind a URL: a mirror of what is needed of them in the user's cache folder.

Readers need files (to map, to follow as they grow, to open as a database), so a remote folder is
mirrored: listed first, then the first bytes of each file, by which the readers judge, then the
files of runs, whole. A second look fetches what is new. Nothing is ever written to the remote.
"""
