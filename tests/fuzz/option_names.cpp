/// Options by name, and names of devices. The input's first byte says which.
#include <algorithm>
#include <cstring>

#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include "options/options.h"
#include "options/table.h"
#include "tensor/device.h"

namespace fuzz = kandinsky::fuzz;
namespace tensor = kandinsky::tensor;

namespace {

using kandinsky::options::Operation;
using kandinsky::options::Options;
using kandinsky::options::OptionType;

/// Sets an option with the setter of that type, to a value made of the text.
void set(Options* options, OptionType type, std::string_view name, std::string_view text) {
  double number = 0;
  std::memcpy(&number, text.data(), std::min(text.size(), sizeof number));
  switch (type) {
    case OptionType::kFlag:
      return options->set_flag(name, !text.empty());
    case OptionType::kInteger:
      return options->set_integer(
          name, number > -1e18 && number < 1e18 ? static_cast<std::int64_t>(number) : INT64_MIN);
    case OptionType::kNumber:
      return options->set_number(name, number);
    case OptionType::kText:
    case OptionType::kPath:
      return options->set_text(name, text);
    case OptionType::kTexts:
    case OptionType::kPaths:
      return options->set_texts(name,
                                std::vector<std::string>(text.size() % 80, std::string(text)));
    case OptionType::kSeeds:
      return options->set_seeds(name, std::vector<std::uint64_t>(text.size()));
    case OptionType::kFloats: {
      const std::vector<float> floats(2, static_cast<float>(number));
      return options->set_floats(name, floats, {1, 1, 1, 2});
    }
    case OptionType::kImages:
      return options->set_images(
          name, {{1, 1, static_cast<int>(text.size() % 5), {text.begin(), text.end()}}});
    case OptionType::kConditions:
      return options->set_conditions(name, {{.row = 0, .weight = number}});
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const int kind = input.byte() % 16;
  if (kind == 0) {
    const std::string_view name = input.rest();
    if (kandinsky::find_invalid_utf8(name) != std::string_view::npos) return 0;  // as options do
    fuzz::accepts([&] {
      const auto chosen = tensor::choose_placement(name, "fp32");
      fuzz::require(!chosen.reason.empty() && chosen.placement.dtype == at::kFloat,
                    "a device is chosen with a reason");
      const bool is_cpu = chosen.placement.device.is_cpu();
      fuzz::require(is_cpu || chosen.placement.device.is_cuda(),
                    "a device is of a kind that is supported");
    });
    return 0;
  }
  const auto operations = kandinsky::options::operations();
  const Operation& operation = operations[input.byte() % operations.size()];
  const auto type = static_cast<OptionType>(input.byte() % 10);
  // Half of the inputs name an option that there is.
  const std::string_view given = input.part(std::string_view("\0", 1));
  const std::string_view name =
      kind % 2 == 0 ? given : operation.rows[given.size() % operation.rows.size()]->name;
  Options options(operation.name);
  const bool is_set = fuzz::accepts([&] { set(&options, type, name, input.rest()); });
  const bool is_listed = std::any_of(operation.rows.begin(), operation.rows.end(),
                                     [&](const auto* row) { return row->name == name; });
  fuzz::require(is_listed || !is_set, "only an option that is listed can be set");
  return 0;
}
