#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "base/error.h"
#include "samplers/ddim.h"
#include "samplers/sampler.h"

namespace kandinsky::samplers {
namespace {

constexpr std::array kSamplers{
    Sampler{"DDIM", sample_ddim, check_ddim_steps},
};

bool same_in_any_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

Span<const Sampler> samplers() { return kSamplers; }

const Sampler& find_sampler(std::string_view name) {
  const auto found = std::find_if(kSamplers.begin(), kSamplers.end(), [name](const Sampler& s) {
    return same_in_any_case(s.name, name);
  });
  if (found != kSamplers.end()) return *found;
  std::string known;
  for (const Sampler& sampler : kSamplers)
    known += (known.empty() ? "" : ", ") + std::string(sampler.name);
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("sampler \"{}\" is not known; known are: {}", name, known));
}

}  // namespace kandinsky::samplers
