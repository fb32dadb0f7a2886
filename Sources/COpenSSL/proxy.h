#pragma once
// Macros of OpenSSL that the proxy needs.
#include <openssl/ssl.h>

// TLS 1.2 or later; partial writes from moving buffers, because the proxy's queues move; buffers of idle connections released.
static inline void proxy_ssl_context_prepare(SSL_CTX *context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(
        context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}
