/* Keys put into a table, and taken out. */
#include <string.h>

#include "base/banned.h"
#include "library/keys.h"

static enum sallyport_result put(struct sallyport_table *table, const struct sha256 *digest,
                                 const struct sallyport_key *key, struct sallyport_problem *problem)
{
    struct library_key read;

    if (library_read_key(table, key, problem, &read) != SALLYPORT_OK)
        return SALLYPORT_INVALID;
    return keys_put(table->keys, digest, &read) ? SALLYPORT_OK : SALLYPORT_FULL;
}

enum sallyport_result sallyport_put(struct sallyport_table *table,
                                    const struct sallyport_digest *digest,
                                    const struct sallyport_key *key,
                                    struct sallyport_problem *problem)
{
    struct sha256 inner;

    memcpy(inner.bytes, digest->bytes, sizeof inner.bytes);
    return put(table, &inner, key, problem);
}

enum sallyport_result sallyport_put_text(struct sallyport_table *table, const char *text,
                                         size_t bytes, const struct sallyport_key *key,
                                         struct sallyport_problem *problem)
{
    struct sha256 digest = digest_sha256((str){text, bytes});

    if (bytes == 0 || bytes > ANY_TEXT_MAX_BYTES)
        return invalid(problem, "bytes", WHOLE, "must be 1 to %d", ANY_TEXT_MAX_BYTES);
    if (key_text_judge((str){text, bytes}, &table->form).fault != KEY_TEXT_OK)
        atomic_store(&table->takes_any_text, true);
    return put(table, &digest, key, problem);
}

enum sallyport_result sallyport_remove(struct sallyport_table *table, const char *id)
{
    return keys_remove(table->keys, str_of(id)) ? SALLYPORT_OK : SALLYPORT_ABSENT;
}
