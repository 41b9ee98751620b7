/* What the files of the library share; the public side is include/sallyport.h. */
#ifndef SALLYPORT_LIBRARY_INSIDE_H
#define SALLYPORT_LIBRARY_INSIDE_H

#include <assert.h>
#include <stdatomic.h>

#include "base/drop.h"
#include "decide/decide.h"
#include "sallyport.h"

enum { PREFIX_MAX_BYTES = 16, FIELD_MAX_BYTES = 64, ANY_TEXT_MAX_BYTES = 4096 };

struct sallyport_table {
    struct keys *keys;
    size_t keys_max;
    atomic_bool takes_any_text; /* keys of another form are in it: every text is looked up */
    struct key_form form;
    str field;
    struct scope_names names;
    str scopes[SCOPES_MAX];
    char prefix_text[PREFIX_MAX_BYTES + 1];
    char environment_text[8];
    char field_text[FIELD_MAX_BYTES + 1];
    char scope_texts[SCOPES_MAX][SCOPE_TEXT_MAX_BYTES + 1];
};

/* What sallyport_verdict.facts holds: what the explanation needs and nobody else asks for. */
struct told {
    uint64_t text_fault; /* enum key_fault */
    uint64_t text_by;
    uint64_t client_family; /* enum net_family */
    uint8_t client[16];
    uint64_t required; /* scopes that count here, held or missing */
    uint64_t cost;
};

static_assert(sizeof(struct told) <= sizeof((struct sallyport_verdict){0}.facts), "told fits");

/* Of an index that says nothing: one member, one value. */
#define WHOLE 0

/* Note what is not valid, where it is wanted; always SALLYPORT_INVALID, so that it ends a function.
 */
enum sallyport_result invalid(struct sallyport_problem *problem, const char *member, size_t index,
                              const char *format, ...) PRINTF_LIKE(4, 5);

/* The code and the check of a verdict; SALLYPORT_VALID's error is E_OK. */
enum err library_err(enum sallyport_code code);
void library_name(const struct verdict *verdict, const struct decide_key *key,
                  const struct key_text_verdict *text, struct sallyport_verdict *out);

#endif
