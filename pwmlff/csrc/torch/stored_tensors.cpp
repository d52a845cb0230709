#include "torch/stored_tensors.hpp"

#include <stdexcept>

namespace pwmlff {

namespace {

DType dtype_of(const at::Tensor &tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat: return DType::float32;
    case at::kDouble: return DType::float64;
    case at::kLong: return DType::int64;
    default:
      throw std::runtime_error(std::string("an array is of ") + c10::toString(tensor.scalar_type()) +
                               ", expected float32, float64 or int64");
  }
}

at::ScalarType scalar_type_of(DType dtype) {
  return dtype == DType::float32 ? at::kFloat : dtype == DType::float64 ? at::kDouble : at::kLong;
}

}  // namespace

StoredModel stored_model(const std::string &family, const NamedTensors &tensors) {
  StoredModel model{family, {}};
  for (const auto &entry : tensors)
    model.arrays[entry.key()] = {dtype_of(entry.value()), entry.value().sizes().vec(), entry.value().const_data_ptr()};
  return model;
}

at::Tensor tensor_of(const Array &array) {
  return at::from_blob(const_cast<void *>(array.data), array.shape, at::dtype(scalar_type_of(array.dtype))).clone();
}

}  // namespace pwmlff
