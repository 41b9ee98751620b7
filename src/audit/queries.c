/* Each SQL statement of audit/, beside its binding and its reading. */
#include "audit/queries.h"

#include "base/time.h"

/* In the order of enum audit_text, then the rest. */
#define LINE_COLUMNS                                                                               \
    " a.id, a.action, a.actor_kind, a.actor_id, a.role, a.actor_employer_id, a.employer_id,"       \
    " a.target_kind, a.target_id, a.address, a.user_agent, a.request_id, a.detail, a.key_id,"      \
    " a.at_ms, a.mac"
#define ROW_COLUMNS LINE_COLUMNS ", s.number, s.line_id, s.link, s.key_id"

enum { AT_MS = AUDIT_TEXTS_END, MAC, NUMBER, LINE_ID, LINK, LINK_KEY_ID, PENDING_ID };

static str dup(struct cx *cx, const struct rows *rows, int column)
{
    return arena_dup(cx->arena, rows_text(rows, column));
}

static void read_line(struct cx *cx, const struct rows *rows, struct audit_row *out)
{
    *out = (struct audit_row){.is_there = !str_is_none(rows_text(rows, AUDIT_ID))};
    for (int t = 0; t < AUDIT_TEXTS_END; t++)
        out->record.text[t] = dup(cx, rows, t);
    out->record.at_ms = rows_int(rows, AT_MS);
    out->record.mac = dup(cx, rows, MAC);
    out->number = rows_int(rows, NUMBER);
    out->line_id = dup(cx, rows, LINE_ID);
    out->link = dup(cx, rows, LINK);
    out->link_key_id = dup(cx, rows, LINK_KEY_ID);
}

static struct bind text_or_empty(str text)
{
    return TEXT(str_is_none(text) ? S("") : text);
}

/* All rows, `limit` at most; one more says that there are others. */
static enum err read_all(struct cx *cx, struct rows *rows, int64_t limit, bool has_mark,
                         struct audit_rows *out)
{
    enum err e = E_OK;

    *out = (struct audit_rows){.list =
                                   arena_array(cx->arena, (size_t)limit, sizeof(struct audit_row))};
    while (rows_next(rows, &e)) {
        if (out->n == (size_t)limit) {
            out->has_more = true;
            break;
        }
        struct audit_row *row = &out->list[out->n++];
        read_line(cx, rows, row);
        row->is_pending = has_mark && !str_is_none(rows_text(rows, PENDING_ID));
        if (row->is_pending && str_is_none(row->line_id))
            row->line_id = dup(cx, rows, PENDING_ID);
    }
    return e;
}

/* ---- lines ---- */

static enum err insert_line(struct tx *tx, const struct audit_record *r)
{
    static const char sql[] =
        "INSERT INTO audit (id, action, actor_kind, actor_id, role, actor_employer_id, employer_id,"
        " target_kind, target_id, address, user_agent, request_id, detail, key_id, at_ms, mac)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";

    return tx_exec(tx, sql,
                   BIND(TEXT(r->text[AUDIT_ID]), TEXT(r->text[AUDIT_ACTION]),
                        TEXT(r->text[AUDIT_ACTOR_KIND]), TEXT(r->text[AUDIT_ACTOR_ID]),
                        TEXT(r->text[AUDIT_ROLE]), TEXT(r->text[AUDIT_ACTOR_EMPLOYER_ID]),
                        TEXT(r->text[AUDIT_EMPLOYER_ID]), TEXT(r->text[AUDIT_TARGET_KIND]),
                        TEXT(r->text[AUDIT_TARGET_ID]), TEXT(r->text[AUDIT_ADDRESS]),
                        TEXT(r->text[AUDIT_USER_AGENT]), TEXT(r->text[AUDIT_REQUEST_ID]),
                        TEXT(r->text[AUDIT_DETAIL]), TEXT(r->text[AUDIT_KEY_ID]), INT(r->at_ms),
                        TEXT(r->mac)),
                   NULL);
}

static enum err mark(struct tx *tx, str line_id)
{
    static const char sql[] = "INSERT INTO audit_pending (line_id) VALUES ($1)";

    return tx_exec(tx, sql, BIND(TEXT(line_id)), NULL);
}

