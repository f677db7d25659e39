/// Routes about the server itself.
#include <nlohmann/json.hpp>

#include "kandinsky.hpp"
#include "serve/openapi.h"
#include "serve/page.h"
#include "serve/reply.h"
#include "serve/routes.h"
#include "serve/server.h"

namespace kandinsky::serve {

void handle_health(Server& server, const Call& call) {
  const bool takes_jobs = !server.is_shutting_down();
  reply_json(*call.exchange,
             {{"status", takes_jobs ? "ok" : "shutting down"},
              {"version", kandinsky_version()},
              {"model", server.generator().model()},
              {"waiting", server.waiting()},
              {"running", server.running() != nullptr}},
             takes_jobs ? 200 : kUnavailable);
}

void handle_metrics(Server& server, const Call& call) {
  call.exchange->reply(200, "text/plain; version=0.0.4; charset=utf-8",
                       server.metrics().text(server.waiting(), server.running() != nullptr,
                                             server.generator().model()));
}

void handle_openapi(Server&, const Call& call) { reply_json(*call.exchange, openapi_document()); }

void handle_page(Server&, const Call& call) {
  call.exchange->reply(200, "text/html; charset=utf-8", std::string(page()),
                       {{"Content-Security-Policy",
                         "default-src 'none'; script-src 'unsafe-inline'; style-src "
                         "'unsafe-inline'; img-src data: blob:; connect-src 'self'; "
                         "frame-ancestors 'none'; form-action 'none'"}});
}

}  // namespace kandinsky::serve
