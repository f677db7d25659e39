#include "serve/tls.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <new>
#include <string>

#include "jobs/files.h"
#include "kandinsky.hpp"
#include "serve/http_server.h"

namespace kandinsky::serve {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 20U;  ///< of a PEM file

template <auto function>
struct FreeWith {
  template <typename Handle>
  void operator()(Handle* handle) const {
    function(handle);
  }
};
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Context = std::shared_ptr<SSL_CTX>;

[[noreturn]] void fail(kandinsky_status status, const char* option, const std::string& path,
                       const std::string& problem) {
  throw StatusError(status, fmt::format("{} {}: {}", option, path, problem));
}

/// OpenSSL's last error, which is then forgotten, in brackets.
std::string in_brackets() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason == nullptr ? "" : fmt::format(" ({})", reason);
}

/// Without it OpenSSL would ask at the terminal.
int no_password(char*, int, int, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

Bio reader(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

void use_certificates(SSL_CTX* context, const std::string& path) {
  constexpr const char* kOption = "--tls-cert";
  const std::string text = jobs::read_file(path, kMostBytes);
  const Bio bio = reader(text);
  bool was_asked = false;
  const Certificate first(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_password, &was_asked));
  if (!first) fail(KANDINSKY_CORRUPT_FILE, kOption, path, "no certificate in PEM" + in_brackets());
  if (SSL_CTX_use_certificate(context, first.get()) != 1)
    fail(KANDINSKY_UNSUPPORTED, kOption, path, "OpenSSL refuses it" + in_brackets());
  while (Certificate next{PEM_read_bio_X509(bio.get(), nullptr, no_password, &was_asked)}) {
    if (SSL_CTX_add0_chain_cert(context, next.get()) != 1)
      fail(KANDINSKY_UNSUPPORTED, kOption, path, "OpenSSL refuses its chain" + in_brackets());
    [[maybe_unused]] const X509* const taken = next.release();
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    fail(KANDINSKY_CORRUPT_FILE, kOption, path, "a bad certificate in its chain" + in_brackets());
  ERR_clear_error();
}

void use_key(SSL_CTX* context, const std::string& path, const std::string& certificate) {
  constexpr const char* kOption = "--tls-key";
  const std::string text = jobs::read_file(path, kMostBytes);
  const Bio bio = reader(text);
  bool was_asked = false;
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, &was_asked));
  if (was_asked) {
    fail(KANDINSKY_UNSUPPORTED, kOption, path,
         "it is encrypted; `openssl pkey -in FILE -out FILE` writes one that is not");
  }
  if (!key) fail(KANDINSKY_CORRUPT_FILE, kOption, path, "no private key in PEM" + in_brackets());
  if (X509_check_private_key(SSL_CTX_get0_certificate(context), key.get()) != 1) {
    fail(KANDINSKY_INCOMPATIBLE, kOption, path,
         fmt::format("it is not the key of the certificate in {}", certificate));
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    fail(KANDINSKY_UNSUPPORTED, kOption, path, "OpenSSL refuses it" + in_brackets());
}

}  // namespace

MakeStream tls_streams(const std::string& certificate, const std::string& key) {
  const Context context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1)
    throw StatusError(KANDINSKY_INTERNAL, "OpenSSL cannot start" + in_brackets());
  use_certificates(context.get(), certificate);
  use_key(context.get(), key, certificate);
  // Clients resume sessions with tickets; a cache would grow with them. Idle connections keep no
  // buffers.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  return [context](event_base* base) {
    SSL* const ssl = SSL_new(context.get());
    if (ssl == nullptr) throw std::bad_alloc();
    bufferevent* const stream = bufferevent_openssl_socket_new(
        base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (stream == nullptr) throw std::bad_alloc();
    return stream;
  };
}

}  // namespace kandinsky::serve
