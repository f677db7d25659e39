#include <array>

#include "samplers/algorithms.h"
#include "samplers/lookup.h"
#include "samplers/sampler.h"
#include "samplers/schedulers.h"

namespace kandinsky::samplers {
namespace {

constexpr std::array kSamplers{
#define SAMPLER(function, ...) Sampler{.run = sample_##function, __VA_ARGS__},
#include "samplers/samplers.def"
};

}  // namespace

Span<const Sampler> samplers() { return kSamplers; }

const Sampler& find_sampler(std::string_view name) { return find_row(samplers(), "sampler", name); }

}  // namespace kandinsky::samplers
