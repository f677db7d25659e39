#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kandinsky::pipelines {

/// A component of a folder, from its file headers.
struct FolderComponent {
  std::string name;
  std::string class_name;
  std::string dtype{};  ///< "fp32", ..., "mixed"; empty without weights
  uint64_t parameters = 0;
  uint64_t tensors = 0;
  uint64_t bytes = 0;
  bool is_checked = false;  ///< as for a run, except the weights' values
};

/// The contents of a model folder.
struct Folder {
  std::string pipeline;
  const char* family = "";  ///< empty if unknown
  int64_t native_size = 0;  ///< 0 for a prior folder or an unknown family
  std::vector<FolderComponent> components;
};

/// Reads index, configs, headers and tokenizers, no weights. Throws Error for files that are
/// missing, corrupt, or do not fit.
Folder describe_folder(std::string_view path);

}  // namespace kandinsky::pipelines