enum err audit_insert_line(struct tx *tx, const struct audit_record *record)
{
    TRY(insert_line(tx, record));
    return mark(tx, record->text[AUDIT_ID]);
}

enum err audit_list_lines(struct cx *cx, struct tx *tx, const struct audit_filter *f,
                          struct audit_rows *out)
{
#define FILTERS                                                                                    \
    " ($2 = '' OR a.action = $2) AND ($3 = '' OR substr(a.action, 1, length($3)) = $3)"            \
    " AND ($4 = '' OR a.actor_id = $4) AND ($5 = '' OR a.target_id = $5)"                          \
    " AND ($6 = '' OR a.request_id = $6) AND a.at_ms >= $7 AND a.at_ms < $8"                       \
    " AND ($9 = '' OR a.id < $9) ORDER BY a.id DESC LIMIT $10"
    static const char all[] =
        "SELECT" ROW_COLUMNS " FROM audit a LEFT JOIN audit_seal s ON s.line_id = a.id"
        " WHERE $1 = '' AND" FILTERS;
    static const char of_one[] =
        "SELECT" ROW_COLUMNS " FROM audit a LEFT JOIN audit_seal s ON s.line_id = a.id"
        " WHERE a.employer_id = $1 AND" FILTERS;
#undef FILTERS
    DROP(rows) struct rows *rows = NULL;
    const char *sql = str_is_none(f->employer_id) ? all : of_one;

    TRY(tx_query(tx, sql,
                 BIND(text_or_empty(f->employer_id), text_or_empty(f->action),
                      text_or_empty(f->action_prefix), text_or_empty(f->actor_id),
                      text_or_empty(f->target_id), text_or_empty(f->request_id), INT(f->from_ms),
                      INT(f->to_ms ? f->to_ms : TIME_MAX_MS), text_or_empty(f->before),
                      INT(f->limit + 1)),
                 &rows));
    return read_all(cx, rows, f->limit, false, out);
}

enum err audit_list_from(struct cx *cx, struct tx *tx, str after_id, int64_t limit,
                         struct audit_rows *out)
{
    static const char sql[] = "SELECT" ROW_COLUMNS ", p.line_id FROM audit a"
                              " LEFT JOIN audit_seal s ON s.line_id = a.id"
                              " LEFT JOIN audit_pending p ON p.line_id = a.id"
                              " WHERE a.id > $1 ORDER BY a.id LIMIT $2";
    DROP(rows) struct rows *rows = NULL;

    TRY(tx_query(tx, sql, BIND(text_or_empty(after_id), INT(limit + 1)), &rows));
    return read_all(cx, rows, limit, true, out);
}

enum err audit_count_lines(struct tx *tx, int64_t *out)
{
    static const char sql[] = "SELECT count(*) FROM audit";

    return tx_one_int(tx, sql, BIND(), out);
}

/* ---- seals ---- */

enum err audit_has_pending(struct tx *tx, bool *out)
{
    static const char sql[] = "SELECT count(*) FROM (SELECT 1 FROM audit_pending LIMIT 1) one";
    int64_t n = 0;

    TRY(tx_one_int(tx, sql, BIND(), &n));
    *out = n > 0;
    return E_OK;
}

enum err audit_list_pending(struct cx *cx, struct tx *tx, str after_id, int64_t limit,
                            struct audit_rows *out)
{
    static const char sql[] = "SELECT" ROW_COLUMNS ", p.line_id FROM audit_pending p"
                              " LEFT JOIN audit a ON a.id = p.line_id"
                              " LEFT JOIN audit_seal s ON s.line_id = p.line_id"
                              " WHERE p.line_id > $1 AND s.number IS NULL"
                              " ORDER BY p.line_id LIMIT $2";
    DROP(rows) struct rows *rows = NULL;

    TRY(tx_query(tx, sql, BIND(text_or_empty(after_id), INT(limit + 1)), &rows));
    return read_all(cx, rows, limit, true, out);
}

enum err audit_unmark(struct tx *tx, str line_id)
{
    static const char sql[] = "DELETE FROM audit_pending WHERE line_id = $1";

    return tx_exec(tx, sql, BIND(TEXT(line_id)), NULL);
}

