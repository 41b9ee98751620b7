/* What the stream's state means for an entry of the key table. */
#include "keys/trust.h"

#include <stdatomic.h>

#include "base/time.h"
#include "stream/stream.h"

/* An entry is read again after this long, and an unanswered store is asked again. */
#define AGAIN_AFTER_NS (INT64_C(1000) * 1000 * 1000)

static atomic_bool is_shared;
static _Atomic int64_t unanswered_at_ns = INT64_MIN / 2; /* monotonic */

void trust_set_shared(bool shared)
{
    atomic_store(&is_shared, shared);
}

void trust_note_unanswered(void)
{
    atomic_store(&unanswered_at_ns, time_mono_ns());
}

static bool is_store_away(const struct stream_state *stream)
{
    return stream->is_running && (stream->is_unanswered ||
                                  time_mono_ns() - atomic_load(&unanswered_at_ns) < AGAIN_AFTER_NS);
}

static bool is_vouched_for(const struct stream_state *stream, const struct keys_silence *policy)
{
    return policy->goes_on || stream->silence_ms < policy->max_ms;
}

int64_t trust_since_ns(const struct keys_silence *policy, int64_t now_ns)
{
    if (!atomic_load_explicit(&is_shared, memory_order_relaxed))
        return INT64_MIN;
    struct stream_state stream = stream_state();
    if (stream.is_current)
        return INT64_MIN;
    if (is_store_away(&stream) && is_vouched_for(&stream, policy))
        return INT64_MIN;
    return now_ns - AGAIN_AFTER_NS;
}

bool trust_is_over(const struct keys_silence *policy)
{
    struct stream_state stream = stream_state();

    return atomic_load(&is_shared) && is_store_away(&stream) && !is_vouched_for(&stream, policy);
}
