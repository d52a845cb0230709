#include "stored_model.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace pwmlff {

namespace {

constexpr DType kDTypes[] = {DType::float32, DType::float64, DType::int64};

bool fits(const Shape &shape, const Shape &pattern) {
  if (shape.size() != pattern.size()) return false;
  for (std::size_t k = 0; k < shape.size(); ++k)
    if (pattern[k] >= 0 && pattern[k] != shape[k]) return false;
  return true;
}

template <typename Real>
bool is_finite(const Array &array) {
  const Real *numbers = array.as<Real>();
  return std::all_of(numbers, numbers + array.size(), [](Real number) { return std::isfinite(number); });
}

std::string description(DType dtype, const Shape &shape) {
  return std::string(dtype_name(dtype)) + " " + shape_text(shape);
}

}  // namespace

const char *dtype_name(DType dtype) {
  switch (dtype) {
    case DType::float32: return "float32";
    case DType::float64: return "float64";
    default: return "int64";
  }
}

std::int64_t dtype_size(DType dtype) {
  return dtype == DType::float32 ? 4 : 8;
}

DType dtype_of(const std::string &name) {
  for (const DType dtype : kDTypes)
    if (name == dtype_name(dtype)) return dtype;
  throw std::runtime_error("dtype " + name + " is none of float32, float64 and int64");
}

std::string shape_text(const Shape &shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : ", ") + (size < 0 ? "n" : std::to_string(size));
  return "[" + text + "]";
}

std::int64_t Array::size() const {
  std::int64_t product = 1;
  for (const std::int64_t n : shape) product *= n;
  return product;
}

const Array &StoredModel::array(const std::string &name) const {
  const auto entry = arrays.find(name);
  if (entry == arrays.end()) throw std::runtime_error("the " + family + " model lacks the array '" + name + "'");
  return entry->second;
}

const Array &StoredModel::array(const std::string &name, DType dtype, const Shape &shape) const {
  const Array &result = array(name);
  if (result.dtype != dtype || !fits(result.shape, shape))
    throw std::runtime_error("the array '" + name + "' of the " + family + " model is " +
                             description(result.dtype, result.shape) + ", expected " + description(dtype, shape));
  return result;
}

double StoredModel::number(const std::string &name) const {
  return *array(name, DType::float64, {}).as<double>();
}

std::int64_t StoredModel::integer(const std::string &name) const {
  return *array(name, DType::int64, {}).as<std::int64_t>();
}

std::vector<double> StoredModel::numbers(const std::string &name) const {
  const Array &row = array(name, DType::float64, {-1});
  return {row.as<double>(), row.as<double>() + row.size()};
}

std::vector<std::int64_t> StoredModel::integers(const std::string &name) const {
  const Array &row = array(name, DType::int64, {-1});
  return {row.as<std::int64_t>(), row.as<std::int64_t>() + row.size()};
}

void StoredModel::check_finite() const {
  for (const auto &[name, array] : arrays) {
    const bool is_good = array.dtype == DType::int64     ? true
                         : array.dtype == DType::float64 ? is_finite<double>(array)
                                                         : is_finite<float>(array);
    if (!is_good)
      throw std::runtime_error("the array '" + name + "' of the " + family +
                               " model holds a number that is not finite");
  }
}

}  // namespace pwmlff
