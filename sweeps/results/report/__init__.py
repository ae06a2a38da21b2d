"""The report: one HTML file with a sweep's pictures, curves, numbers and comparisons."""
