/* What a key may say. */
#ifndef SALLYPORT_LIBRARY_RULES_H
#define SALLYPORT_LIBRARY_RULES_H

#include "library/inside.h"

/* A key as the decision takes it. The texts are the caller's; policy.cidrs is cidrs. */
struct library_key {
    str id;
    str owner_id; /* empty: none */
    struct decide_key policy;
    struct net_cidr cidrs[SALLYPORT_ADDRESSES_MAX];
};

/* SALLYPORT_INVALID names the first member that is not valid. */
enum sallyport_result library_read_key(const struct sallyport_table *table,
                                       const struct sallyport_key *key,
                                       struct sallyport_problem *problem, struct library_key *out);

/* An id that must be there; `member` is what the problem calls it. */
enum sallyport_result read_id(const char *member, const char *text,
                              struct sallyport_problem *problem, str *out);

#endif
