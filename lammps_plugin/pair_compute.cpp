// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the pair style does on every step.

#include "pair_pwmlff.h"

#include "pair_pwmlff_impl.h"
#include "stop_rank.h"
#include "system_adaptor.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>

using namespace LAMMPS_NS;

namespace {

// of a block: large enough to hide overheads, small enough for caches
constexpr int PAIRS_PER_THREAD = 3072, PAIRS_PER_GPU = 131072;

// xx yy zz xy xz yz yx zx zy of -r (x) g
void pair_virial(const double *r, const double *g, double *v)
{
  v[0] = -r[0] * g[0];
  v[1] = -r[1] * g[1];
  v[2] = -r[2] * g[2];
  v[3] = -r[0] * g[1];
  v[4] = -r[0] * g[2];
  v[5] = -r[1] * g[2];
  v[6] = -r[1] * g[0];
  v[7] = -r[2] * g[0];
  v[8] = -r[2] * g[1];
}

}    // namespace

void PairPWMLFF::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  if (!force->newton_pair)
    impl_->off_rows.reset(atom->nlocal + atom->nghost, Impl::N_FORCE +
                                                           (vflag_atom ? Impl::N_VIRIAL : 0) +
                                                           (cvflag_atom ? Impl::N_CENTROID : 0));
  if (!wants_deviation()) {
    evaluate(0,
             [this](const PairBlock &block, const BlockResult &result) { tally(block, result); });
    if (!force->newton_pair) collect_ghosts();
    warn_of_overflows();
    return;
  }

  evaluate_committee(true);
  report_deviation();
  warn_of_overflows();
}

// where LAMMPS sums energies over the ranks anyway: the steps of thermo output, the last one among
// them
void PairPWMLFF::warn_of_overflows()
{
  if (!eflag_global) return;
  const std::string warning = impl_->overflow_watch.first_met(world);
  if (comm->me == 0 && !warning.empty())
    error->warning(FLERR,
                   "pair_style pwmlff: step {}: {}; it extrapolates there, look at the structure",
                   update->ntimestep, warning);
}

void PairPWMLFF::finish()
{
  const std::string message = impl_->overflow_watch.end_run(world);
  if (comm->me == 0 && !message.empty())
    utils::logmesg(lmp, "pair_style pwmlff: in this run {}\n", message);
}

template <typename Use> void PairPWMLFF::evaluate(std::size_t k, Use use)
{
  std::size_t block_pairs = impl_->arguments.block_pairs;
  if (block_pairs == 0)
    block_pairs = impl_->arguments.cuda
                      ? PAIRS_PER_GPU
                      : static_cast<std::size_t>(PAIRS_PER_THREAD) * std::max(comm->nthreads, 1);
  const Member &member = impl_->members[k];
  SystemAdaptor adaptor(*atom, *list, member.type_map, member.runner->metadata().cutoff,
                        block_pairs);
  while (adaptor.next(impl_->block)) {
    std::string problem;
    try {
      member.runner->evaluate(impl_->block, impl_->result);
    } catch (const std::exception &failure) {
      problem = failure.what();
    }
    if (!problem.empty())
      stop_rank(*error, FLERR,
                fmt::format("pair_style pwmlff: model '{}' failed: {}", impl_->arguments.models[k],
                            problem));
    use(impl_->block, impl_->result);
  }
}

