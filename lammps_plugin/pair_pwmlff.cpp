// SPDX-License-Identifier: GPL-2.0-or-later

#include "pair_pwmlff.h"

#include "model_runner.h"
#include "pair_block.h"
#include "system_adaptor.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "platform.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

using namespace LAMMPS_NS;

namespace {

constexpr int N_FORCE = 3, N_VIRIAL = 6, N_CENTROID = 9;
constexpr int PAIRS_PER_THREAD =
    16384;    // of a block: large enough to hide overheads, small enough for caches

std::string join(const std::vector<std::string> &names)
{
  std::string text;
  for (const std::string &name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

// read by one rank and sent to the others: all ranks see the same file, and fail together
std::string read_on_all_ranks(const char *path, MPI_Comm world, int me, std::string &problem)
{
  std::string content;
  bigint size = -1;
  int reason = 0;
  if (me == 0) {
    if (FILE *file = platform::path_is_directory(path) ? nullptr : fopen(path, "rb")) {
      char part[65536];
      for (std::size_t n; (n = fread(part, 1, sizeof(part), file)) > 0;) content.append(part, n);
      if (!ferror(file)) size = static_cast<bigint>(content.size());
      reason = errno;
      fclose(file);
    } else {
      reason = platform::path_is_directory(path) ? EISDIR : errno;
    }
  }
  MPI_Bcast(&size, 1, MPI_LMP_BIGINT, 0, world);
  MPI_Bcast(&reason, 1, MPI_INT, 0, world);
  if (size < 0) {
    problem = std::strerror(reason);
    return "";
  }
  content.resize(static_cast<std::size_t>(size));
  for (bigint done = 0; done < size; done += MAXSMALLINT)
    MPI_Bcast(content.data() + done, static_cast<int>(std::min<bigint>(size - done, MAXSMALLINT)),
              MPI_CHAR, 0, world);
  return content;
}

}    // namespace

struct PairPWMLFF::Impl {
  std::unique_ptr<ModelRunner> runner;
  std::vector<int> type_map;      // model type of each LAMMPS type (from 1), -1 for NULL
  std::size_t block_pairs = 0;    // 0: chosen from the number of threads
  double energy_unit = 1.0;       // one eV in the units of this run
  PairBlock block;
  BlockResult result;

  // With newton off LAMMPS neither clears nor sends home what is on ghost atoms: it is collected
  // here. Rows hold force [3], then virial [6] and centroid virial [9] when asked for.
  std::vector<double> ghosts;
  int ghost_width = 0;
};

PairPWMLFF::PairPWMLFF(LAMMPS *lmp) : Pair(lmp), impl_(new Impl)
{
  single_enable = 0;    // no energy of a single pair exists
  restartinfo = 0;      // the model file is named again after a restart
  one_coeff = 1;
  manybody_flag = 1;
  no_virial_fdotr_compute =
      1;    // the virial is summed over pairs, which holds with newton on and off
  centroidstressflag = CENTROID_AVAIL;
  unit_convert_flag = utils::get_supported_conversions(utils::ENERGY);
  comm_reverse_off = N_FORCE + N_VIRIAL + N_CENTROID;
}

PairPWMLFF::~PairPWMLFF()
{
  if (copymode) return;
  memory->destroy(setflag);
  memory->destroy(cutsq);
  delete impl_;
}

/* ---------------------------------------------------------------------- input script */

void PairPWMLFF::settings(int narg, char **arg)
{
  if (narg < 1)
    error->all(
        FLERR,
        "pair_style pwmlff expects a model file: pair_style pwmlff model.pt [block_pairs N]");
  impl_->block_pairs = 0;
  for (int k = 1; k < narg; k += 2) {
    const std::string keyword = arg[k];
    if (keyword != "block_pairs")
      error->all(FLERR, "pair_style pwmlff: unknown keyword '{}'; choose from: block_pairs",
                 keyword);
    if (k + 1 == narg)
      error->all(FLERR, "pair_style pwmlff: keyword '{}' expects a value", keyword);
    const int value = utils::inumeric(FLERR, arg[k + 1], false, lmp);
    if (value < 1)
      error->all(FLERR, "pair_style pwmlff: block_pairs expects a positive number of pairs, got {}",
                 value);
    impl_->block_pairs = static_cast<std::size_t>(value);
  }
  load_model(arg[0]);
}

void PairPWMLFF::load_model(const char *path)
{
  std::string problem;
  std::vector<std::string> old_elements;
  if (impl_->runner) old_elements = impl_->runner->metadata().elements;
  const std::string content = read_on_all_ranks(path, world, comm->me, problem);
  if (!problem.empty())
    error->all(FLERR, "pair_style pwmlff: cannot read model file '{}': {}", path, problem);
  try {
    ModelRunner::set_threads(comm->nthreads);
    impl_->runner = std::make_unique<ModelRunner>(content);
  } catch (const std::exception &failure) {
    problem = failure.what();
  }
  if (!problem.empty())
    error->all(FLERR, "pair_style pwmlff: cannot use model file '{}': {}", path, problem);

  const ModelMetadata &model = impl_->runner->metadata();
  if (comm->me == 0)
    utils::logmesg(lmp, "pair_style pwmlff: {} model '{}' of {}, cutoff {} Angstrom, {}\n",
                   model.model_type, path, join(model.elements), model.cutoff, model.dtype);
  // the same pair_style given again keeps its pair_coeff as long as that still means the same
  if (model.elements != old_elements) forget_elements();
}

void PairPWMLFF::forget_elements()
{
  if (!allocated) return;
  impl_->type_map.clear();
  for (int i = 1; i <= atom->ntypes; i++)
    for (int j = i; j <= atom->ntypes; j++) setflag[i][j] = 0;
}

void PairPWMLFF::coeff(int narg, char **arg)
{
  const int n_types = atom->ntypes;
  if (!allocated) {
    memory->create(setflag, n_types + 1, n_types + 1, "pair:setflag");
    memory->create(cutsq, n_types + 1, n_types + 1, "pair:cutsq");
    allocated = 1;
  }
  if (narg != 2 + n_types || std::strcmp(arg[0], "*") != 0 || std::strcmp(arg[1], "*") != 0)
    error->all(FLERR,
               "pair_coeff of pair_style pwmlff expects '* *' and one element name (or NULL) for "
               "each of the "
               "{} atom types, got {} arguments",
               n_types, narg);

  const std::vector<std::string> &elements = impl_->runner->metadata().elements;
  impl_->type_map.assign(n_types + 1, -1);
  for (int t = 1; t <= n_types; t++) {
    const std::string name = arg[t + 1];
    if (name == "NULL") continue;
    const auto found = std::find(elements.begin(), elements.end(), name);
    if (found == elements.end())
      error->all(FLERR,
                 "pair_coeff: the model does not know element '{}' of atom type {}; it knows: {} "
                 "(or NULL)",
                 name, t, join(elements));
    impl_->type_map[t] = static_cast<int>(found - elements.begin());
  }

  // under hybrid, NULL leaves a type to other styles; alone, such atoms just feel nothing
  const bool is_hybrid = utils::strmatch(force->pair_style ? force->pair_style : "", "^hybrid");
  for (int i = 1; i <= n_types; i++)
    for (int j = i; j <= n_types; j++)
      setflag[i][j] = !is_hybrid || (impl_->type_map[i] >= 0 && impl_->type_map[j] >= 0);
}

/* ---------------------------------------------------------------------- before a run */

void PairPWMLFF::init_style()
{
  const std::string units = update->unit_style;
  if (units == "metal")
    impl_->energy_unit = 1.0;
  else if (units == "real")
    impl_->energy_unit = utils::get_conversion_factor(utils::ENERGY, utils::METAL2REAL);
  else
    error->all(FLERR, "pair_style pwmlff expects units metal or real, got units {}", units);

  for (int k = 1; k <= 3; k++)
    if (atom->nbonds > 0 && force->special_lj[k] == 0.0 && force->special_coul[k] == 0.0)
      error->all(
          FLERR,
          "pair_style pwmlff needs all neighbors, but special_bonds leaves out bonded ones; use "
          "'special_bonds lj/coul 1 1 1'");
  ModelRunner::set_threads(comm->nthreads);
  neighbor->add_request(this, NeighConst::REQ_FULL);
}

double PairPWMLFF::init_one(int i, int j)
{
  if (setflag[i][j] == 0)
    error->all(FLERR, "pair_style pwmlff: pair_coeff is missing for types {} and {}", i, j);
  return impl_->runner->metadata().cutoff;
}

/* ---------------------------------------------------------------------- every step */

void PairPWMLFF::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  prepare_targets();
  evaluate();
  if (!force->newton_pair) collect_ghosts();
}

void PairPWMLFF::prepare_targets()
{
  if (force->newton_pair) return;
  impl_->ghost_width = N_FORCE + (vflag_atom ? N_VIRIAL : 0) + (cvflag_atom ? N_CENTROID : 0);
  impl_->ghosts.assign(static_cast<std::size_t>(atom->nlocal + atom->nghost) * impl_->ghost_width,
                       0.0);
}

void PairPWMLFF::evaluate()
{
  const std::size_t block_pairs =
      impl_->block_pairs ? impl_->block_pairs
                         : static_cast<std::size_t>(PAIRS_PER_THREAD) * std::max(comm->nthreads, 1);
  SystemAdaptor adaptor(*atom, *list, impl_->type_map, impl_->runner->metadata().cutoff,
                        block_pairs);
  while (adaptor.next(impl_->block)) {
    std::string problem;
    try {
      impl_->runner->evaluate(impl_->block, impl_->result);
    } catch (const std::exception &failure) {
      problem = failure.what();
    }
    if (!problem.empty()) error->one(FLERR, "pair_style pwmlff: the model failed: {}", problem);
    tally(impl_->block, impl_->result);
  }
}

// F_i += g, F_j -= g; the virial -r (x) g goes to the neighbor, whose motion changes the energy of
// i: this is the division that makes the heat flux of a many-body model right
void PairPWMLFF::tally(const PairBlock &block, const BlockResult &result)
{
  const double unit = impl_->energy_unit;
  const bool newton = force->newton_pair;
  const int width = impl_->ghost_width;
  for (std::size_t n = 0; n < block.n_atoms(); n++) {
    const int i = block.centers[n];
    const double energy = unit * result.atomic_energies[n];
    double center_force[3] = {0.0, 0.0, 0.0};
    for (std::int64_t k = block.pair_start[n]; k < block.pair_start[n + 1]; k++) {
      const int j = block.neighbors[k];
      const double *const r = &block.pair_vectors[3 * k];
      const double g[3] = {unit * result.pair_gradients[3 * k],
                           unit * result.pair_gradients[3 * k + 1],
                           unit * result.pair_gradients[3 * k + 2]};
      // with newton off the row of j in our own buffer, otherwise LAMMPS's arrays
      double *const row = newton ? nullptr : &impl_->ghosts[static_cast<std::size_t>(j) * width];
      double *const f_j = newton ? atom->f[j] : row;
      for (int d = 0; d < 3; d++) {
        center_force[d] += g[d];
        f_j[d] -= g[d];
      }
      if (!vflag_either) continue;
      const double v[9] = {-r[0] * g[0], -r[1] * g[1], -r[2] * g[2], -r[0] * g[1], -r[0] * g[2],
                           -r[1] * g[2], -r[1] * g[0], -r[2] * g[0], -r[2] * g[1]};
      // the symmetric part: single pairs of a many-body model need not be central
      const double s[6] = {
          v[0], v[1], v[2], 0.5 * (v[3] + v[6]), 0.5 * (v[4] + v[7]), 0.5 * (v[5] + v[8])};
      if (vflag_global)
        for (int d = 0; d < N_VIRIAL; d++) virial[d] += s[d];
      if (vflag_atom) {
        double *const target = newton ? vatom[j] : row + N_FORCE;
        for (int d = 0; d < N_VIRIAL; d++) target[d] += s[d];
      }
      if (cvflag_atom) {
        double *const target = newton ? cvatom[j] : row + width - N_CENTROID;
        for (int d = 0; d < N_CENTROID; d++) target[d] += v[d];
      }
    }
    if (!std::isfinite(energy + center_force[0] + center_force[1] + center_force[2]))
      error->one(FLERR,
                 "pair_style pwmlff: energy or force of atom {} is not finite on step {}; two "
                 "atoms may be at the "
                 "same place or the time step too long",
                 atom->tag[i], update->ntimestep);
    for (int d = 0; d < 3; d++) atom->f[i][d] += center_force[d];
    if (eflag_global) eng_vdwl += energy;
    if (eflag_atom) eatom[i] += energy;
  }
}

/* ---------------------------------------------------------------------- newton off */

void PairPWMLFF::collect_ghosts()
{
  comm->reverse_comm(this, impl_->ghost_width);
  for (int i = 0; i < atom->nlocal; i++) {
    const double *const row = &impl_->ghosts[static_cast<std::size_t>(i) * impl_->ghost_width];
    for (int d = 0; d < N_FORCE; d++) atom->f[i][d] += row[d];
    if (vflag_atom)
      for (int d = 0; d < N_VIRIAL; d++) vatom[i][d] += row[N_FORCE + d];
    if (cvflag_atom)
      for (int d = 0; d < N_CENTROID; d++) cvatom[i][d] += row[impl_->ghost_width - N_CENTROID + d];
  }
}

int PairPWMLFF::pack_reverse_comm(int n, int first, double *buffer)
{
  const auto start =
      impl_->ghosts.begin() + static_cast<std::ptrdiff_t>(first) * impl_->ghost_width;
  const int size = n * impl_->ghost_width;
  std::copy(start, start + size, buffer);
  return size;
}

void PairPWMLFF::unpack_reverse_comm(int n, int *targets, double *buffer)
{
  for (int k = 0; k < n; k++) {
    double *const row = &impl_->ghosts[static_cast<std::size_t>(targets[k]) * impl_->ghost_width];
    for (int d = 0; d < impl_->ghost_width; d++) row[d] += *buffer++;
  }
}

double PairPWMLFF::memory_usage()
{
  const std::size_t doubles = impl_->result.atomic_energies.capacity() +
                              impl_->result.pair_gradients.capacity() + impl_->ghosts.capacity();
  return Pair::memory_usage() + impl_->block.bytes() +
         static_cast<double>(doubles * sizeof(double));
}
