#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/stack.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "base/out_of_memory.h"

namespace kandinsky::tensor {

/// A LibTorch operator by name, which some releases may lack; called with boxed
/// values, whose form is the same in all releases.
class Operator {
 public:
  Operator(const char* name, const char* overload, size_t num_arguments)
      : handle_(c10::Dispatcher::singleton().findSchema({name, overload})) {
    if (handle_ && handle_->schema().arguments().size() != num_arguments) handle_.reset();
  }

  bool exists() const { return handle_.has_value(); }

  at::Tensor operator()(std::vector<c10::IValue> arguments) const {
    return value(std::move(arguments)).toTensor();
  }

  /// The same for a result that is not a tensor.
  c10::IValue value(std::vector<c10::IValue> arguments) const {
    check_address_space();
    handle_->callBoxed(&arguments);
    return arguments.front();
  }

 private:
  decltype(c10::Dispatcher::singleton().findSchema({"", ""})) handle_;
};

}  // namespace kandinsky::tensor
