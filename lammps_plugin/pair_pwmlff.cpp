// SPDX-License-Identifier: GPL-2.0-or-later

#include "pair_pwmlff.h"

#include "elements.h"
#include "fix_rows.h"
#include "model_kinds.h"
#include "model_source.h"
#include "pair_pwmlff_impl.h"
#include "stop_rank.h"
#include "stored_path.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cstring>
#include <set>

using namespace LAMMPS_NS;

namespace {

constexpr std::size_t LONGEST_MESSAGE = 800;

// what a file says of itself may be in a message
std::string one_line(std::string text)
{
  for (char &character : text)
    if (static_cast<unsigned char>(character) < ' ' || character == 127) character = '?';
  return text.size() <= LONGEST_MESSAGE ? text : text.substr(0, LONGEST_MESSAGE) + "...";
}

std::string join(const std::vector<std::string> &names)
{
  std::string text;
  for (const std::string &name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

// of the ranks on this machine: they share its devices
int rank_on_this_node(MPI_Comm world, int me)
{
  MPI_Comm node;
  int rank = 0;
  MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, me, MPI_INFO_NULL, &node);
  MPI_Comm_rank(node, &rank);
  MPI_Comm_free(&node);
  return rank;
}

// a symbol as it is; that of an atomic number
std::string element_of(const std::string &word)
{
  const std::string symbol =
      utils::is_integer(word) && word.size() < 4 ? symbol_of(std::stoi(word)) : "";
  return symbol.empty() ? word : symbol;
}

}    // namespace

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
  comm_reverse_off = Impl::N_FORCE + Impl::N_VIRIAL + Impl::N_CENTROID;
}

PairPWMLFF::~PairPWMLFF()
{
  if (copymode) return;
  FixPWMLFFRows::remove(lmp, id_of_fix());
  memory->destroy(setflag);
  memory->destroy(cutsq);
  delete impl_;
}

/* ---------------------------------------------------------------------- input script */

void PairPWMLFF::settings(int narg, char **arg)
{
  const std::vector<std::string> models_before = impl_->arguments.models;
  impl_->arguments = PairArguments::parse(narg, arg, lmp);
  const PairArguments &arguments = impl_->arguments;
  const int cuda = arguments.cuda ? rank_on_this_node(world, comm->me) : -1;
  impl_->members.clear();
  for (std::string &path : impl_->arguments.models) path = stored_path(path, world);
  for (const std::string &path : arguments.models) load_model(path, cuda);
  check_elements_agree();
  // the same pair_style given again keeps its pair_coeff as long as that still means the same
  if (!map_types()) forget_elements();

  impl_->deviation_step = -1;
  // each pair_style begins the file anew, unless it is told to continue it
  const bool continues =
      impl_->file && arguments.file.append && impl_->file->options().is_same_file(arguments.file);
  if (!continues || arguments.models != models_before) impl_->row = LastRow();
  if (!continues) impl_->file = std::make_unique<DeviationFile>(arguments.file);
}

void PairPWMLFF::load_model(const std::string &path, int cuda)
{
  Member member;
  std::string problem;
  try {
    const ModelInput input = read_model(ModelSource(path, world));
    member.runner =
        make_model_runner(input, impl_->arguments.backend, cuda, impl_->arguments.trust);
  } catch (const CannotRead &failure) {
    problem = "cannot read model file '" + path + "': " + failure.what();
    if (is_cut_by_lammps(path)) problem += std::string("; ") + PATH_ADVICE;
  } catch (const std::exception &failure) {
    problem = "cannot use model file '" + path + "': " + failure.what();
  }
  // a library or device may be missing on one machine only, and error->all() waits for all ranks
  int n_failed = 0;
  const int has_failed = !problem.empty();
  MPI_Allreduce(&has_failed, &n_failed, 1, MPI_INT, MPI_SUM, world);
  const std::string message = "pair_style pwmlff: " + one_line(problem);
  if (n_failed == comm->nprocs) error->all(FLERR, message);
  if (has_failed) stop_rank(*error, FLERR, message);

  const ModelMetadata &model = member.runner->metadata();
  if (comm->me == 0)
    utils::logmesg(lmp, "pair_style pwmlff: {} model '{}' of {}, cutoff {} Angstrom, {}, {}\n",
                   model.model_type, path, join(model.elements), model.cutoff, model.dtype,
                   member.runner->backend());
  impl_->members.push_back(std::move(member));
}

void PairPWMLFF::check_elements_agree() const
{
  const auto names = [this](std::size_t k) {
    return impl_->members[k].runner->metadata().elements;
  };
  const std::vector<std::string> first = names(0);
  for (std::size_t k = 1; k < impl_->members.size(); k++) {
    const std::vector<std::string> other = names(k);
    if (std::set<std::string>(first.begin(), first.end()) !=
        std::set<std::string>(other.begin(), other.end()))
      error->all(FLERR,
                 "pair_style pwmlff: all models must know the same elements, but '{}' knows {} and "
                 "'{}' knows {}",
                 impl_->arguments.models[0], join(first), impl_->arguments.models[k], join(other));
  }
}

// false when an element of pair_coeff is unknown to the models
bool PairPWMLFF::map_types()
{
  const std::size_t n_types = impl_->type_names.size();
  for (Member &member : impl_->members) {
    const std::vector<std::string> &elements = member.runner->metadata().elements;
    member.type_map.assign(n_types, -1);
    for (std::size_t t = 1; t < n_types; t++) {
      if (impl_->type_names[t] == "NULL") continue;
      const auto element = std::find(elements.begin(), elements.end(), impl_->type_names[t]);
      if (element == elements.end()) return false;
      member.type_map[t] = static_cast<int>(element - elements.begin());
    }
  }
  return true;
}

