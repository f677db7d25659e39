#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "jobs/request.h"
#include "serve/task.h"

namespace kandinsky::serve {

/// Reads a request of Automatic1111's API. Fields that mean something else there than an option
/// here are translated, "kandinsky" holds options by name, and fields without effect become
/// remarks. model: the one that "override_settings" may ask for. Throws RequestError for an unknown
/// field and for what would give other images than were asked for.
Order read_sdapi(const jobs::RequestReader& reader, const nlohmann::ordered_json& body,
                 bool from_image, const std::string& model);

/// A field of the request and what becomes of it.
struct SdapiField {
  enum class Kind : int {
    kOption,      ///< is the option `option`
    kPositive,    ///< likewise; 0 and less: off
    kImage,       ///< likewise, an image file in base64
    kTranslated,  ///< by a function of its own
    kNone,        ///< is of something that is not here: refused unless off
    kNoEffect,    ///< becomes a remark
    kSilent       ///< is about what does not concern a server of images
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
