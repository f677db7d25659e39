/// The folders beside a model folder.
#include "io/model_neighbours.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/span.h"
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

constexpr std::string_view kCached = "models--";

bool has_index(const fs::path& folder) { return is_there((folder / "model_index.json").string()); }

/// What is in a folder, by name; nothing where it cannot be read.
std::vector<fs::path> children(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  const fs::path read = folder.empty() ? fs::path(".") : folder;
  for (fs::directory_iterator it(read, error), end; !error && it != end; it.increment(error))
    found.push_back(folder / it->path().filename());
  std::ranges::sort(found);
  return found;
}

/// The snapshot that the main branch of a cached repository names, if it is here; else the newest.
std::optional<fs::path> snapshot_of(const fs::path& repository) {
  std::string main;
  std::ifstream(repository / "refs" / "main") >> main;
  std::optional<fs::path> newest;
  fs::file_time_type newest_time;
  for (const fs::path& snapshot : children(repository / "snapshots")) {
    if (!has_index(snapshot)) continue;
    if (snapshot.filename() == main) return snapshot;
    std::error_code error;
    const fs::file_time_type time = fs::last_write_time(snapshot, error);
    if (error || (newest && time <= newest_time)) continue;
    newest = snapshot;
    newest_time = time;
  }
  return newest;
}

std::vector<std::string> model_folders(const fs::path& place) {
  std::vector<std::string> folders;
  for (const fs::path& child : children(place)) {
    if (has_index(child)) {
      folders.push_back(child.string());
    } else if (child.filename().string().starts_with(kCached)) {
      if (const auto snapshot = snapshot_of(child)) folders.push_back(snapshot->string());
    }
  }
  return folders;
}

}  // namespace

std::string cached_repository(const fs::path& folder) {
  const fs::path snapshots = folder.parent_path();
  const std::string repository = snapshots.parent_path().filename().string();
  if (snapshots.filename() != "snapshots" || !repository.starts_with(kCached)) return "";
  const std::size_t owner = kCached.size();
  const std::size_t end = repository.find("--", owner + 1);
  return repository.substr(end == std::string::npos ? owner : end + 2);
}

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

std::vector<ModelDir> ModelDir::neighbours(Span<const std::string_view> places) const {
  std::vector<fs::path> parents;
  std::set<std::string> seen{std::string(path())};
  for (const fs::path& place : places_of(path())) {
    seen.insert(place.string());
    const fs::path parent = place.parent_path();
    parents.push_back(cached_repository(place).empty() ? parent
                                                       : parent.parent_path().parent_path());
  }
  parents.insert(parents.end(), places.begin(), places.end());

  std::vector<ModelDir> folders;
  for (const fs::path& parent : parents) {
    for (const std::string& folder : model_folders(parent)) {
      if (!seen.insert(folder).second) continue;
      try {
        folders.push_back(open(folder));
      } catch (const Error& error) {
        if (error.code() == ErrorCode::kOutOfMemory) throw;
      }
    }
  }
  return folders;
}

}  // namespace kandinsky::io
