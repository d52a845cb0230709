"""Test a model on labelled frames and write everything a test leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from pwmlff.data.frame import Frame
from pwmlff.data.replacing import replacing_in
from pwmlff.errors import DataFormatError
from pwmlff.evaluate.evaluator import predict_frames
from pwmlff.evaluate.files import TEXT_FILES, ResultFiles
from pwmlff.evaluate.report import write_report
from pwmlff.evaluate.summary import ErrorSummary, label_pairs
from pwmlff.models.potential import Potential
from pwmlff.plots.parity import PARITY_FILES, ParityErrors, ParityPoints, draw_parity_plots

_SUMMARY, _REPORT = "summary.json", "inference_summary.txt"
OWN_FILES = (_SUMMARY, _REPORT, *TEXT_FILES, *PARITY_FILES)


def evaluate_model(
    model: Potential,
    frames: Sequence[Frame],
    folder: Path,
    *,
    model_name: str = "",
    data_names: Sequence[str] = (),
    batch_size: int | None = None,
    skipped: list[str] | None = None,
    unlabelled: bool = False,
    plots: bool = True,
    on_frame: Callable[[], None] = lambda: None,
) -> ErrorSummary:
    """Compare a model with labels; write `summary.json`, PWMLFF's text files and the parity plots.

    They take the place of those of an earlier test, pictures that are not drawn now included, when all are complete.

    Args:
        model: The model, on the device where it shall run.
        frames: Labelled frames.
        folder: Where to write, `test_result` by custom.
        model_name: For `summary.json`.
        data_names: For `summary.json`.
        batch_size: Most frames of one batch; None bounds batches by memory only.
        skipped: When given, frames that cannot be used are dropped and the reasons appended.
        unlabelled: Whether frames without a single label may be among them; they count nowhere.
        plots: Whether to draw Energy.png, Force.png and Virial.png.
        on_frame: Called after each frame, for a progress bar.

    Returns:
        The errors.

    Raises:
        DataFormatError: No frame is left to test on, or a frame cannot be used or has no label and `skipped` is None.
        ModelFileError: A prediction is not finite.
    """
    summary = ErrorSummary()
    points = ParityPoints()
    results = predict_frames(model, frames, batch_size=batch_size, skipped=skipped)
    with replacing_in(folder, OWN_FILES) as new:
        with ResultFiles(new) as files:
            for result in results:
                if not unlabelled and not label_pairs(result):
                    _refuse(result.frame, skipped)
                    continue
                summary.add(result)
                files.add(result)
                if plots:
                    points.add(label_pairs(result))
                on_frame()
        if summary.total.n_frames == 0:
            reason = f"; the first of {len(skipped)} dropped frames: {skipped[0]}" if skipped else ""
            raise DataFormatError(f"no frame to test on in {', '.join(data_names) or 'the data'}{reason}")
        write_report(summary, new / _REPORT)
        about = {"model": model_name, "data": list(data_names), "n_skipped_frames": len(skipped or [])}
        text = json.dumps({**summary.as_dict(), **about}, indent=2, allow_nan=False)
        (new / _SUMMARY).write_text(text + "\n", encoding="utf-8")
        if plots:
            errors = {k: ParityErrors(e.count, e.rmse, e.mae, e.r2) for k, e in summary.total.errors.items()}
            draw_parity_plots(points, errors, new)
    return summary


def _refuse(frame: Frame, skipped: list[str] | None) -> None:
    reason = f"{frame.where} has no label to compare with; `--unlabelled` takes such frames too"
    if skipped is None:
        raise DataFormatError(reason)
    skipped.append(reason)
