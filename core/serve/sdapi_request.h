#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "jobs/request.h"
#include "serve/task.h"

namespace kandinsky::serve {

/// Reads a request of Automatic1111's API. Fields that differ from the options
/// are translated, "kandinsky" holds options by name, and fields without effect become
/// remarks. model: the only one allowed in "override_settings". Throws RequestError for an unknown
/// field and for unsupported features that would change the images.
Order read_sdapi(const jobs::RequestReader& reader, const nlohmann::ordered_json& body,
                 bool from_image, const std::string& model);

/// A field of the request and its handling.
struct SdapiField {
  enum class Kind : int {
    kOption,      ///< is the option `option`
    kPositive,    ///< likewise; 0 and less: off
    kImage,       ///< likewise, an image file in base64
    kTranslated,  ///< by its own function
    kNone,        ///< of an unsupported feature: refused unless off
    kNoEffect,    ///< becomes a remark
    kSilent       ///< irrelevant for a server
  };
  const char* name;
  Kind kind;
  const char* option = "";
  bool from_text = true;   ///< whether txt2img has it
  bool from_image = true;  ///< whether img2img has it
};

/// All of them.
std::span<const SdapiField> sdapi_fields();

}  // namespace kandinsky::serve
