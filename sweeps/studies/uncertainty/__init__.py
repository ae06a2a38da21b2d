"""`experiment=uncertainty`: which detectors find mistakes, and which find unfamiliar images."""

from sweeps.studies.uncertainty.report import Report as Report
