"""Train a potential of lithium, ask it, and run molecular dynamics, all in Python: about a minute on one core.

python lithium.py [EPOCHS]
"""

import sys
from pathlib import Path

from ase import units
from ase.md.langevin import Langevin

import pwmlff
from pwmlff.data.atoms import atoms_of

DATA = Path(__file__).parents[1] / "data"
settings = {
    "model_type": "NEP",
    "atom_type": ["Li"],
    "train_data": [str(DATA / "li27_train.xyz")],
    "model": {"descriptor": {"cutoff": [6.0, 5.0], "n_max": [4, 4], "basis_size": [6, 6]}},
    "optimizer": {"optimizer": "LKF", "epochs": int(sys.argv[1]) if len(sys.argv) > 1 else 10},
}
run = pwmlff.train(settings, callbacks=[lambda epoch: print("epoch", epoch.epoch, epoch.valid.rmse)], quiet=True)

model = run.load()
frames = pwmlff.read_frames(DATA / "li27_test.xyz")
errors = model.errors(frames).as_dict()
print(model, f"{1000 * errors['energy_rmse_per_atom']:.2f} meV/atom, {errors['force_rmse']:.4f} eV/Å")
result = model.predict(frames[0], descriptors=True)
print(result.energy, result.forces.shape, result.stress, result.descriptors.shape)

atoms = atoms_of(frames[0])
atoms.calc = pwmlff.PwmlffCalculator([run.best, run.last])  # a committee, though of one run only
dynamics = Langevin(atoms, 2 * units.fs, temperature_K=300, friction=0.01 / units.fs, fixcm=False)
dynamics.attach(lambda: print(atoms.get_temperature(), atoms.calc.results["max_devi_f"]), interval=10)
dynamics.run(50)
