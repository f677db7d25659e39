/// A manifest of finished images, as a run that was killed may have left it.
#include "jobs/manifest.h"

#include "fuzz/files.h"

namespace fuzz = kandinsky::fuzz;
namespace jobs = kandinsky::jobs;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  folder.write("manifest.jsonl", {reinterpret_cast<const char*>(data), size});
  folder.write("a.png", "");
  const jobs::Finished finished{
      .id = "a",
      .request = "r",
      .file = "a.png",
      .sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",  // of nothing
      .seed = 1,
      .seconds = 0.5,
      .device = "cpu",
      .precision = "fp32"};
  // The id of another image, which is not in the file.
  jobs::Finished replaced = finished;
  replaced.request = "another request";
  replaced.sha256.assign(replaced.sha256.size(), '0');
  try {
    jobs::Manifest manifest(folder.path(), "manifest.jsonl");
    manifest.append(finished);
    manifest.append(replaced);
    const jobs::Manifest again(folder.path(), "manifest-2.jsonl");
    const jobs::Finished* const found = again.find("a", "r");
    fuzz::require(found != nullptr && found->to_json() == finished.to_json(),
                  "what is appended is found, whatever is around it");
    const jobs::Finished* const other = again.find("a", replaced.request);
    fuzz::require(other == nullptr || other->sha256 == finished.sha256,
                  "only an image that is in its file is found");
  } catch (const std::exception& error) {
    fuzz::require(false, "no manifest is an error:", error.what());
  }
  return 0;
}
