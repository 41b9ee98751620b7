/*
 * The issuers' keys in memory, and the thread that reads them. Inside issuers/ only.
 *
 * Keys are looked up by kid alone. An unknown kid has them read again at once, but not more often
 * than every KEYS_UNKNOWN_GAP_MS an issuer: the ids in tokens are anybody's to invent.
 */
#ifndef SALLYPORT_ISSUERS_KEYS_H
#define SALLYPORT_ISSUERS_KEYS_H

#include "issuers/issuers.h"

enum {
    KEYS_FRESH_MS = 10 * 60 * 1000,
    KEYS_STALE_MAX_MS = 24 * 3600 * 1000, /* no longer believed while the issuer is away */
    KEYS_UNKNOWN_GAP_MS = 30 * 1000,
    KEYS_RETRY_MS = 30 * 1000,      /* after a failure, while keys are known */
    KEYS_RETRY_EMPTY_MS = 5 * 1000, /* while none are */
    KEYS_WAIT_MS = 11 * 1000,       /* a token waits for two documents */
    KEYS_WAITING_MAX = 8,           /* so that most workers stay free */
};

/* The list outlives keys_stop. Keys of PEM files are read here. */
void keys_cache_start(const struct issuer *list, size_t n);

/* False: no thread could be started. */
bool keys_cache_serve(void);
void keys_cache_stop(void);

/*
 * Has the i-th issuer signed this? Its alg has been judged. Waits for keys being read.
 *
 * E_TOKEN_INVALID       the key is not known, does not fit the alg, or has not signed it
 * E_ISSUER_UNREACHABLE  no keys are known, or too many wait; failure.retry_after_s is set
 */
enum err keys_cache_verify(struct cx *cx, size_t i, const struct jws *jws);

#endif
