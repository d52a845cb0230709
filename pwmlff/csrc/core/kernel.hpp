// A kernel is named by the struct of its arguments, and compiled once per instruction set.
//
// Whoever needs one fills the struct and calls `run(arguments, first, last)`, which picks the instruction set of this
// processor. Whoever writes one gives the namespace PWMLFF_ISA a function template of the same form, in a file
// *_kernels.cpp that says at its end PWMLFF_KERNEL(name of the struct). An evaluator is made the same way, from a
// description of the model: `make_for_processor(description)` there, `make(description)` and PWMLFF_EVALUATOR here.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "evaluator.hpp"
#include "isa.hpp"

namespace pwmlff {

// What the macros below define, for one instruction set each.
template <Isa isa, typename Arguments>
void run_compiled(const Arguments &arguments, std::int64_t first, std::int64_t last);
template <Isa isa, typename Description>
std::unique_ptr<const Evaluator> make_compiled(const Description &description);

// Calls `function` with the instruction set of this processor as a constant.
template <typename Function>
auto with_isa(Function function) {
#if defined(__x86_64__)
  switch (processor_isa()) {
    case Isa::v4: return function(std::integral_constant<Isa, Isa::v4>());
    case Isa::v3: return function(std::integral_constant<Isa, Isa::v3>());
    default: return function(std::integral_constant<Isa, Isa::v2>());
  }
#else
  return function(std::integral_constant<Isa, Isa::generic>());
#endif
}

// Works on the items first..last: atoms, pairs, tiles, as the arguments say.
template <typename Arguments>
void run(const Arguments &arguments, std::int64_t first, std::int64_t last) {
  with_isa([&](auto isa) { run_compiled<decltype(isa)::value>(arguments, first, last); });
}

template <typename Description>
std::unique_ptr<const Evaluator> make_for_processor(const Description &description) {
  return with_isa([&](auto isa) { return make_compiled<decltype(isa)::value>(description); });
}

}  // namespace pwmlff

// Both stand outside of all namespaces; the name is that of a template over the type of the numbers, within pwmlff.
#define PWMLFF_KERNEL_OF(Arguments)                                                                          \
  template <>                                                                                                \
  void pwmlff::run_compiled<pwmlff::Isa::PWMLFF_ISA>(const pwmlff::Arguments &arguments, std::int64_t first, \
                                                     std::int64_t last) {                                    \
    pwmlff::PWMLFF_ISA::run(arguments, first, last);                                                         \
  }
#define PWMLFF_KERNEL(Arguments)      \
  PWMLFF_KERNEL_OF(Arguments<double>) \
  PWMLFF_KERNEL_OF(Arguments<float>)

#define PWMLFF_EVALUATOR_OF(Description)                                                   \
  template <>                                                                              \
  std::unique_ptr<const pwmlff::Evaluator> pwmlff::make_compiled<pwmlff::Isa::PWMLFF_ISA>( \
      const pwmlff::Description &description) {                                            \
    return pwmlff::PWMLFF_ISA::make(description);                                          \
  }
#define PWMLFF_EVALUATOR(Description)      \
  PWMLFF_EVALUATOR_OF(Description<double>) \
  PWMLFF_EVALUATOR_OF(Description<float>)
