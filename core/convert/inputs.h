/// The inputs of a conversion: checkpoints and folders, sorted by part.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convert/convert.h"
#include "convert/key_map.h"
#include "convert/parts.h"

namespace kandinsky::convert {

/// The source of a part.
struct Source {
  std::string settings;                   ///< a file; empty: none given
  std::vector<std::string> side_files;    ///< to copy, such as a tokenizer's
  std::vector<std::string> weight_files;  ///< of safetensors or checkpoints
  Kind kind = Kind::kUnknown;             ///< of those
};

struct Inputs {
  using Place = std::pair<std::string, std::string>;  ///< folder and name of a part

  /// Null: nothing given for this part.
  const Source* find(const Part& part) const;
  /// Whether weights or a tokenizer are given for this folder.
  bool have(std::string_view folder) const;

  std::map<Place, Source> sources{};
  std::optional<std::string> statistics{};  ///< the file of the prior's two vectors
};

/// Examines these files and folders. Throws Error(kInvalidArgument) for none, for one of
/// an unknown kind and for a part given twice, kNotFound for a folder without parts.
Inputs find_inputs(const std::vector<std::string>& paths, const Say& say);

/// The existing files of `folder`.
std::vector<std::string> existing(const std::string& folder,
                                  std::initializer_list<std::string_view> names);

}  // namespace kandinsky::convert
