/* The statements of idempotency/: one function each. Inside idempotency/ only. */
#ifndef SALLYPORT_IDEMPOTENCY_QUERIES_H
#define SALLYPORT_IDEMPOTENCY_QUERIES_H

#include "store/store.h"

/* Who asks for what under which key; texts are hex. */
struct claim {
    str id;
    str key_id;
    str payload;
};

struct kept {
    str key_id;
    str payload;
    int status;
    str answer; /* STR_NONE: no body */
    bool has_secret;
};

/* False: it is another call's. One that has expired makes way. */
enum err idempotency_claim(struct tx *tx, const struct claim *claim, int64_t now_ms,
                           int64_t expires_at_ms, bool *is_ours);

/* What the call that has claimed it answers. */
enum err idempotency_keep(struct tx *tx, str id, const struct kept *kept);

/* E_ABSENT: there is none, or it has expired. Texts live in cx->arena. */
enum err idempotency_find(struct cx *cx, struct tx *tx, str id, struct kept *out);

enum err idempotency_any_expired(struct tx *tx, int64_t now_ms, bool *out);
enum err idempotency_delete_expired(struct tx *tx, int64_t now_ms, int64_t most, int64_t *deleted);

#endif
