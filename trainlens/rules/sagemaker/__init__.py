"""Checks of the ``sagemaker`` profile: the built-in rules of SageMaker Debugger, by their defaults.

For comparison with what a team had there: fixed thresholds, several of them tied to a unit. As
there, a rule fires at the first step that meets its condition, however noisy the value. What
SageMaker Debugger takes from whole tensors, trainlens takes from the scalars that a log holds of
them (norms, standard deviations, shares); where it lacks them, the rule is skipped.
"""
