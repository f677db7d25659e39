#include "jobs/manifest.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "jobs/digests.h"
#include "jobs/files.h"
#include "jobs/json_values.h"
#include "kandinsky.hpp"

namespace kandinsky::jobs {
namespace {

namespace fs = std::filesystem;

bool is_manifest(const fs::path& path) {
  return path.extension() == ".jsonl" && path.filename().string().starts_with("manifest");
}

}  // namespace

std::string Finished::to_json() const {
  return nlohmann::ordered_json{
      {"id", id},           {"file", file},     {"sha256", sha256},       {"seed", seed},
      {"seconds", seconds}, {"device", device}, {"precision", precision}, {"request", request}}
      .dump();
}

Manifest::Manifest(const std::string& folder, const std::string& name)
    : folder_(folder), path_((fs::path(folder) / name).string()) {
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (is_manifest(entry->path())) read(entry->path().string());
  }
  if (error) {
    throw StatusError(KANDINSKY_IO, fmt::format("{}: cannot be read: {}", folder, error.message()));
  }
}

void Manifest::read(const std::string& path) {
  const std::string text = read_file(path, kAnySize);
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const Json json = Json::parse(line, nullptr, false);
    try {
      const auto member = [&](const char* key) { return json.at(key).get<std::string>(); };
      add({.id = member("id"),
           .request = member("request"),
           .file = member("file"),
           .sha256 = member("sha256"),
           .seed = json.at("seed").get<std::uint64_t>(),
           .seconds = json.at("seconds").get<double>(),
           .device = member("device"),
           .precision = member("precision")});
    } catch (const Json::exception&) {
      // A truncated line, for example after a power failure: its image is generated again.
    }
  }
}

void Manifest::add(const Finished& finished) {
  finished_.emplace_hint(finished_.lower_bound(finished.id), finished.id, finished);
}

const Finished* Manifest::find(const std::string& id, const std::string& request) const {
  for (auto [entry, end] = finished_.equal_range(id); entry != end; ++entry) {
    const Finished& finished = entry->second;
    if (finished.request != request) continue;
    try {
      const std::string path = (fs::path(folder_) / finished.file).string();
      if (sha256_of_file(path) == finished.sha256) return &finished;
    } catch (const StatusError&) {
      continue;  // it is generated again, which then reports any error of the path
    }
  }
  return nullptr;
}

void Manifest::append(const Finished& finished) {
  if (!file_) file_ = std::make_unique<File>(path_, O_RDWR | O_APPEND | O_CREAT);
  // After a truncated line.
  const std::uint64_t size = file_->size();
  const bool is_torn = size > 0 && file_->read(size - 1, 1) != "\n";
  std::string line = finished.to_json();
  if (is_torn) line.insert(line.begin(), '\n');
  line += '\n';
  file_->write(line);
  add(finished);
}

}  // namespace kandinsky::jobs
