// SPDX-License-Identifier: GPL-2.0-or-later
//
// What LAMMPS loads at start. It needs nothing of LAMMPS or MPI at link time, so that it always
// loads, starts `lmp` without delay, and can say what is wrong; the pair style is loaded when an
// input uses it, and torch only by a model that needs it.

#include "lammpsplugin.h"
#include "library_beside.h"

#include "exceptions.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

// the C library interface of LAMMPS keeps its form between releases, the classes do not
template <typename Function> Function host_function(const char *name)
{
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

int host_setting(void *lmp, const char *name)
{
  const auto extract_setting =
      host_function<int (*)(void *, const char *)>("lammps_extract_setting");
  return extract_setting ? extract_setting(lmp, name) : -1;
}

bool is_mpich_abi(std::string &library)
{
  const auto library_version = host_function<int (*)(char *, int *)>("MPI_Get_library_version");
  if (!library_version) {
    library = "no MPI library";
    return false;
  }
  char text[8192] = "";    // MPI_MAX_LIBRARY_VERSION_STRING of MPICH
  int length = 0;
  library_version(text, &length);
  library = std::string(text, std::strcspn(text, "\n,"));
  return library.find("Open MPI") == std::string::npos;
}

// returns an empty text when the running LAMMPS is what this plugin was compiled for
std::string mismatch(void *lmp)
{
  const auto version = host_function<int (*)(void *)>("lammps_version");
  const int running_version = version ? version(lmp) : 0;
  if (running_version != PWMLFF_LAMMPS_DATE)
    return "it was compiled for LAMMPS " PWMLFF_LAMMPS_RELEASE " (" +
           std::to_string(PWMLFF_LAMMPS_DATE) + "), this is " + std::to_string(running_version) +
           "; use the `lmp` that was installed with pwmlff, or install pwmlff again beside this "
           "one";
  const int tagint_size = host_setting(lmp, "tagint");
  const int bigint_size = host_setting(lmp, "bigint");
  if (tagint_size != 4 || bigint_size != 8)
    return "it was compiled for 4-byte atom IDs and 8-byte counts (SMALLBIG), this LAMMPS has " +
           std::to_string(tagint_size) + " and " + std::to_string(bigint_size);
  std::string mpi;
  if (!is_mpich_abi(mpi))
    return "it needs an MPI library with the MPICH ABI (MPICH, Intel MPI, MVAPICH, Cray MPI), "
           "found " +
           mpi;
  return "";
}

// n processes that do not know of each other would each run the whole simulation
bool is_started_by_open_mpi(void *lmp)
{
  const char *n_started = std::getenv("OMPI_COMM_WORLD_SIZE");
  return n_started && std::atoi(n_started) > 1 && host_setting(lmp, "universe_size") == 1;
}

// LAMMPS and pwmlff, with torch, bring one OpenMP runtime each. Threads that wait by spinning take
// the cores from those of the other runtime and from other processes, at each of the many short
// parallel regions of a model.
void let_waiting_threads_sleep()
{
  if (!std::getenv("OMP_WAIT_POLICY") && !std::getenv("GOMP_SPINCOUNT"))
    setenv("OMP_WAIT_POLICY", "passive", 0);
}

void *create_pair(LAMMPS_NS::LAMMPS *lmp)
{
  using Creator = void *(*)(LAMMPS_NS::LAMMPS *);
  static Creator creator = nullptr;
  if (!creator) {
    let_waiting_threads_sleep();    // read by the runtime when it is loaded
    void *library = load_library_beside("libpwmlff_lammps.so");
    if (library) creator = reinterpret_cast<Creator>(dlsym(library, "pwmlff_create_pair"));
  }
  if (!creator) {
    const char *reason = dlerror();
    const std::string message = std::string("pair_style pwmlff cannot load its library: ") +
                                (reason ? reason : "no pwmlff_create_pair in it") +
                                "; `pwmlff info` tells more";
    // other ranks, on other machines, may have succeeded and would wait for this one
    std::fprintf(stderr, "ERROR: %s\n", message.c_str());
    throw LAMMPS_NS::LAMMPSAbortException(message, MPI_COMM_WORLD);
  }
  return creator(lmp);
}

}    // namespace

void lammpsplugin_init(void *lmp, void *handle, void *register_function)
{
  const std::string problem = mismatch(lmp);
  if (!problem.empty()) {
    if (host_setting(lmp, "world_rank") <= 0)
      std::fprintf(stderr, "WARNING: pair_style pwmlff is not available: %s\n", problem.c_str());
    return;
  }
  const char *open_mpi_rank = std::getenv("OMPI_COMM_WORLD_RANK");
  if (is_started_by_open_mpi(lmp) && open_mpi_rank && std::atoi(open_mpi_rank) == 0)
    std::fprintf(stderr, "WARNING: the mpirun of Open MPI started several LAMMPS that do not know "
                         "of each other; use the "
                         "mpirun that was installed with pwmlff (see `pwmlff info`)\n");
  lammpsplugin_t plugin;
  plugin.version = PWMLFF_LAMMPS_RELEASE;
  plugin.style = "pair";
  plugin.name = "pwmlff";
  plugin.info = "machine-learned force fields exported by pwmlff";
  plugin.author = "the pwmlff developers";
  plugin.creator.v1 = &create_pair;
  plugin.handle = handle;
  reinterpret_cast<lammpsplugin_register>(register_function)(&plugin, lmp);
}