enum err audit_unmark_sealed(struct tx *tx)
{
    static const char sql[] =
        "DELETE FROM audit_pending WHERE EXISTS"
        " (SELECT 1 FROM audit_seal s WHERE s.line_id = audit_pending.line_id)";

    return tx_exec(tx, sql, BIND(), NULL);
}

enum err audit_insert_seal(struct tx *tx, int64_t number, str line_id, str link, str key_id)
{
    static const char sql[] =
        "INSERT INTO audit_seal (number, line_id, link, key_id) VALUES ($1, $2, $3, $4)";

    return tx_exec(tx, sql, BIND(INT(number), TEXT(line_id), TEXT(link), TEXT(key_id)), NULL);
}

enum err audit_list_sealed(struct cx *cx, struct tx *tx, int64_t after, int64_t limit,
                           struct audit_rows *out)
{
    static const char sql[] = "SELECT" ROW_COLUMNS " FROM audit_seal s"
                              " LEFT JOIN audit a ON a.id = s.line_id"
                              " WHERE s.number > $1 ORDER BY s.number LIMIT $2";
    DROP(rows) struct rows *rows = NULL;

    TRY(tx_query(tx, sql, BIND(INT(after), INT(limit + 1)), &rows));
    return read_all(cx, rows, limit, false, out);
}

enum err audit_find_last_seal(struct cx *cx, struct tx *tx, struct audit_head *out)
{
    static const char sql[] = "SELECT number, link FROM audit_seal ORDER BY number DESC LIMIT 1";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    *out = (struct audit_head){0, S("")};
    TRY(tx_query(tx, sql, BIND(), &rows));
    if (rows_next(rows, &e))
        *out = (struct audit_head){rows_int(rows, 0), dup(cx, rows, 1)};
    return e;
}

enum err audit_find_link(struct cx *cx, struct tx *tx, int64_t number, str *out)
{
    static const char sql[] = "SELECT link FROM audit_seal WHERE number = $1";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(INT(number)), &rows));
    if (!rows_next(rows, &e))
        return e == E_OK ? E_ABSENT : e;
    *out = dup(cx, rows, 0);
    return E_OK;
}

/* ---- the head ---- */

enum err audit_find_head(struct cx *cx, struct tx *tx, struct audit_kept_head *out)
{
    static const char sql[] = "SELECT number, link, key_id, mac FROM audit_head WHERE id = 1";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(), &rows));
    if (!rows_next(rows, &e))
        return e == E_OK ? E_ABSENT : e;
    *out = (struct audit_kept_head){
        {rows_int(rows, 0), dup(cx, rows, 1)}, dup(cx, rows, 2), dup(cx, rows, 3)};
    return E_OK;
}

enum err audit_move_head(struct tx *tx, const struct audit_kept_head *head, int64_t *changed)
{
    static const char sql[] =
        "UPDATE audit_head SET number = $1, link = $2, key_id = $3, mac = $4 WHERE id = 1";

    return tx_exec(
        tx, sql,
        BIND(INT(head->head.number), TEXT(head->head.link), TEXT(head->key_id), TEXT(head->mac)),
        changed);
}

enum err audit_insert_head(struct tx *tx, const struct audit_kept_head *head)
{
    static const char sql[] =
        "INSERT INTO audit_head (id, number, link, key_id, mac) VALUES (1, $1, $2, $3, $4)";

    return tx_exec(
        tx, sql,
        BIND(INT(head->head.number), TEXT(head->head.link), TEXT(head->key_id), TEXT(head->mac)),
        NULL);
}

/* ---- keys ---- */

enum err audit_list_keys(struct cx *cx, struct tx *tx, struct audit_key_rows *out)
{
    static const char count[] = "SELECT count(*) FROM audit_key";
    static const char sql[] =
        "SELECT generation, id, wrapped FROM audit_key ORDER BY generation LIMIT $1";
    DROP(rows) struct rows *rows = NULL;
    int64_t n = 0;
    enum err e = E_OK;

    TRY(tx_one_int(tx, count, BIND(), &n));
    *out = (struct audit_key_rows){
        .list = arena_array(cx->arena, (size_t)n + 1, sizeof(struct audit_key_row))};
    TRY(tx_query(tx, sql, BIND(INT(n)), &rows));
    while (rows_next(rows, &e) && out->n < (size_t)n)
        out->list[out->n++] =
            (struct audit_key_row){rows_int(rows, 0), dup(cx, rows, 1), dup(cx, rows, 2)};
    return e;
}

