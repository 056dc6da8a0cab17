"""R3: any schedule of growth, watched while it happens, ends where a cold read ends.

`world` does to files what trainings, rotation and people do; `schedule` draws such actions and
makes a failing list of them short; `follow` watches as the monitor does and compares; `formats`
has a module for every reader.
"""
