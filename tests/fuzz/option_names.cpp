/// Options by name: samplers, schedulers, speed-ups, devices. The input's first byte says which.
#include <algorithm>
#include <cctype>

#include "fuzz/fuzz.h"
#include "samplers/sampler.h"
#include "samplers/schedulers.h"
#include "tensor/device.h"
#include "tensor/speedups.h"

namespace fuzz = kandinsky::fuzz;
namespace tensor = kandinsky::tensor;

namespace {

bool is_same_word(std::string_view left, std::string_view right) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

template <typename Rows>
bool is_listed(const Rows& rows, std::string_view name) {
  return std::any_of(rows.begin(), rows.end(),
                     [&](const auto& row) { return is_same_word(row.name, name); });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const int kind = input.byte() % 4;
  // Names come through the C interface, which takes UTF-8 without null characters.
  std::string_view name = input.rest();
  name = name.substr(0, std::min(name.find('\0'), kandinsky::find_invalid_utf8(name)));
  if (kind == 0) {
    const bool known = fuzz::accepts([&] { (void)kandinsky::samplers::find_sampler(name); });
    fuzz::require(known == is_listed(kandinsky::samplers::samplers(), name),
                  "a sampler is known if it is listed");
  } else if (kind == 1) {
    const bool known = fuzz::accepts([&] { (void)kandinsky::samplers::find_scheduler(name); });
    fuzz::require(known == is_listed(kandinsky::samplers::schedulers(), name),
                  "a scheduler is known if it is listed");
  } else if (kind == 2) {
    fuzz::accepts([&] {
      const tensor::Speedups left = tensor::speedups_without({name});
      const auto rows = tensor::speedups();
      const auto off = std::count_if(rows.begin(), rows.end(),
                                     [&](const auto& row) { return !(left.*row.flag); });
      fuzz::require(off == 1 && is_listed(rows, name),
                    "a speed-up that is listed is left out, and no other");
    });
  } else {
    fuzz::accepts([&] {
      const auto chosen = tensor::choose_placement(name, "fp32");
      fuzz::require(!chosen.reason.empty() && chosen.placement.dtype == at::kFloat,
                    "a device is chosen with a reason");
      const bool is_cpu = chosen.placement.device.is_cpu();
      fuzz::require(is_cpu || chosen.placement.device.is_cuda(),
                    "a device is of a kind that is supported");
    });
  }
  return 0;
}