// F_i += g, F_j -= g; the virial -r (x) g goes to the neighbor, whose motion changes the energy of
// i: this is the division that makes the heat flux of a many-body model right
void PairPWMLFF::tally(const PairBlock &block, const BlockResult &result)
{
  const double unit = impl_->energy_unit;
  const bool newton = force->newton_pair;
  const int width = impl_->off_rows.width();
  // with newton off rows of our own buffer, otherwise LAMMPS's arrays
  double *const forces = newton ? atom->f[0] : impl_->off_rows.row(0);
  const std::size_t force_stride = newton ? 3 : width;
  for (std::size_t n = 0; n < block.n_atoms(); n++) {
    const int i = block.centers[n];
    const double energy = unit * result.atomic_energies[n];
    double center_force[3] = {0.0, 0.0, 0.0};
    for (std::int64_t k = block.pair_start[n]; k < block.pair_start[n + 1]; k++) {
      const int j = block.neighbors[k];
      const double g[3] = {unit * result.pair_gradients[3 * k],
                           unit * result.pair_gradients[3 * k + 1],
                           unit * result.pair_gradients[3 * k + 2]};
      double *const f_j = forces + force_stride * j;
      for (int d = 0; d < 3; d++) {
        center_force[d] += g[d];
        f_j[d] -= g[d];
      }
      if (!vflag_either) continue;
      double v[9];
      pair_virial(&block.pair_vectors[3 * k], g, v);
      // the symmetric part: single pairs of a many-body model need not be central
      const double s[6] = {
          v[0], v[1], v[2], 0.5 * (v[3] + v[6]), 0.5 * (v[4] + v[7]), 0.5 * (v[5] + v[8])};
      if (vflag_global)
        for (int d = 0; d < Impl::N_VIRIAL; d++) virial[d] += s[d];
      if (vflag_atom) {
        double *const target = newton ? vatom[j] : f_j + Impl::N_FORCE;
        for (int d = 0; d < Impl::N_VIRIAL; d++) target[d] += s[d];
      }
      if (cvflag_atom) {
        double *const target = newton ? cvatom[j] : f_j + width - Impl::N_CENTROID;
        for (int d = 0; d < Impl::N_CENTROID; d++) target[d] += v[d];
      }
    }
    check_finite(energy, center_force, i, 0);
    for (int d = 0; d < 3; d++) atom->f[i][d] += center_force[d];
    if (eflag_global) eng_vdwl += energy;
    if (eflag_atom) eatom[i] += energy;
  }
}

void PairPWMLFF::check_finite(double energy, const double *force, int i, std::size_t k) const
{
  if (std::isfinite(energy + force[0] + force[1] + force[2])) return;
  // an atom that is nowhere spoils those around it
  for (int j = 0; j < atom->nlocal + atom->nghost; j++) {
    const double *const x = atom->x[j];
    if (!std::isfinite(x[0] + x[1] + x[2]))
      stop_rank(*error, FLERR,
                fmt::format("pair_style pwmlff: the position of atom {} is not finite on step {}; "
                            "look at its velocity and at the forces of other styles and fixes on "
                            "it, or choose a shorter time step",
                            atom->tag[j], update->ntimestep));
  }
  stop_rank(*error, FLERR,
            fmt::format("pair_style pwmlff: energy or force of atom {} is not finite on step {} "
                        "with model '{}'; two atoms may be at the same place or the time step too "
                        "long",
                        atom->tag[i], update->ntimestep, impl_->arguments.models[k]));
}

/* ---------------------------------------------------------------------- newton off */

void PairPWMLFF::collect_ghosts()
{
  GhostRows &rows = impl_->off_rows;
  send_home(rows);
  for (int i = 0; i < atom->nlocal; i++) {
    const double *const row = rows.row(i);
    for (int d = 0; d < Impl::N_FORCE; d++) atom->f[i][d] += row[d];
    if (vflag_atom)
      for (int d = 0; d < Impl::N_VIRIAL; d++) vatom[i][d] += row[Impl::N_FORCE + d];
    if (cvflag_atom)
      for (int d = 0; d < Impl::N_CENTROID; d++)
        cvatom[i][d] += row[rows.width() - Impl::N_CENTROID + d];
  }
}

void PairPWMLFF::send_home(GhostRows &rows)
{
  impl_->travelling = &rows;
  comm->reverse_comm(this, rows.width());
}

int PairPWMLFF::pack_reverse_comm(int n, int first, double *buffer)
{
  return impl_->travelling->pack(n, first, buffer);
}

void PairPWMLFF::unpack_reverse_comm(int n, int *targets, double *buffer)
{
  impl_->travelling->unpack(n, targets, buffer);
}

/* ---------------------------------------------------------------------- committee */

bool PairPWMLFF::wants_deviation() const
{
  if (!impl_->is_committee()) return false;
  return impl_->force_wanted || impl_->energy_wanted || is_step_of_row();
}

bool PairPWMLFF::is_step_of_row() const
{
  const int out_freq = impl_->arguments.out_freq;
  return out_freq > 0 && update->ntimestep % out_freq == 0;
}

// `drives`: the first member acts on the atoms
void PairPWMLFF::evaluate_committee(bool drives)
{
  impl_->n_own = atom->nlocal;
  impl_->n_ghost = atom->nghost;
  impl_->deviation.reset(impl_->members.size(), atom->nlocal);
  for (std::size_t k = 0; k < impl_->members.size(); k++) {
    begin_member();
    evaluate(k, [this, k, drives](const PairBlock &block, const BlockResult &result) {
      if (k == 0 && drives) tally(block, result);
      add_to_member(k, block, result);
    });
    if (k == 0 && drives && !force->newton_pair) collect_ghosts();
    end_member(k);
  }
}

