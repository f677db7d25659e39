/// A connection's bytes, up to where the client stops sending. The input's first byte says whether
/// the server has a key.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "fuzz/fuzz.h"
#include "serve/access.h"
#include "serve/http_server.h"

namespace fuzz = kandinsky::fuzz;
namespace serve = kandinsky::serve;

namespace {

/// Answers with what it understood.
class Server {
 public:
  Server()
      : http_("127.0.0.1", 0, {}, [this](const auto& exchange) { answer(*exchange); }),
        thread_([this] { http_.run(); }) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    http_.post([this] { http_.stop(); });
    thread_.join();
  }

  /// All that comes back.
  std::string ask(std::string_view bytes, bool has_key) {
    has_key_ = has_key;
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(http_.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fuzz::require(
        ::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
        "the server listens");
    // It may have hung up already.
    while (!bytes.empty()) {
      const ssize_t sent = ::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    ::shutdown(client, SHUT_WR);
    std::string answer;
    char piece[4096];
    for (ssize_t got = 0; (got = ::recv(client, piece, sizeof piece, 0)) > 0;)
      answer.append(piece, static_cast<std::size_t>(got));
    ::close(client);
    return answer;
  }

 private:
  void answer(serve::Exchange& exchange) {
    constexpr int kMade = 299;  // a status that is nobody else's
    const serve::Access access{.key = has_key_ ? "0123456789abcdef" : ""};
    const auto refusal = access.refuse(exchange, false);
    if (refusal)
      return exchange.reply(refusal->status, "text/plain", refusal->message, refusal->headers);
    fuzz::require(!has_key_ || !exchange.header("Authorization").empty(), "a key opens, no other");
    std::string text = exchange.method + exchange.path + exchange.body;
    for (const auto& [name, value] : exchange.query) text += name + value;
    exchange.reply(kMade, "text/plain", text);
  }

  std::atomic<bool> has_key_ = false;
  serve::HttpServer http_;
  std::thread thread_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  fuzz::Input input(data, size);
  const bool has_key = input.flag();
  const std::string answer = server.ask(input.rest(), has_key);
  fuzz::require(answer.empty() || answer.starts_with("HTTP/1."),
                "an answer is one of HTTP:", answer);
  return 0;
}
