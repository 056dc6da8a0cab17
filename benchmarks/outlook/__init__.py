"""Early-stop advice: forecasts of runs whose end is known, beside ones blind to the learning rate.

``python -m benchmarks.outlook`` prints scores and calibration; ``--logs FOLDER`` adds real logs,
``--trainings N`` small real trainings (torch).
"""

from benchmarks.outlook.results import results

__all__ = ["results"]
