// A model as it is stored: the name of its family, and arrays by name. What the arrays mean is known to the family
// alone; everyone else hands them on.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace pwmlff {

enum class DType { float32, float64, int64 };

const char *dtype_name(DType dtype);
std::int64_t dtype_size(DType dtype);  // bytes

// Throws std::runtime_error for a name that is none.
DType dtype_of(const std::string &name);

using Shape = std::vector<std::int64_t>;

std::string shape_text(const Shape &shape);

// Points into memory of others.
struct Array {
  DType dtype;
  Shape shape;
  const void *data;  // C order, aligned

  std::int64_t size() const;  // numbers

  template <typename Number>
  const Number *as() const {
    return static_cast<const Number *>(data);
  }
};

// The access functions throw std::runtime_error with one line that names the array, and what was expected and found.
struct StoredModel {
  std::string family;
  std::map<std::string, Array> arrays;

  bool has(const std::string &name) const { return arrays.count(name) > 0; }
  const Array &array(const std::string &name) const;

  // With this dtype; -1 in a shape stands for any size.
  const Array &array(const std::string &name, DType dtype, const Shape &shape) const;

  double number(const std::string &name) const;                       // float64 []
  std::int64_t integer(const std::string &name) const;                // int64 []
  std::vector<double> numbers(const std::string &name) const;         // float64 [n]
  std::vector<std::int64_t> integers(const std::string &name) const;  // int64 [n]

  // For who reads a file: weights of a training that diverged are not finite either, but are no fault of a file.
  void check_finite() const;
};

}  // namespace pwmlff
