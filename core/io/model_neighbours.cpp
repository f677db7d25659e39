/// The folders beside a model folder.
#include <filesystem>
#include <set>
#include <string>
#include <system_error>

#include "base/error.h"
#include "io/input_file.h"
#include "io/model_dir.h"

namespace kandinsky::io {
namespace {

namespace fs = std::filesystem;

/// Beside the path as given first: the target of a link has other neighbours and another name.
std::vector<fs::path> places_of(std::string_view path) {
  std::error_code error;
  const fs::path canonical = fs::canonical(path, error);
  std::vector<fs::path> places = {fs::path(path)};
  if (!error) places.push_back(canonical);
  std::erase_if(places, [](const fs::path& place) {
    const std::string name = place.filename().string();
    return name.empty() || name == "." || name == "..";
  });
  return places;
}

}  // namespace

std::optional<ModelDir> ModelDir::sibling(std::string_view suffix) const {
  constexpr std::string_view kInpaint = "-inpaint";
  constexpr std::size_t kLongestName = 255;
  for (const fs::path& place : places_of(path())) {
    std::string name = place.filename().string();
    if (name.ends_with(kInpaint)) name.resize(name.size() - kInpaint.size());
    name += suffix;
    if (name.size() > kLongestName) continue;
    const std::string candidate = (place.parent_path() / name).string();
    // "-prior" is the "prior".
    if (is_folder(candidate)) return companion(candidate, suffix.substr(1));
  }
  return std::nullopt;
}

std::vector<ModelDir> ModelDir::neighbours() const {
  std::set<std::string> paths;
  for (const fs::path& place : places_of(path())) {
    const fs::path parent = place.has_parent_path() ? place.parent_path() : fs::path(".");
    std::error_code error;
    for (fs::directory_iterator it(parent, error), end; !error && it != end; it.increment(error)) {
      const std::string path = (place.parent_path() / it->path().filename()).string();
      if (path != place.string() && is_there(path + "/model_index.json")) paths.insert(path);
    }
  }
  std::vector<ModelDir> folders;
  for (const std::string& path : paths) {
    try {
      folders.push_back(open(path));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kOutOfMemory) throw;
    }
  }
  return folders;
}

}  // namespace kandinsky::io
