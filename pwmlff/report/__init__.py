"""Whether a model can be trusted: one page with errors, crystals and molecular dynamics, and a verdict on each."""

from __future__ import annotations

from pwmlff.report.run import Report, ReportOptions, make_report
from pwmlff.report.verdict import Grade

__all__ = ["Grade", "Report", "ReportOptions", "make_report"]
