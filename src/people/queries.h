/* Employers and users, and the statements of people/. Inside people/ only. */
#ifndef SALLYPORT_PEOPLE_QUERIES_H
#define SALLYPORT_PEOPLE_QUERIES_H

#include "people/people.h"

struct identities {
    struct identity *list; /* room for IDENTITIES_MAX */
    size_t n;
};

struct employer {
    str id;
    str name;
    bool is_active;
    bool is_approved;
    str plan_id; /* '': everything */
    str places;  /* where its keys may be used from, as the store has it; '': anywhere */
    int64_t created_at_ms;
    struct identities identities;
};

struct user {
    str id;
    str employer_id;
    str email;
    str email_folded;
    enum role role;
    str password_hash; /* STR_NONE: cannot sign in with a password; never read back */
    bool is_active;
    int64_t created_at_ms;
    struct identities identities;
};

struct employer_list {
    struct employer *list;
    size_t n;
    bool has_more;
};

struct user_list {
    struct user *list;
    size_t n;
    bool has_more;
};

enum err people_insert_employer(struct tx *tx, const struct employer *employer);
enum err people_find_employer(struct cx *cx, struct tx *tx, str id, struct employer *out);
/* only: this one, if it comes after `after`; STR_NONE: all */
enum err people_list_employers(struct cx *cx, struct tx *tx, str only, str after, int64_t limit,
                               struct employer_list *out);
enum err people_update_employer(struct tx *tx, const struct employer *employer);

/* E_STORE_CONFLICT: the address exists. */
enum err people_insert_user(struct tx *tx, const struct user *user);
enum err people_find_user(struct cx *cx, struct tx *tx, str id, struct user *out);

/* Without patients; employer_id STR_NONE: of every employer. */
enum err people_list_users(struct cx *cx, struct tx *tx, str employer_id, str after, int64_t limit,
                           struct user_list *out);
enum err people_update_user(struct tx *tx, const struct user *user, int64_t now_ms);
enum err people_count_active_admins(struct tx *tx, int64_t *out);
enum err people_count_admins(struct tx *tx, int64_t *out);

/* The rows of user_identity or employer_identity of one owner. */
enum identity_kind { IDENTITY_OF_USER, IDENTITY_OF_EMPLOYER };

enum err people_list_identities(struct cx *cx, struct tx *tx, enum identity_kind kind, str owner_id,
                                struct identities *out);
enum err people_delete_identities(struct tx *tx, enum identity_kind kind, str owner_id);

/* *is_new: false if somebody is linked to it already, who stays so. */
enum err people_insert_identity(struct tx *tx, enum identity_kind kind,
                                const struct identity *identity, str owner_id, int64_t now_ms,
                                bool *is_new);

/* The user with an address, patients included. E_ABSENT */
enum err people_find_by_email(struct cx *cx, struct tx *tx, str email_folded,
                              struct known_user *out);

#endif
