#pragma once

#include <array>

#include "base/span.h"

namespace kandinsky::samplers {

/// How a sampler's steps are spaced over the noise levels.
struct Scheduler {
  const char* name;         ///< as hosts spell it
  const char* description;  ///< one line
};

/// The table of all schedulers; the first one is the default.
inline Span<const Scheduler> schedulers() {
  static constexpr std::array kSchedulers{
      Scheduler{"Automatic", "The spacing that the sampler was made for."}};
  return kSchedulers;
}

}  // namespace kandinsky::samplers
