#pragma once

#include <memory>
#include <span>
#include <string>

#include "serve/http_server.h"

namespace kandinsky::serve {

class Server;

/// A request matched to its route.
struct Call {
  std::shared_ptr<Exchange> exchange;
  std::string id;     ///< the value of "{id}" in the route's path
  std::string index;  ///< likewise for "{index}"
};

struct Route {
  const char* method;
  const char* path;
  void (*handle)(Server&, const Call&);  ///< may throw RequestError and StatusError
  const char* schema;                    ///< of the body, see openapi.cpp; "": none
  const char* summary;
  bool is_open = false;  ///< needs no key
};

/// All of them.
std::span<const Route> routes();

// The handlers, by file.

// sdapi.cpp
void handle_txt2img(Server& server, const Call& call);
void handle_img2img(Server& server, const Call& call);
void handle_interrupt(Server& server, const Call& call);
void handle_skip(Server& server, const Call& call);
void handle_unload(Server& server, const Call& call);
void handle_progress(Server& server, const Call& call);

// sdapi_lists.cpp
void handle_options(Server& server, const Call& call);
void handle_set_options(Server& server, const Call& call);
void handle_samplers(Server& server, const Call& call);
void handle_schedulers(Server& server, const Call& call);
void handle_models(Server& server, const Call& call);
void handle_scripts(Server& server, const Call& call);
void handle_memory(Server& server, const Call& call);

// openai.cpp
void handle_generations(Server& server, const Call& call);
void handle_edits(Server& server, const Call& call);
void handle_variations(Server& server, const Call& call);
void handle_openai_models(Server& server, const Call& call);

// jobs_api.cpp
void handle_submit(Server& server, const Call& call);
void handle_jobs(Server& server, const Call& call);
void handle_job(Server& server, const Call& call);
void handle_job_result(Server& server, const Call& call);
void handle_job_image(Server& server, const Call& call);
void handle_job_preview(Server& server, const Call& call);
void handle_cancel(Server& server, const Call& call);

// service.cpp
void handle_health(Server& server, const Call& call);
void handle_metrics(Server& server, const Call& call);
void handle_openapi(Server& server, const Call& call);
void handle_page(Server& server, const Call& call);

}  // namespace kandinsky::serve
