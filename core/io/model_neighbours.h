#pragma once

#include <filesystem>
#include <string>

namespace kandinsky::io {

/// The name of the repository that a folder is a snapshot of in a cache of a model hub's; "" for
/// any other folder. By its path alone.
std::string cached_repository(const std::filesystem::path& folder);

}  // namespace kandinsky::io
