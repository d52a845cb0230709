"""Plots of test results and training runs; matplotlib is imported only when one is drawn."""
