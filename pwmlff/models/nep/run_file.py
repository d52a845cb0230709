"""Run files of NEP: keys of PWMLFF and MatPL, and GPUMD's `nep.in`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from pwmlff.data.frame import Frame
from pwmlff.data.radial import reach_of_neighbors
from pwmlff.models.nep.config import NEPConfig, repulsion
from pwmlff.models.nep.nep_in import read_nep_in
from pwmlff.models.run_file import RunFileHooks, Suggestion, TopLevelKeys, section_at, with_unset_from

# what `pwmlff init` takes: as many neighbours in any material
_N_NEIGHBORS = (80, 50)  # radial and angular
_CUTOFFS = ((5.0, 8.0), (4.0, 6.0))  # least and largest, Å
_STEP = 0.5  # Å
_L_MAX = (4, 1, 1, 1, 1, 1)  # 134 too gains nothing more
_ALL_COUNT_THE_SAME = "the forces of all elements count the same"


class NEPKeys(TopLevelKeys):
    """Top-level keys of a NEP."""

    nep_txt_file: Path | None = Field(
        default=None, description="`nep.txt` to start training from; the same as `model_load_file`"
    )


class NEPRunFile(RunFileHooks):
    """Run files of NEP."""

    TopLevel = NEPKeys
    ignored = {
        ("model", "descriptor"): {
            "type_weight": _ALL_COUNT_THE_SAME,
            "train_2b": "a NEP always has its radial functions; `fix_cij` keeps them as they are",
        }
    }
    readers = {".in": read_nep_in}

    @classmethod
    def translate(cls, values: dict[str, Any]) -> list[str]:
        """Move `zbl` out of the descriptor, where it is an outer distance, and `nep_txt_file` to `model_load_file`."""
        notices = []
        descriptor = section_at(values, ("model", "descriptor"))
        outer, factor = (descriptor.pop(key, None) for key in ("zbl", "use_typewise_cutoff_zbl"))
        if outer is not None and values.get("zbl") is None:
            values["zbl"] = repulsion(outer, factor)
            notices.append(f"'model.descriptor.zbl' is taken as 'zbl': {values['zbl']}")
        if values.get("nep_txt_file") is not None:
            file = values.pop("nep_txt_file")
            if values.get("model_load_file") is None:
                values["model_load_file"] = file
                notices.append("'nep_txt_file' is taken as 'model_load_file'")
            else:
                notices.append("'nep_txt_file' is ignored: `model_load_file` is given")
        return notices

    @classmethod
    def continued(
        cls,
        config: NEPConfig,
        start: NEPConfig,
        elements: Sequence[str],
        types: Sequence[int],
        known: Sequence[str],
    ) -> NEPConfig:
        """See the base; the start model may have cutoffs for each of its elements."""
        cutoff = start.descriptor.cutoff
        if len(cutoff) > 2:
            chosen = tuple(value for place in types for value in cutoff[2 * place : 2 * place + 2])
            descriptor = start.descriptor.model_copy(update={"cutoff": chosen})
            start = start.model_copy(update={"descriptor": descriptor})
        return with_unset_from(config, start)

    @classmethod
    def suggested(cls, config: NEPConfig, elements: Sequence[str], frames: Sequence[Frame]) -> Suggestion:
        """See the base; cutoffs by the number of neighbours, all invariants, version 4 for one element."""
        farthest = max(largest for _, largest in _CUTOFFS)
        cutoff = tuple(
            min(max(_STEP * round(reach / _STEP), least), largest)
            for reach, (least, largest) in zip(
                reach_of_neighbors(frames, elements, _N_NEIGHBORS, farthest), _CUTOFFS, strict=True
            )
        )
        descriptor = config.descriptor.model_copy(update={"cutoff": cutoff, "l_max": _L_MAX})
        neighbors = " and ".join(str(n) for n in _N_NEIGHBORS)
        reasons = {
            "descriptor.cutoff": f"radial and angular, Å: about {neighbors} neighbours where that is possible",
            "descriptor.l_max": "angular invariants up to 233: the most accurate choice",
        }
        told = (
            f"write l_max {list(config.descriptor.l_max)} if nep.txt is for programs that do not know the invariants "
            "after 1111 (NEP_CPU, nep-adapters, older versions of GPUMD)"
        )
        version = 4 if len(elements) == 1 else config.version
        return Suggestion(
            config.model_copy(update={"version": version, "descriptor": descriptor}), reasons, lines=[told]
        )

    @classmethod
    def for_search(cls, suggestion: Suggestion) -> Suggestion:
        """See the base; weights and scaling begin as in GPUMD."""
        config = suggestion.config.model_copy(update={"start": "gpumd"})
        reason = "weights as GPUMD draws them: forces are learned earlier by a search"
        return replace(suggestion, config=config, reasons={**suggestion.reasons, "start": reason})

    @classmethod
    def element_problems(cls, config: NEPConfig, elements: Sequence[str]) -> list[str]:
        """Return what is wrong with the number of cutoffs."""
        given = len(config.descriptor.cutoff)
        if not elements or given in (2, 2 * len(elements)):
            return []
        expected = "2" if len(elements) == 1 else f"2, or {2 * len(elements)} for {' '.join(elements)}"
        return [f"descriptor.cutoff: expected {expected} numbers, got {given}"]
