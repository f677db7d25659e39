#include "serve/http_server.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <set>
#include <utility>

#include "kandinsky.hpp"

namespace kandinsky::serve {
namespace {

constexpr double kSecondsBetweenLooks = 0.5;  ///< for waiting clients that have disconnected
constexpr double kSecondsForLastAnswers = 3;

template <auto function>
struct Free {
  template <typename Handle>
  void operator()(Handle* handle) const {
    function(handle);
  }
};
using Base = std::unique_ptr<event_base, Free<event_base_free>>;
using Http = std::unique_ptr<evhttp, Free<evhttp_free>>;
using Event = std::unique_ptr<event, Free<event_free>>;
using Buffer = std::unique_ptr<evbuffer, Free<evbuffer_free>>;

timeval to_timeval(double seconds) {
  constexpr double kMicroseconds = 1e6;
  const auto whole = static_cast<time_t>(seconds);
  return {
      .tv_sec = whole,
      .tv_usec = static_cast<suseconds_t>((seconds - static_cast<double>(whole)) * kMicroseconds)};
}

std::string decoded(const char* text, bool plus_is_blank) {
  std::size_t size = 0;
  const std::unique_ptr<char, Free<::free>> plain(
      evhttp_uridecode(text, plus_is_blank ? 1 : 0, &size));
  return plain ? std::string(plain.get(), size) : std::string();
}

std::map<std::string, std::string> parse_query(const char* query) {
  std::map<std::string, std::string> values;
  evkeyvalq pairs{};
  if (query == nullptr || evhttp_parse_query_str(query, &pairs) != 0) return values;
  for (const evkeyval* pair = pairs.tqh_first; pair != nullptr; pair = pair->next.tqe_next)
    values[pair->key] = pair->value;
  evhttp_clear_headers(&pairs);
  return values;
}

const char* method_name(evhttp_cmd_type type) {
  switch (type) {
    case EVHTTP_REQ_GET:
      return "GET";
    case EVHTTP_REQ_HEAD:
      return "HEAD";
    case EVHTTP_REQ_POST:
      return "POST";
    case EVHTTP_REQ_DELETE:
      return "DELETE";
    default:
      return "OTHER";
  }
}

void append_whole(evbuffer* to, std::string content) {
  auto* const owner = new std::string(std::move(content));
  evbuffer_add_reference(
      to, owner->data(), owner->size(),
      [](const void*, std::size_t, void* of) { delete static_cast<std::string*>(of); }, owner);
}

class LibeventExchange : public Exchange {
 public:
  explicit LibeventExchange(evhttp_request* request) : request_(request) {
    const evhttp_uri* const uri = evhttp_request_get_evhttp_uri(request);
    const char* const raw = uri == nullptr ? nullptr : evhttp_uri_get_path(uri);
    method = method_name(evhttp_request_get_command(request));
    path = raw == nullptr ? "/" : decoded(raw, false);
    query = parse_query(uri == nullptr ? nullptr : evhttp_uri_get_query(uri));
    evbuffer* const input = evhttp_request_get_input_buffer(request);
    body.resize(evbuffer_get_length(input));
    evbuffer_remove(input, body.data(), body.size());
  }

  std::string header(const std::string& name) const override {
    const char* const value =
        request_ == nullptr
            ? nullptr
            : evhttp_find_header(evhttp_request_get_input_headers(request_), name.c_str());
    return value == nullptr ? "" : value;
  }

  void reply(int status, const std::string& type, std::string content,
             const Headers& headers) override {
    evhttp_request* const request = std::exchange(request_, nullptr);
    if (request == nullptr) return;
    if (when_answered) when_answered(status);
    evkeyvalq* const out = evhttp_request_get_output_headers(request);
    evhttp_add_header(out, "Content-Type", type.c_str());
    // Against content sniffing and framing.
    evhttp_add_header(out, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(out, "X-Frame-Options", "DENY");
    evhttp_add_header(out, "Cache-Control", "no-store");
    for (const auto& [name, value] : headers) evhttp_add_header(out, name.c_str(), value.c_str());
    const Buffer buffer(evbuffer_new());
    append_whole(buffer.get(), std::move(content));
    evhttp_send_reply(request, status, nullptr, buffer.get());
  }

  bool is_answered() const { return request_ == nullptr; }

  /// libevent does not read while a reply is pending, and so does not notice a disconnect.
  bool is_gone() const {
    bufferevent* const stream =
        evhttp_connection_get_bufferevent(evhttp_request_get_connection(request_));
    pollfd looked = {.fd = bufferevent_getfd(stream), .events = POLLRDHUP, .revents = 0};
    return ::poll(&looked, 1, 0) > 0;
  }

 private:
  evhttp_request* request_;  ///< null once answered
};

}  // namespace

struct HttpServer::State {
  Base base;
  Http http;
  Handler handler;
  MakeStream make_stream;
  evhttp_bound_socket* socket = nullptr;
  evconnlistener* listener = nullptr;
  int wake = -1;
  Event on_wake;
  Event on_look;
  std::mutex mutex;  ///< of `posted`
  std::vector<std::function<void()>> posted;
  std::list<std::shared_ptr<LibeventExchange>> waiting;  ///< for their reply
  std::set<const evhttp_connection*> busy;               ///< a reply is pending or being sent
  bool is_stopping = false;

  ~State() {
    on_wake.reset();
    on_look.reset();
    http.reset();  // calls free() for open connections
    if (wake >= 0) ::close(wake);
  }

