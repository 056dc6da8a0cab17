"""What makes the parts of a training out of a configuration, one theme a file.

Each function takes the configuration first; `TrainingConfig` has a method of the same name. All
that needs torch is imported when it is called.
"""
