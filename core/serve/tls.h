#pragma once

#include <string>

#include "serve/http_server.h"

namespace kandinsky::serve {

/// Streams for HTTPS. certificate: a PEM file of the server's certificate and those that lead to
/// its authority; key: a PEM file of its private key. Throws StatusError naming the file;
/// KANDINSKY_UNSUPPORTED for an encrypted key, and if the program was built without OpenSSL.
MakeStream tls_streams(const std::string& certificate, const std::string& key);

}  // namespace kandinsky::serve
