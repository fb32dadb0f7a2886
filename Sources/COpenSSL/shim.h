#pragma once
// No `link` in the module map: each program says whether it takes the shared library or carries its own.
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Swift sees functions, not macros: each one below is the macro of nearly the same name.

static inline long tarn_ssl_ctx_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
    return SSL_CTX_add1_chain_cert(context, certificate);
}
static inline long tarn_ssl_set_server_name(SSL *session, const char *name) {
    return SSL_set_tlsext_host_name(session, name);
}
static inline long tarn_bio_data(BIO *bio, char **data) { return BIO_get_mem_data(bio, data); }
static inline int tarn_bio_reset(BIO *bio) { return (int)BIO_reset(bio); }
static inline long tarn_bio_pending(BIO *bio) { return (long)BIO_pending(bio); }

static inline int tarn_x509_stack_count(const STACK_OF(X509) *stack) { return stack ? sk_X509_num(stack) : 0; }
static inline X509 *tarn_x509_stack_at(const STACK_OF(X509) *stack, int index) { return sk_X509_value(stack, index); }
static inline STACK_OF(X509) *tarn_x509_stack_new(void) { return sk_X509_new_null(); }
static inline int tarn_x509_stack_push(STACK_OF(X509) *stack, X509 *certificate) {
    return sk_X509_push(stack, certificate);
}
// Frees the stack, not what is in it.
static inline void tarn_x509_stack_free(STACK_OF(X509) *stack) { sk_X509_free(stack); }

static inline EVP_PKEY *tarn_ec_p256_generate(void) { return EVP_EC_gen("P-256"); }
static inline unsigned long tarn_error_reason(unsigned long error) { return (unsigned long)ERR_GET_REASON(error); }
static inline int tarn_error_is_ssl(unsigned long error) { return ERR_GET_LIB(error) == ERR_LIB_SSL; }

// Without a callback OpenSSL asks for the password of an encrypted key on the terminal, which no daemon can answer.
static inline int tarn_no_password(char *buffer, int size, int writing, void *context) {
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}
static inline EVP_PKEY *tarn_read_private_key(BIO *bio) {
    return PEM_read_bio_PrivateKey(bio, NULL, tarn_no_password, NULL);
}
static inline X509 *tarn_read_certificate(BIO *bio) { return PEM_read_bio_X509(bio, NULL, tarn_no_password, NULL); }

static inline X509_EXTENSION *tarn_make_extension(X509 *issuer, X509 *subject, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, subject, NULL, NULL, 0);
    return X509V3_EXT_conf_nid(NULL, &context, nid, value);
}

// What every context of ours has in common: TLS 1.2 at least, no renegotiation, no resumption (see TLSContext).
static inline int tarn_ssl_ctx_configure(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                                     | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                                  | SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_num_tickets(context, 0) && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}
static inline int tarn_mbstring_utf8(void) { return MBSTRING_UTF8; }
#include "proxy.h"
