#!/usr/bin/env bash
# A NEP of LiH from DFT frames to LAMMPS, then beside a Deep Potential; needs `pwmlff`, `lmp` and `mpirun` of one
# environment on the PATH.
set -euo pipefail
cd "$(dirname "$0")"

mkdir -p work/nep
cd work/nep
pwmlff init nep --data ../../../data/lih_train.xyz -o train.json --force
pwmlff train train.json
pwmlff test model_record/nep_model_best.ckpt ../../../data/lih_test.xyz
pwmlff export model_record/nep_model_best.ckpt --format nep -o nep.txt
cd ../..
OMP_NUM_THREADS=1 mpirun -np 2 lmp -in in.lammps

python compare.py
