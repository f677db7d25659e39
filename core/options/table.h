/// The rows of options.def at run time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/span.h"
#include "io/images/image.h"
#include "options/requests.h"
#include "options/types.h"

namespace kandinsky::options {

enum class OptionGroup : int {
  kModel,
  kPrompt,
  kSeeds,
  kSize,
  kSampling,
  kNoise,
  kStart,
  kLatents,
  kSource,
  kInpaint,
  kMask,
  kHint,
  kPreset,
};

/// In the order of kandinsky_option_type.
enum class OptionType : int {
  kFlag,
  kInteger,
  kNumber,
  kText,
  kPath,
  kTexts,
  kSeeds,
  kFloats,
  kImages,
  kConditions,
  kPaths,
};

/// The values of all options; an operation uses those of its groups.
struct OptionValues {
  EngineOptions engine;
  PromptRequest prompt;
  DenoiseRequest denoise;
  SourceRequest source;
};

/// A field of an enumeration, by the place of its word.
struct WordField {
  void* value;
  void (*set)(void* value, size_t word);
  size_t (*get)(const void* value);
};

using OptionField =
    std::variant<bool*, int*, int64_t*, double*, std::string*, std::optional<std::string>*,
                 std::vector<std::string>*, std::vector<double>*, std::vector<uint64_t>*,
                 at::Tensor*, std::vector<io::Image>*, std::vector<Condition>*, WordField>;

struct OptionRow {
  OptionGroup group;
  OptionType type;
  const char* name;
  double minimum;                  ///< of integers and numbers
  double maximum;                  ///< likewise; of lists: the maximum count
  std::vector<const char*> words;  ///< empty: any text
  const char* unit;
  const char* help;
  const char* source;
  OptionField (*field)(OptionValues& values);
  std::optional<std::string> default_value;  ///< as text; absent without a default value
};

/// The value of a field as text, as it may be given again; nothing for types without a text form.
std::optional<std::string> as_text(const OptionField& field, const std::vector<const char*>& words);

/// A call and its options.
struct Operation {
  const char* name;
  std::vector<OptionGroup> groups;
  std::vector<const OptionRow*> rows;  ///< those of the groups, in the order of options.def
};

/// The table of all operations.
Span<const Operation> operations();

/// Throws Error(kInvalidArgument) listing the known ones.
const Operation& find_operation(std::string_view name);

/// The title of a group in help texts, e.g. "Sampling".
const char* group_title(OptionGroup group);

}  // namespace kandinsky::options
