/// What a conversion is given: checkpoints and folders, sorted by the parts that they are of.
#pragma once

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

/// Where a part comes from.
struct Source {
  std::string settings;                   ///< a file; empty: none was given
  std::vector<std::string> side_files;    ///< to be copied, such as a tokenizer's
  std::vector<std::string> weight_files;  ///< of safetensors or checkpoints
  Kind kind = Kind::kUnknown;             ///< of those
};

struct Inputs {
  using Place = std::pair<std::string, std::string>;  ///< folder and name of a part

  /// Null: nothing was given for this part.
  const Source* find(const Part& part) const;
  /// Whether weights or a tokenizer were given for this folder.
  bool have(std::string_view folder) const;

  std::map<Place, Source> sources{};
  std::optional<std::string> statistics{};  ///< the file of the prior's two vectors
};

/// Looks into each of these files and folders. Throws Error(kInvalidArgument) for none, for one of
/// an unknown kind and for a part that is there twice, kNotFound for a folder with nothing in it.
Inputs find_inputs(const std::vector<std::string>& paths, const Say& say);

/// The files of `folder` that are there.
std::vector<std::string> existing(const std::string& folder,
                                  std::initializer_list<std::string_view> names);

}  // namespace kandinsky::convert
