/* The statements of audit/: one function each. Inside audit/ only. Texts live in cx->arena. */
#ifndef SALLYPORT_AUDIT_QUERIES_H
#define SALLYPORT_AUDIT_QUERIES_H

#include "audit/rules.h"

/* ---- lines ---- */

enum err audit_insert_line(struct tx *tx, const struct audit_record *record);

/* A line as lists and verification see it. */
struct audit_row {
    struct audit_record record;
    bool is_there;   /* false: a seal, or a pending mark, without its line */
    int64_t number;  /* of its seal; 0: it has none */
    str line_id;     /* of the seal or mark */
    str link;        /* of the seal */
    str link_key_id; /* of the seal */
    bool is_pending;
};

struct audit_rows {
    struct audit_row *list;
    size_t n;
    bool has_more;
};

struct audit_filter {
    str employer_id;   /* STR_NONE: of every employer, and of the instance */
    str action;        /* exact, or STR_NONE */
    str action_prefix; /* "api_key.", or STR_NONE */
    str actor_id;
    str target_id;
    str request_id;
    int64_t from_ms; /* not before */
    int64_t to_ms;   /* before */
    str before;      /* an id: older lines only; STR_NONE: from the newest */
    int64_t limit;
};

/* Newest first. */
enum err audit_list_lines(struct cx *cx, struct tx *tx, const struct audit_filter *filter,
                          struct audit_rows *out);

/* By id, with seal and mark: what a look for lines without a seal goes through. */
enum err audit_list_from(struct cx *cx, struct tx *tx, str after_id, int64_t limit,
                         struct audit_rows *out);

enum err audit_count_lines(struct tx *tx, int64_t *out);

/* ---- seals ---- */

enum err audit_has_pending(struct tx *tx, bool *out);

/* Marked lines without a seal, by id. */
enum err audit_list_pending(struct cx *cx, struct tx *tx, str after_id, int64_t limit,
                            struct audit_rows *out);
enum err audit_unmark(struct tx *tx, str line_id);

/* The marks of all lines that have a seal by now. */
enum err audit_unmark_sealed(struct tx *tx);

enum err audit_insert_seal(struct tx *tx, int64_t number, str line_id, str link, str key_id);

/* By number, each with its line. */
enum err audit_list_sealed(struct cx *cx, struct tx *tx, int64_t after, int64_t limit,
                           struct audit_rows *out);

/* 0, and an empty link: there is none. */
enum err audit_find_last_seal(struct cx *cx, struct tx *tx, struct audit_head *out);

/* E_ABSENT */
enum err audit_find_link(struct cx *cx, struct tx *tx, int64_t number, str *out);

/* ---- the head ---- */

struct audit_kept_head {
    struct audit_head head;
    str key_id; /* empty: the audit has not been opened yet */
    str mac;
};

/* E_ABSENT: somebody has taken it away. */
enum err audit_find_head(struct cx *cx, struct tx *tx, struct audit_kept_head *out);

/* changed: 0 where there is none to move. */
enum err audit_move_head(struct tx *tx, const struct audit_kept_head *head, int64_t *changed);
enum err audit_insert_head(struct tx *tx, const struct audit_kept_head *head);

/* ---- keys ---- */

struct audit_key_row {
    int64_t generation;
    str id;
    str wrapped;
};

struct audit_key_rows {
    struct audit_key_row *list;
    size_t n;
};

/* The newest last. */
enum err audit_list_keys(struct cx *cx, struct tx *tx, struct audit_key_rows *out);
enum err audit_insert_key(struct tx *tx, const struct audit_key_row *key, int64_t now_ms);
enum err audit_rewrap_key(struct tx *tx, int64_t generation, str wrapped);

/* ---- archives ---- */

struct audit_archives {
    struct audit_archive *list;
    size_t n;
};

/* The oldest first. */
enum err audit_list_archives(struct cx *cx, struct tx *tx, struct audit_archives *out);

/* E_ABSENT */
enum err audit_find_last_archive(struct cx *cx, struct tx *tx, struct audit_archive *out);
enum err audit_insert_archive(struct tx *tx, const struct audit_archive *archive);

/* Lines first: the trigger looks for their seals. */
enum err audit_delete_archived_lines(struct tx *tx, int64_t through, int64_t *deleted);
enum err audit_delete_archived_seals(struct tx *tx, int64_t through);

#endif
