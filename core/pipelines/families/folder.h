#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kandinsky::pipelines {

/// One component of a folder, by its files' headers.
struct FolderComponent {
  std::string name;
  std::string class_name;
  std::string dtype{};  ///< "fp32", ..., "mixed"; empty without weights
  uint64_t parameters = 0;
  uint64_t tensors = 0;
  uint64_t bytes = 0;
  bool is_checked = false;  ///< as a run that needs it would, but for its weights' numbers
};

/// What a model folder holds.
struct Folder {
  std::string pipeline;
  const char* family = "";  ///< empty if no family knows the folder
  int64_t native_size = 0;  ///< 0 for a prior folder, and if no family knows the folder
  std::vector<FolderComponent> components;
};

/// Reads index, configs, headers and tokenizers, no weights. Throws Error for what is missing,
/// corrupt, or does not fit.
Folder describe_folder(std::string_view path);

}  // namespace kandinsky::pipelines
