"""How good a model is: errors against labels, their files, tables and plots."""

from __future__ import annotations

from pwmlff.evaluate.errors import ErrorStatistics
from pwmlff.evaluate.evaluator import FrameResult, predict_frames
from pwmlff.evaluate.run import evaluate_model
from pwmlff.evaluate.summary import ErrorSummary

__all__ = ["ErrorStatistics", "ErrorSummary", "FrameResult", "evaluate_model", "predict_frames"]