void PairPWMLFF::forget_elements()
{
  impl_->type_names.clear();
  if (!allocated) return;
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
               "pair_coeff of pair_style pwmlff expects '* *' and one element (or NULL) for "
               "each of the {} atom types, got {} arguments",
               n_types, narg);

  const std::vector<std::string> &elements = impl_->members[0].runner->metadata().elements;
  impl_->type_names.assign(n_types + 1, "NULL");
  for (int t = 1; t <= n_types; t++) {
    const std::string name = element_of(arg[t + 1]);
    if (name != "NULL" && std::find(elements.begin(), elements.end(), name) == elements.end())
      error->all(FLERR,
                 "pair_coeff: the model does not know element '{}' of atom type {}; it knows: {} "
                 "(or NULL)",
                 arg[t + 1], t, join(elements));
    impl_->type_names[t] = name;
  }
  map_types();
  impl_->has_looked_at_masses = false;

  // under hybrid, NULL leaves a type to other styles; alone, such atoms just feel nothing
  const std::vector<int> &type_map = impl_->members[0].type_map;
  const bool is_hybrid = utils::strmatch(force->pair_style ? force->pair_style : "", "^hybrid");
  for (int i = 1; i <= n_types; i++)
    for (int j = i; j <= n_types; j++)
      setflag[i][j] = !is_hybrid || (type_map[i] >= 0 && type_map[j] >= 0);
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
  warn_of_masses();
  std::vector<const ModelRunner *> runners;
  for (const Member &member : impl_->members) {
    member.runner->set_threads(comm->nthreads);
    runners.push_back(member.runner.get());
  }
  impl_->overflow_watch.begin_run(runners, impl_->arguments.models);
  neighbor->add_request(this, NeighConst::REQ_FULL);

  // LAMMPS also gets ready for commands that run nothing
  if (impl_->is_committee() && impl_->arguments.out_freq > 0 && update->whichflag != 0) open_file();
  impl_->row.is_of_earlier_run = true;
  impl_->deviation_step = -1;
  if (impl_->is_committee())
    FixPWMLFFRows::put_last(lmp, id_of_fix(), [this] { return end_step(); });
  else
    FixPWMLFFRows::remove(lmp, id_of_fix());
}

// a mass of another element mostly means that the elements are in another order than the types
void PairPWMLFF::warn_of_masses()
{
  if (impl_->has_looked_at_masses || !atom->mass || atom->rmass) return;
  impl_->has_looked_at_masses = true;
  for (int t = 1; t <= atom->ntypes; t++) {
    const std::string other =
        atom->mass_setflag[t] ? other_element_of_mass(impl_->type_names[t], atom->mass[t]) : "";
    if (comm->me == 0 && !other.empty())
      error->warning(
          FLERR,
          "pair_style pwmlff: pair_coeff says that atom type {} is {}, but its mass {:.6g} "
          "is that of {}; the elements belong in the order of the atom types",
          t, impl_->type_names[t], atom->mass[t], other);
  }
}

void PairPWMLFF::open_file()
{
  std::string problem, notice;
  if (comm->me == 0) {
    try {
      notice = impl_->file->open();
    } catch (const std::exception &failure) {
      problem = failure.what();
    }
  }
  int has_failed = !problem.empty();
  MPI_Bcast(&has_failed, 1, MPI_INT, 0, world);
  if (has_failed) error->all(FLERR, "pair_style pwmlff: model deviation: {}", problem);
  if (!notice.empty()) utils::logmesg(lmp, "pair_style pwmlff: {}\n", notice);
}

std::string PairPWMLFF::id_of_fix() const
{
  return "PWMLFF_ROWS_" + std::to_string(instance_me);
}

double PairPWMLFF::init_one(int i, int j)
{
  if (setflag[i][j] == 0)
    error->all(FLERR, "pair_style pwmlff: pair_coeff is missing for types {} and {}", i, j);
  double cutoff = 0.0;
  for (const Member &member : impl_->members)
    cutoff = std::max(cutoff, member.runner->metadata().cutoff);
  return cutoff;
}

/* ---------------------------------------------------------------------- for fix pair */

void *PairPWMLFF::extract(const char *name, int &dim)
{
  dim = 0;
  if (!impl_->is_committee()) return nullptr;
  if (std::strcmp(name, "deviation_flag") == 0) return &impl_->force_wanted;
  if (std::strcmp(name, "deviation_energy_flag") == 0) return &impl_->energy_wanted;
  return nullptr;
}

void *PairPWMLFF::extract_peratom(const char *name, int &n_columns)
{
  const bool is_force = std::strcmp(name, "deviation") == 0;
  if (!impl_->is_committee() || (!is_force && std::strcmp(name, "deviation_energy") != 0))
    return nullptr;
  n_columns = 0;
  // old numbers would be read for other atoms; outside of a run nobody reads them
  const bool is_step = update->ntimestep >= 0;    // see FixPWMLFFRows::post_force
  if (update->whichflag != 0 && is_step && impl_->deviation_step != update->ntimestep)
    error->all(FLERR,
               "pair_style pwmlff: the deviation of the models was not computed on step {}; ask "
               "for it by the flag 1 of fix pair ('fix ID group pair N pwmlff {} 1')",
               update->ntimestep, name);
  return is_force ? impl_->deviation.force_deviation.data()
                  : impl_->deviation.energy_deviation.data();
}

double PairPWMLFF::memory_usage()
{
  const std::size_t doubles =
      impl_->result.atomic_energies.capacity() + impl_->result.pair_gradients.capacity();
  return Pair::memory_usage() + impl_->block.bytes() + impl_->off_rows.bytes() +
         impl_->committee_rows.bytes() + impl_->deviation.bytes() +
         static_cast<double>(doubles * sizeof(double));
}
