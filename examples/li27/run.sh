#!/usr/bin/env bash
# Lithium from DFT frames to molecular dynamics; needs `pwmlff`, `lmp` and `mpirun` of one environment on the PATH.
set -euo pipefail
cd "$(dirname "$0")"

pwmlff data info ../data/li27_train.xyz
pwmlff train train.json
pwmlff test model_record/dp_model_best.ckpt ../data/li27_test.xyz
pwmlff compress model_record/dp_model_best.ckpt
pwmlff export cmp_dp_model.ckpt -o dp_model.pt
OMP_NUM_THREADS=1 mpirun -np 2 lmp -in in.lammps

cat <<'END'

Done: a Deep Potential of lithium, trained on DFT frames, tested, compressed and run in LAMMPS. Look next at
  examples/li27/test_result/           errors on unseen frames: summary.json, Energy.png, Force.png
  examples/li27/model_record/          learning_curve.png, epoch_valid.dat, checkpoints
  examples/li27/log.lammps             the molecular dynamics; in the last part TotEng stays constant
  pwmlff init dp --data YOUR_FILES     a commented run file for your own data (MOVEMENT, OUTCAR, extxyz, npy)
END
