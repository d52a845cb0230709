#include "isa.hpp"

namespace pwmlff {

namespace {

Isa detect() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4")) return Isa::v4;
  if (__builtin_cpu_supports("x86-64-v3")) return Isa::v3;
  return Isa::v2;
#else
  return Isa::generic;
#endif
}

}  // namespace

Isa processor_isa() {
  static const Isa isa = detect();
  return isa;
}

const char *isa_name(Isa isa) {
  switch (isa) {
    case Isa::v4: return "x86-64-v4";
    case Isa::v3: return "x86-64-v3";
    case Isa::v2: return "x86-64-v2";
    default: return "generic";
  }
}

}  // namespace pwmlff