enum err audit_insert_key(struct tx *tx, const struct audit_key_row *key, int64_t now_ms)
{
    static const char sql[] =
        "INSERT INTO audit_key (generation, id, wrapped, created_at_ms) VALUES ($1, $2, $3, $4)";

    return tx_exec(
        tx, sql, BIND(INT(key->generation), TEXT(key->id), TEXT(key->wrapped), INT(now_ms)), NULL);
}

enum err audit_rewrap_key(struct tx *tx, int64_t generation, str wrapped)
{
    static const char sql[] = "UPDATE audit_key SET wrapped = $2 WHERE generation = $1";

    return tx_exec(tx, sql, BIND(INT(generation), TEXT(wrapped)), NULL);
}

/* ---- archives ---- */

#define ARCHIVE_COLUMNS                                                                            \
    " first, through, previous_link, link, file, sha256, archived_at_ms, key_id, mac"

static void read_archive(struct cx *cx, const struct rows *rows, struct audit_archive *out)
{
    *out = (struct audit_archive){.first = rows_int(rows, 0),
                                  .through = rows_int(rows, 1),
                                  .previous_link = dup(cx, rows, 2),
                                  .link = dup(cx, rows, 3),
                                  .file = dup(cx, rows, 4),
                                  .sha256 = dup(cx, rows, 5),
                                  .archived_at_ms = rows_int(rows, 6),
                                  .key_id = dup(cx, rows, 7),
                                  .mac = dup(cx, rows, 8)};
}

enum err audit_list_archives(struct cx *cx, struct tx *tx, struct audit_archives *out)
{
    static const char count[] = "SELECT count(*) FROM audit_archive";
    static const char sql[] =
        "SELECT" ARCHIVE_COLUMNS " FROM audit_archive ORDER BY through LIMIT $1";
    DROP(rows) struct rows *rows = NULL;
    int64_t n = 0;
    enum err e = E_OK;

    TRY(tx_one_int(tx, count, BIND(), &n));
    *out = (struct audit_archives){
        .list = arena_array(cx->arena, (size_t)n + 1, sizeof(struct audit_archive))};
    TRY(tx_query(tx, sql, BIND(INT(n)), &rows));
    while (rows_next(rows, &e) && out->n < (size_t)n)
        read_archive(cx, rows, &out->list[out->n++]);
    return e;
}

enum err audit_find_last_archive(struct cx *cx, struct tx *tx, struct audit_archive *out)
{
    static const char sql[] =
        "SELECT" ARCHIVE_COLUMNS " FROM audit_archive ORDER BY through DESC LIMIT 1";
    DROP(rows) struct rows *rows = NULL;
    enum err e = E_OK;

    TRY(tx_query(tx, sql, BIND(), &rows));
    if (!rows_next(rows, &e))
        return e == E_OK ? E_ABSENT : e;
    read_archive(cx, rows, out);
    return E_OK;
}

enum err audit_insert_archive(struct tx *tx, const struct audit_archive *a)
{
    static const char sql[] =
        "INSERT INTO audit_archive (first, through, previous_link, link, file, sha256,"
        " archived_at_ms, key_id, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

    return tx_exec(tx, sql,
                   BIND(INT(a->first), INT(a->through), TEXT(a->previous_link), TEXT(a->link),
                        TEXT(a->file), TEXT(a->sha256), INT(a->archived_at_ms), TEXT(a->key_id),
                        TEXT(a->mac)),
                   NULL);
}

enum err audit_delete_archived_lines(struct tx *tx, int64_t through, int64_t *deleted)
{
    static const char sql[] = "DELETE FROM audit WHERE id IN"
                              " (SELECT line_id FROM audit_seal WHERE number <= $1)";

    return tx_exec(tx, sql, BIND(INT(through)), deleted);
}

enum err audit_delete_archived_seals(struct tx *tx, int64_t through)
{
    static const char sql[] = "DELETE FROM audit_seal WHERE number <= $1";

    return tx_exec(tx, sql, BIND(INT(through)), NULL);
}
