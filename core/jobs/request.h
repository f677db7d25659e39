#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jobs/job.h"
#include "jobs/settings.h"

/// Requests as files and programs write them: a JSON object of options by name, for one image.
namespace kandinsky::jobs {

/// An image of a request: a path, or the file itself as a data: URI.
struct ImageSource {
  std::string path;  ///< empty: none
  std::string uri;   ///< empty: none

  explicit operator bool() const { return !path.empty() || !uri.empty(); }
  /// The file's content. Throws StatusError.
  std::vector<std::uint8_t> read() const;
  /// Its name in messages.
  std::string name() const;
};

/// One requested image, checked as far as possible without files and models.
struct Request {
  std::string id;  ///< the request's own; empty: none
  Job job;         ///< without images, which load_images() reads
  ImageSource image;
  ImageSource mask;
  std::vector<ImageSource> mix_images;
  std::map<std::string, ImageSource> option_images;  ///< by option: "hints", "prior_images"

  /// Reads the images into the job. Throws StatusError.
  void load_images();
};

/// Where a mask is, no strength means 1, as of `kandinsky inpaint`.
void choose_strength_under_mask(Settings& settings);

class RequestReader {
 public:
  /// base: values of options that a request does not set. folder: the base of relative paths;
  /// empty: requests cannot name files.
  RequestReader(Settings base, std::optional<std::string> folder)
      : base_(std::move(base)), folder_(std::move(folder)) {}

  /// A JSON object of defaults for requests; `name` is used in messages.
  void set_defaults(const std::string& json, const std::string& name);

  /// Throws StatusError: KANDINSKY_INVALID_ARGUMENT for text that is not a JSON object, an unknown
  /// name, with the nearest one, and an invalid value.
  Request read(const std::string& json) const;

 private:
  Settings base_;
  std::optional<std::string> folder_;
  std::string defaults_ = "{}";
};

/// A canonical text of everything that determines the request's image, independent of how the
/// request is written; `hash_of` returns the digest of an image's content.
std::string canonical(const Request& request,
                      const std::function<std::string(const ImageSource&)>& hash_of);

}  // namespace kandinsky::jobs
