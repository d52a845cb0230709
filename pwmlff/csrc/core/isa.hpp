// The instruction set of the processor this runs on, asked once.
#pragma once

namespace pwmlff {

enum class Isa { v2, v3, v4, generic };

// The widest set that both the processor and the library have.
Isa processor_isa();

// Its name, for messages.
const char *isa_name(Isa isa);

}  // namespace pwmlff
