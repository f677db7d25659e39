#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct bufferevent;
struct event_base;

/// HTTP/1.1 over libevent: one thread reads and writes for all connections, so that a slow one
/// uses a descriptor but no thread.
namespace kandinsky::serve {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// A request and its reply, used only on the server's thread. The reply may be sent at any time.
class Exchange {
 public:
  virtual ~Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  std::string method;
  std::string path;  ///< percent-decoded, without the query
  std::map<std::string, std::string> query;
  std::string body;
  /// Called once if the client closes the connection before its reply.
  std::function<void()> when_gone;
  std::function<void(int status)> when_answered;

  /// The header's value, its name in any case; empty: none.
  virtual std::string header(const std::string& name) const = 0;

  /// Call it once.
  virtual void reply(int status, const std::string& type, std::string content,
                     const Headers& headers = {}) = 0;

 protected:
  Exchange() = default;
};

struct HttpLimits {
  std::size_t body_bytes = std::size_t{32} << 20U;  ///< more: 413
  std::size_t header_bytes = std::size_t{16} << 10U;
  int idle_seconds = 30;  ///< timeout without a byte in either direction
};

/// Makes the stream of a new connection, for example one that encrypts. May throw std::bad_alloc,
/// which ends the program: libevent would take a plain stream instead.
using MakeStream = std::function<bufferevent*(event_base*)>;

class HttpServer {
 public:
  using Handler = std::function<void(const std::shared_ptr<Exchange>&)>;

  /// Starts to listen. port: 0 for any free one; make_stream: empty for plain HTTP. Throws
  /// StatusError(KANDINSKY_IO), and KANDINSKY_INVALID_ARGUMENT for an invalid address.
  HttpServer(const std::string& address, std::uint16_t port, const HttpLimits& limits,
             Handler handler, MakeStream make_stream = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;

  /// Serves on this thread until stop().
  void run();

  /// Posts the function to the server's thread. From any thread.
  void post(std::function<void()> function);

  /// Runs the function on the server's thread after a delay. From the server's thread.
  void post_after(double seconds, std::function<void()> function);

  /// Accepts no more connections and ends run() when all replies are sent, or after some seconds.
  /// Every exchange must have been replied to. From the server's thread.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "127.0.0.1", "::1", "localhost" and other loopback names.
bool is_loopback(std::string_view host);

}  // namespace kandinsky::serve
