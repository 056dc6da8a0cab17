"""Checks of the ``seed`` profile: the fixed thresholds of the systems that trainlens grew from.

They depend on the unit and the scale of a loss, and each says so in its advice. Where a threshold
of theirs is that of the default profile (NaN and infinity), the default rule stands.
"""
