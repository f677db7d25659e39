#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/job.h"

/// Requests as files and programs write them: a JSON object of options by name, for one image.
namespace kandinsky::jobs {

/// An image file that a request names: a path, or the file itself as a data: URI.
struct ImageSource {
  std::string path;  ///< empty: none
  std::string uri;   ///< empty: none

  explicit operator bool() const { return !path.empty() || !uri.empty(); }
  /// The file's content. Throws StatusError.
  std::vector<std::uint8_t> read() const;
  /// What messages call it.
  std::string name() const;
};

/// One image that is asked for, checked as far as that can be done without files and models.
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

class RequestReader {
 public:
  /// base: what an option is that no request gives. folder: where relative paths begin; none: a
  /// request may name no file.
  RequestReader(Settings base, std::optional<std::string> folder)
      : base_(std::move(base)), folder_(std::move(folder)) {}

  /// A JSON object of values for what requests leave out; `name` is what messages call it.
  void set_defaults(const std::string& json, const std::string& name);

  /// Throws StatusError: KANDINSKY_INVALID_ARGUMENT for text that is no JSON object, a name that no
  /// option has, telling the nearest one, and a value that the option does not take.
  Request read(const std::string& json) const;

 private:
  Settings base_;
  std::optional<std::string> folder_;
  std::string defaults_ = "{}";
};

/// What makes up the request's image, as text that is the same for the same image, however the
/// request was written; `hash_of` gives the digest of an image's content.
std::string canonical(const Request& request,
                      const std::function<std::string(const ImageSource&)>& hash_of);

}  // namespace kandinsky::jobs
