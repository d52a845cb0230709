// The instruction set of the processor this runs on, asked once.
#pragma once

namespace pwmlff {

enum class Isa { v2, v3, v4, generic };

// The widest set that both the processor and the library have.
Isa processor_isa();

// Its name, for messages.
const char *isa_name(Isa isa);

}  // namespace pwmlff

// Calls `function` of the namespace compiled for this processor.
#if defined(__x86_64__)
#define PWMLFF_DISPATCH(function, ...)              \
  switch (processor_isa()) {                        \
    case Isa::v4: return v4::function(__VA_ARGS__); \
    case Isa::v3: return v3::function(__VA_ARGS__); \
    default: return v2::function(__VA_ARGS__);      \
  }
#else
#define PWMLFF_DISPATCH(function, ...) return generic::function(__VA_ARGS__)
#endif
