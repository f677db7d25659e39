#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "cli/commands.h"
#include "cli/declare.h"
#include "cli/generate_job.h"
#include "cli/interrupt.h"
#include "cli/option_groups.h"
#include "cli/streams.h"
#include "serve/access.h"
#include "serve/http_server.h"
#include "serve/server.h"
#include "serve/tls.h"

namespace kandinsky::cli {
namespace {

struct ServeOptions : GenerateJob {
  std::string listen = "127.0.0.1";
  std::int32_t port = 7861;
  std::string key_file;  ///< path; empty: none
  std::string tls_certificate;
  std::string tls_key;
  std::int32_t queue = 16;
  std::int32_t grace = 30;
};

void warn_if_public(const char* option, const std::string& path) {
  std::error_code error;
  const auto permissions = std::filesystem::status(path, error).permissions();
  if (!error && (permissions & std::filesystem::perms::others_read) != std::filesystem::perms())
    say_line(fmt::format("{} {}: every user of this machine can read it", option, path));
}

serve::ServerOptions server_options(const ServeOptions& options) {
  serve::ServerOptions read{.address = options.listen,
                            .port = static_cast<std::uint16_t>(options.port),
                            .queue = static_cast<std::size_t>(options.queue),
                            .grace_seconds = static_cast<double>(options.grace),
                            .access = {},
                            .make_stream = {},
                            .settings = options.settings};
  if (!options.key_file.empty()) {
    read.access.key = serve::read_key_file(options.key_file);
    warn_if_public("--api-key-file", options.key_file);
  }
  if (options.tls_certificate.empty() != options.tls_key.empty())
    throw StatusError(KANDINSKY_INVALID_ARGUMENT, "--tls-cert and --tls-key need each other");
  if (!options.tls_key.empty()) {
    read.make_stream = serve::tls_streams(options.tls_certificate, options.tls_key);
    read.access.is_https = true;
    warn_if_public("--tls-key", options.tls_key);
  }
  if (read.access.key.empty() && !serve::is_loopback(options.listen)) {
    throw StatusError(
        KANDINSKY_INVALID_ARGUMENT,
        fmt::format("--listen {}: other machines can reach that address, so --api-key-file is "
                    "needed",
                    options.listen));
  }
  return read;
}

void serve(const ServeOptions& options) {
  std::mutex mutex;  // of `server`, which a signal may find being made
  std::unique_ptr<serve::Server> server;
  bool is_over = false;
  const InterruptWatch watch([&] {
    const std::lock_guard lock(mutex);
    is_over = true;
    if (server) server->shut_down();
  });
  if (options.threads) set_num_threads(*options.threads);
  auto opened = std::make_unique<serve::Server>(server_options(options));
  {
    const std::lock_guard lock(mutex);
    server = std::move(opened);
    if (is_over) server->shut_down();
  }
  const bool is_v6 = options.listen.find(':') != std::string::npos;
  print(fmt::format("{}://{}:{}/\n", options.tls_key.empty() ? "http" : "https",
                    is_v6 ? "[" + options.listen + "]" : options.listen, server->port()));
  server->run();
  const std::lock_guard lock(mutex);
  server.reset();
}

}  // namespace

void add_serve(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App& command = add_command(
      app, "serve", "Run an HTTP server that generates images",
      "Prints its address when it is ready. It has the web API of Automatic1111 (/sdapi/v1),\n"
      "OpenAI's image API (/v1/images), one of its own (/kandinsky/v1/jobs) and a test page at /.\n"
      "SIGTERM and Ctrl-C shut it down: the running job has --grace seconds to finish.\n\n"
      "Example:\n  kandinsky serve --model models/Kandinsky/kandinsky-2-1 --port 7861",
      [options] { serve(*options); });
  require(add_model_options(command, *options));
  OptionGroup group(command, "Server");
  group.name("--listen", options->listen, "ADDRESS",
             "Address to listen on. Any but a loopback address, such as 127.0.0.1 or ::1, needs "
             "--api-key-file");
  group.integer("--port", options->port, 0, 65535, "Port to listen on; 0: any free port");
  group.file("--api-key-file", options->key_file, "FILE",
             "A file whose first line is the key that requests need, as a bearer token or as the "
             "password of Basic authentication");
  group.file("--tls-cert", options->tls_certificate, "FILE",
             "Serve HTTPS only, with this certificate: a PEM file, the server's certificate first, "
             "then its chain. Needs --tls-key");
  group.file("--tls-key", options->tls_key, "FILE",
             "The certificate's private key: a PEM file, not encrypted");
  group.integer("--queue", options->queue, 1, 1024,
                "Jobs that may wait; further ones get status 503");
  group.integer("--grace", options->grace, 0, 3600,
                "Seconds that a running job has to finish at shutdown");
}

}  // namespace kandinsky::cli