void PairPWMLFF::begin_member()
{
  impl_->committee_rows.reset(atom->nlocal + atom->nghost, Impl::N_FORCE);
}

void PairPWMLFF::add_to_member(std::size_t member, const PairBlock &block,
                               const BlockResult &result)
{
  const double unit = impl_->energy_unit;
  double *const total_virial = impl_->deviation.virial(member);
  for (std::size_t n = 0; n < block.n_atoms(); n++) {
    const int i = block.centers[n];
    double center_force[3] = {0.0, 0.0, 0.0};
    for (std::int64_t k = block.pair_start[n]; k < block.pair_start[n + 1]; k++) {
      double *const f_j = impl_->committee_rows.row(block.neighbors[k]);
      double g[3], v[9];
      for (int d = 0; d < 3; d++) {
        g[d] = unit * result.pair_gradients[3 * k + d];
        center_force[d] += g[d];
        f_j[d] -= g[d];
      }
      pair_virial(&block.pair_vectors[3 * k], g, v);
      for (int d = 0; d < 9; d++) total_virial[d] += v[d];
    }
    const double energy = unit * result.atomic_energies[n];
    check_finite(energy, center_force, i, member);
    impl_->deviation.energies(member)[i] = energy;
    for (int d = 0; d < 3; d++) impl_->committee_rows.row(i)[d] += center_force[d];
  }
}

void PairPWMLFF::end_member(std::size_t member)
{
  send_home(impl_->committee_rows);
  const double *const forces = impl_->committee_rows.row(0);
  std::copy(forces, forces + 3 * static_cast<std::size_t>(atom->nlocal),
            impl_->deviation.forces(member));
}

void PairPWMLFF::report_deviation()
{
  std::vector<char> known(atom->nlocal);
  for (int i = 0; i < atom->nlocal; i++) known[i] = impl_->members[0].type_map[atom->type[i]] >= 0;
  const DeviationSummary summary = impl_->deviation.compute(known, world);
  impl_->deviation_step = update->ntimestep;
  impl_->deviation_geometry = Fingerprint::of(*atom, *domain, world);
  if (is_step_of_row()) write_row(summary);
}

void PairPWMLFF::write_row(const DeviationSummary &summary)
{
  LastRow &row = impl_->row;
  const Fingerprint &here = impl_->deviation_geometry;
  const bool is_last = row.step == update->ntimestep &&
                       (!row.is_of_earlier_run || here.is_near(row.geometry, world));
  row.is_repeated = is_last && (row.is_of_earlier_run || row.is_repeated);
  row.is_of_earlier_run = false;
  row.step = update->ntimestep;
  row.geometry = here;
  row.summary = summary;
  put_into_file(is_last);
}

void PairPWMLFF::put_into_file(bool replaces)
{
  if (comm->me != 0) return;
  const LastRow &row = impl_->row;
  std::string problem;
  try {
    if (replaces)
      impl_->file->replace(row.step, row.summary);
    else
      impl_->file->write(row.step, row.summary);
  } catch (const std::exception &failure) {
    problem = failure.what();
  }
  if (!problem.empty()) stop_rank(*error, FLERR, "pair_style pwmlff: model deviation: " + problem);
}

// Before the output of a step, after all other fixes. Returns whether the models were evaluated
// again.
bool PairPWMLFF::end_step()
{
  if (impl_->deviation_step != update->ntimestep) return false;
  // Only in `rerun` the step that ends is the one that a run began with: each frame has its row.
  LastRow &row = impl_->row;
  if (row.is_repeated && row.step == update->ntimestep) {
    row.is_repeated = false;
    put_into_file(false);
  }
  // A fix has moved atoms or changed the box since: a dump shows this. Where atoms have come or
  // gone, the neighbor list is of no use any more.
  if (Fingerprint::of(*atom, *domain, world).is_near(impl_->deviation_geometry, world))
    return false;
  const int is_list_of_others = impl_->n_own != atom->nlocal || impl_->n_ghost != atom->nghost;
  int is_anywhere = 0;
  MPI_Allreduce(&is_list_of_others, &is_anywhere, 1, MPI_INT, MPI_MAX, world);
  if (is_anywhere) return false;
  comm->forward_comm();
  evaluate_committee(false);
  report_deviation();
  return true;
}
