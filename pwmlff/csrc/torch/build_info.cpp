// What this library was compiled with, for `pwmlff info` and for messages about mismatches.

#include <string>

#include <torch/library.h>
#include <torch/version.h>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace {

std::string build_info() {
  std::string info = "compiler=" __VERSION__ ";torch=" TORCH_VERSION ";isa=" PWMLFF_ISAS ";cuda=" PWMLFF_CUDA;
#ifdef _OPENMP
  info += ";openmp=" + std::to_string(_OPENMP);
#else
  info += ";openmp=none";
#endif
  return info;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(pwmlff, library) {
  library.def("build_info() -> str", &build_info);
}
