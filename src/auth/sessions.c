/* Seeing who is signed in, and ending it. */
#include "audit/audit.h"
#include "auth/ops.h"

static enum err find_user(struct cx *cx, struct tx *tx, str id, struct account *out)
{
    enum err e = auth_get_account(cx, tx, id, out);

    return e == E_ABSENT ? E_USER_NOT_FOUND : e;
}

struct listing {
    const struct session_page *page;
    struct session_list *out;
};

static enum err list_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    const struct listing *listing = arg;
    struct account user;

    TRY(find_user(cx, tx, listing->page->person_id, &user));
    return auth_list_sessions(cx, tx, listing->page, listing->out);
}

enum err auth_page_sessions(struct cx *cx, const struct session_page *page,
                            struct session_list *out)
{
    struct listing listing = {page, out};

    return store_read(cx, list_in_tx, &listing);
}

/* ---- ending ---- */

struct ending {
    str person_id;
    str session_id; /* STR_NONE: all */
    int64_t ended;
};

static enum err end_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct ending *ending = arg;
    struct account user;

    TRY(find_user(cx, tx, ending->person_id, &user));
    if (str_is_none(ending->session_id))
        TRY(auth_end_sessions(tx, user.id, &ending->ended));
    else
        TRY(auth_end_session(tx, user.id, ending->session_id, &ending->ended));
    if (ending->ended == 0)
        return str_is_none(ending->session_id) ? E_OK : E_SESSION_NOT_FOUND;
    return auth_audit(
        cx, tx, "session.ended", NULL, &user,
        audit_detail(cx, F("sessionId", ending->session_id), F("sessionsEnded", ending->ended)));
}

enum err auth_end_one(struct cx *cx, str person_id, str session_id)
{
    struct ending ending = {person_id, session_id, 0};

    return store_run(cx, end_in_tx, &ending);
}

enum err auth_end_all(struct cx *cx, str person_id, int64_t *ended)
{
    struct ending ending = {person_id, STR_NONE, 0};

    TRY(store_run(cx, end_in_tx, &ending));
    *ended = ending.ended;
    return E_OK;
}
