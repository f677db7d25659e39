#include <string>

#include "kandinsky.hpp"
#include "serve/http_server.h"
#include "serve/tls.h"

namespace kandinsky::serve {

MakeStream tls_streams(const std::string&, const std::string&) {
  throw StatusError(KANDINSKY_UNSUPPORTED,
                    "--tls-cert: this program was built without OpenSSL, so it has no TLS");
}

}  // namespace kandinsky::serve
