// An operation that can be differentiated twice, from what an Op says of it:
//
//   kName                   for messages
//   kOutputs                number of results
//   kGeometry, kWeights     numbers of tensors at the beginning of the list that are differentiated by; others follow
//   Options                 arguments that are no tensors
//   check(tensors, options)                               throws where arguments do not fit each other
//   forward(tensors, options)                             the results
//   backward(tensors, options, incoming, geometry, weights)
//                           gradients by all of the geometry and all of the weights, undefined where not wanted
//   double_backward(tensors, options, incoming, directions, wanted)
//                           gradients of sum directions . (gradients by the geometry): by incoming, geometry, weights
//
// Training differentiates forces, which are the gradient by the geometry, by the weights: the second derivative is an
// operation of its own. Each computes only what the engine asks for. All tensors are contiguous.
#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <utility>
#include <vector>

#include "torch/tasks.hpp"

namespace pwmlff {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Wanted = std::vector<bool>;

inline variable_list contiguous(at::TensorList tensors) {
  variable_list result;
  for (const at::Tensor &tensor : tensors) result.push_back(tensor.contiguous());
  return result;
}

template <typename Op>
class Differentiable {
 public:
  using Options = typename Op::Options;

  // Not recorded for derivatives.
  static variable_list evaluate(const variable_list &arguments, const Options &options) {
    const variable_list tensors = contiguous(arguments);
    Op::check(tensors, options);
    return Op::forward(tensors, options);
  }

  static variable_list record(const variable_list &arguments, const Options &options) {
    const variable_list tensors = contiguous(arguments);
    Op::check(tensors, options);
    return Value::apply(at::TensorList(tensors), options);
  }

 private:
  // What a node of the graph keeps beside its tensors.
  struct Kept : torch::CustomClassHolder {
    Options options;
    explicit Kept(const Options &options) : options(options) {}
  };

  static void keep(AutogradContext *context, at::TensorList tensors, const Options &options) {
    context->save_for_backward(tensors.vec());
    context->saved_data["options"] = c10::IValue::make_capsule(c10::make_intrusive<Kept>(options));
  }

  static Options kept(AutogradContext *context) {
    return c10::static_intrusive_pointer_cast<Kept>(context->saved_data["options"].toCapsule())->options;
  }

  static Wanted wanted(AutogradContext *context, std::size_t n) {
    Wanted result;
    for (std::size_t k = 0; k < n; ++k) result.push_back(context->needs_input_grad(k));
    return result;
  }

  // Gradients of an operation's tensors, in their order; none of the options.
  static variable_list filled(variable_list gradients, std::size_t n_tensors) {
    gradients.resize(n_tensors + 1);
    return gradients;
  }

  static bool any(const Wanted &flags, std::size_t first, std::size_t n) {
    return std::find(flags.begin() + first, flags.begin() + first + n, true) != flags.begin() + first + n;
  }

  // The gradient by the geometry as a function of the incoming gradients and all tensors.
  struct GeometryGradient : torch::autograd::Function<GeometryGradient> {
    static variable_list forward(AutogradContext *context, at::TensorList tensors, const Options &options) {
      keep(context, tensors, options);
      variable_list gradients =
          Op::backward(tensors.slice(Op::kOutputs), options, tensors.slice(0, Op::kOutputs), true, false);
      gradients.resize(Op::kGeometry);
      return gradients;
    }

    static variable_list backward(AutogradContext *context, const variable_list &directions) {
      for (const at::Tensor &direction : directions)
        TORCH_CHECK(!(at::GradMode::is_enabled() && direction.requires_grad()), Op::kName,
                    " is differentiable twice, a third derivative was asked for");
      const variable_list saved = context->get_saved_variables();
      const at::TensorList tensors(saved);
      return filled(
          Op::double_backward(tensors.slice(Op::kOutputs), kept(context), tensors.slice(0, Op::kOutputs),
                              contiguous(directions), wanted(context, Op::kOutputs + Op::kGeometry + Op::kWeights)),
          saved.size());
    }
  };

  struct Value : torch::autograd::Function<Value> {
    static variable_list forward(AutogradContext *context, at::TensorList tensors, const Options &options) {
      keep(context, tensors, options);
      return Op::forward(tensors, options);
    }

    static variable_list backward(AutogradContext *context, const variable_list &gradients) {
      const variable_list saved = context->get_saved_variables(), incoming = contiguous(gradients);
      const Wanted flags = wanted(context, Op::kGeometry + Op::kWeights);
      const bool geometry = any(flags, 0, Op::kGeometry), weights = any(flags, Op::kGeometry, Op::kWeights);
      if (!geometry || !at::GradMode::is_enabled())
        return filled(Op::backward(saved, kept(context), incoming, geometry, weights), saved.size());
      TORCH_CHECK(!weights, Op::kName,
                  ": a gradient by positions and parameters at once cannot be differentiated again; ask for them "
                  "separately");
      variable_list all = incoming;
      all.insert(all.end(), saved.begin(), saved.end());
      return filled(GeometryGradient::apply(at::TensorList(all), kept(context)), saved.size());
    }
  };
};

}  // namespace pwmlff
