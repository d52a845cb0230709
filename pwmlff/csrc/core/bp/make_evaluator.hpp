// The row of Behler-Parrinello nets in the table of families.
#pragma once

#include <memory>

#include "evaluator.hpp"
#include "extent.hpp"
#include "stored_model.hpp"

namespace pwmlff::bp {

// See families.hpp; the arrays are in description.hpp.
std::unique_ptr<const Evaluator> make_evaluator(const StoredModel &stored);
Extent extent(const StoredModel &stored);

}  // namespace pwmlff::bp
