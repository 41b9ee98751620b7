/* Texts as values: keys, digests, addresses, scopes and expressions. */
#include <string.h>

#include "base/banned.h"
#include "crypto/digest.h"
#include "library/inside.h"

static_assert(sizeof(struct sallyport_expression) == sizeof(struct scope_expr), "one in the other");
static_assert(sizeof(struct sallyport_digest) == sizeof(struct sha256), "one in the other");
static_assert(SALLYPORT_SCOPES_MAX == (int)SCOPES_MAX, "as in decide/scope.h");
static_assert(SALLYPORT_SCOPE_MAX_BYTES == (int)SCOPE_TEXT_MAX_BYTES, "as in decide/scope.h");
static_assert(SALLYPORT_TEXT_MAX == (int)KEY_TEXT_MAX_BYTES, "as in decide/key_text.h");
static_assert(SALLYPORT_RANDOM_BYTES == (int)KEY_RANDOM_BYTES, "as in decide/key_text.h");

const char *sallyport_version(void)
{
    return SALLYPORT_VERSION;
}

struct sallyport_digest sallyport_digest_of(const char *text, size_t bytes)
{
    struct sha256 digest = digest_sha256((str){text, bytes});
    struct sallyport_digest out;

    memcpy(out.bytes, digest.bytes, sizeof out.bytes);
    return out;
}

size_t sallyport_key_text(const struct sallyport_table *table,
                          const uint8_t random[SALLYPORT_RANDOM_BYTES],
                          char out[SALLYPORT_TEXT_MAX])
{
    size_t n = key_text_make(&table->form, random, out);

    out[n] = '\0';
    return n;
}

bool sallyport_address_parse(const char *text, size_t bytes, struct sallyport_address *out)
{
    struct net_addr addr;

    if (!net_addr_parse((str){text, bytes}, &addr))
        return false;
    *out = (struct sallyport_address){.family = addr.family == NET_V4 ? 4 : 6};
    memcpy(out->bytes, addr.bytes, sizeof out->bytes);
    return true;
}

uint64_t sallyport_scope(const struct sallyport_table *table, const char *name)
{
    unsigned bit;

    return scope_names_find(&table->names, str_of(name), &bit) ? UINT64_C(1) << bit : 0;
}

enum sallyport_result sallyport_expression_parse(const struct sallyport_table *table,
                                                 const char *text, struct sallyport_expression *out,
                                                 struct sallyport_problem *problem)
{
    struct scope_expr_fault fault;
    struct scope_expr expr;

    if (!scope_expr_parse_names(&table->names, str_of(text), &expr, &fault))
        return invalid(problem, "text", fault.at, "%.*s", STR_ARG(fault.reason));
    memcpy(out, &expr, sizeof expr);
    return SALLYPORT_OK;
}