  void take(evhttp_request* request) {
    evhttp_connection* const connection = evhttp_request_get_connection(request);
    busy.insert(connection);
    evhttp_request_set_on_complete_cb(
        request,
        [](evhttp_request* done, void* of) {
          static_cast<State*>(of)->free(evhttp_request_get_connection(done));
        },
        this);
    evhttp_connection_set_closecb(
        connection,
        [](evhttp_connection* closed, void* of) { static_cast<State*>(of)->free(closed); }, this);
    auto exchange = std::make_shared<LibeventExchange>(request);
    constexpr int kOtherVersion = 505;
    // libevent answers in the request's version, whatever that is.
    if (std::exchange(request->major, 1) != 1) {
      request->minor = 1;
      exchange->reply(kOtherVersion, "text/plain", "expected HTTP/1.0 or HTTP/1.1\n", {});
      return;
    }
    handler(exchange);
    if (!exchange->is_answered()) waiting.push_back(std::move(exchange));
  }

  void free(const evhttp_connection* connection) {
    busy.erase(connection);
    if (is_stopping && busy.empty()) event_base_loopexit(base.get(), nullptr);
  }

  void look() {
    // The listener pauses when out of descriptors: retrying at once would only use CPU time.
    if (!is_stopping) evconnlistener_enable(listener);
    waiting.remove_if([](const auto& exchange) { return exchange->is_answered(); });
    // The callback may reply to other exchanges of the list.
    for (const auto& exchange : std::vector(waiting.begin(), waiting.end())) {
      if (exchange->is_answered() || !exchange->when_gone || !exchange->is_gone()) continue;
      std::exchange(exchange->when_gone, nullptr)();
    }
  }

  void run_posted() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake, &count, sizeof count);
    std::vector<std::function<void()>> functions;
    {
      const std::lock_guard lock(mutex);
      functions.swap(posted);
    }
    for (const auto& function : functions) function();
  }

  void after(double seconds, std::function<void()> function) {
    const timeval time = to_timeval(seconds);
    auto* const owner = new std::function<void()>(std::move(function));
    event_base_once(
        base.get(), -1, EV_TIMEOUT,
        [](evutil_socket_t, short, void* of) {
          const std::unique_ptr<std::function<void()>> call(
              static_cast<std::function<void()>*>(of));
          (*call)();
        },
        owner, &time);
  }
};

HttpServer::HttpServer(const std::string& address, std::uint16_t port, const HttpLimits& limits,
                       Handler handler, MakeStream make_stream)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.handler = std::move(handler);
  state.make_stream = std::move(make_stream);
  state.base.reset(event_base_new());
  state.http.reset(evhttp_new(state.base.get()));
  state.wake = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (!state.base || !state.http || state.wake < 0)
    throw StatusError(KANDINSKY_IO, "the server cannot start: out of file descriptors");
  evhttp* const http = state.http.get();
  evhttp_set_max_body_size(http, static_cast<ev_ssize_t>(limits.body_bytes));
  evhttp_set_max_headers_size(http, static_cast<ev_ssize_t>(limits.header_bytes));
  evhttp_set_timeout(http, limits.idle_seconds);
  evhttp_set_allowed_methods(
      http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_DELETE);
  evhttp_set_gencb(
      http, [](evhttp_request* request, void* of) { static_cast<State*>(of)->take(request); },
      &state);
  if (state.make_stream) {
    evhttp_set_bevcb(
        http,
        [](event_base* base, void* of) noexcept {
          return static_cast<State*>(of)->make_stream(base);
        },
        &state);
  }
  errno = 0;
  state.socket = evhttp_bind_socket_with_handle(http, address.c_str(), port);
  if (state.socket == nullptr) {
    throw StatusError(errno == 0 ? KANDINSKY_INVALID_ARGUMENT : KANDINSKY_IO,
                      fmt::format("--listen {} --port {}: {}", address, port,
                                  errno == 0 ? "there is no such address" : std::strerror(errno)));
  }
  state.listener = evhttp_bound_socket_get_listener(state.socket);
  evconnlistener_set_error_cb(
      state.listener, [](evconnlistener* listener, void*) { evconnlistener_disable(listener); });
  state.on_wake.reset(event_new(
      state.base.get(), state.wake, EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* of) { static_cast<State*>(of)->run_posted(); }, &state));
  event_add(state.on_wake.get(), nullptr);
  state.on_look.reset(event_new(
      state.base.get(), -1, EV_PERSIST,
      [](evutil_socket_t, short, void* of) { static_cast<State*>(of)->look(); }, &state));
  const timeval interval = to_timeval(kSecondsBetweenLooks);
  event_add(state.on_look.get(), &interval);
}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(evhttp_bound_socket_get_fd(state_->socket), reinterpret_cast<sockaddr*>(&address),
                &size);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

void HttpServer::run() { event_base_dispatch(state_->base.get()); }

void HttpServer::post(std::function<void()> function) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->posted.push_back(std::move(function));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(state_->wake, &one, sizeof one);
}

void HttpServer::post_after(double seconds, std::function<void()> function) {
  state_->after(seconds, std::move(function));
}

void HttpServer::stop() {
  state_->is_stopping = true;
  evconnlistener_disable(state_->listener);
  const timeval most = to_timeval(state_->busy.empty() ? 0 : kSecondsForLastAnswers);
  event_base_loopexit(state_->base.get(), &most);
}

bool is_loopback(std::string_view host) {
  const std::string text(host);
  in_addr v4{};
  in6_addr v6{};
  constexpr std::uint32_t kNet = 127;
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24U == kNet;
  if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return text == "localhost";
}

}  // namespace kandinsky::serve
