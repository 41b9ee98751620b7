/* A bounded table of refusals by kind. */
#include "audit/notes.h"

#include <pthread.h>
#include <stdio.h>

#include "base/banned.h"
#include "base/hash.h"

struct kind {
    UT_hash_handle hh; /* by noted.name */
    struct noted noted;
    int64_t due_at_ms; /* monotonic; not written before */
};

/* Guarded by the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kind *kinds;
static size_t n_rest;

void notes_start(void)
{
    kinds = NULL;
    n_rest = 0;
}

static void remove_locked(struct kind *k)
{
    if (k->noted.is_rest)
        n_rest--;
    HASH_DEL(kinds, k);
    free(k);
}

void notes_stop(void)
{
    struct kind *k, *next;

    pthread_mutex_lock(&lock);
    HASH_ITER(hh, kinds, k, next)
    remove_locked(k);
    pthread_mutex_unlock(&lock);
}

/* ---- kinds ---- */

static void keep(char *out, size_t room, str text)
{
    snprintf(out, room, "%.*s", STR_ARG(text));
}

static str kept(const char *text)
{
    return text[0] ? str_of(text) : STR_NONE;
}

/* What is counted together: everything that is not of the last one alone. */
static struct sha256 name_of(const struct noted *n)
{
    char text[512];
    int length = snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n%s\n%s\n%d", n->action, n->code,
                          n->actor_kind, n->actor_id, n->employer_id, n->target_id, n->is_rest);

    return digest_sha256((str){text, (size_t)length < sizeof text ? (size_t)length : sizeof text});
}

static void read_note(const struct audit_note *note, const struct audit_record *origin,
                      int64_t now_ms, struct noted *out)
{
    *out = (struct noted){.action = note->action,
                          .code = note->code,
                          .route = note->route,
                          .target_kind = note->target_kind,
                          .count = 1,
                          .first_ms = now_ms,
                          .last_ms = now_ms};
    keep(out->actor_kind, sizeof out->actor_kind, origin->text[AUDIT_ACTOR_KIND]);
    keep(out->role, sizeof out->role, origin->text[AUDIT_ROLE]);
    keep(out->actor_id, sizeof out->actor_id, origin->text[AUDIT_ACTOR_ID]);
    keep(out->actor_employer_id, sizeof out->actor_employer_id,
         origin->text[AUDIT_ACTOR_EMPLOYER_ID]);
    keep(out->employer_id, sizeof out->employer_id, note->employer_id);
    keep(out->target_id, sizeof out->target_id, note->target_id);
    keep(out->address, sizeof out->address, origin->text[AUDIT_ADDRESS]);
    keep(out->request_id, sizeof out->request_id, origin->text[AUDIT_REQUEST_ID]);
    keep(out->user_agent, sizeof out->user_agent, origin->text[AUDIT_USER_AGENT]);
    keep(out->reason, sizeof out->reason, note->reason);
    keep(out->hint, sizeof out->hint, note->hint);
    out->name = name_of(out);
}

/* The rest of an employer: nobody in particular. */
static void turn_into_rest(struct noted *n, bool of_employer)
{
    n->is_rest = true;
    n->target_kind = NULL;
    n->role[0] = n->actor_id[0] = n->actor_employer_id[0] = n->target_id[0] = '\0';
    n->reason[0] = n->hint[0] = '\0';
    keep(n->actor_kind, sizeof n->actor_kind, S("nobody"));
    if (!of_employer)
        n->employer_id[0] = '\0';
    n->name = name_of(n);
}

static struct kind *find_locked(const struct sha256 *name)
{
    struct kind *k;

    HASH_FIND(hh, kinds, name, sizeof *name, k);
    return k;
}

static void insert_locked(const struct noted *n, int64_t due_at_ms)
{
    struct kind *k = mem_new(sizeof *k);

    k->noted = *n;
    k->due_at_ms = due_at_ms;
    n_rest += n->is_rest;
    HASH_ADD(hh, kinds, noted.name, sizeof k->noted.name, k);
}

/* The last one's address, agent and request; the first one's time. */
static void merge(struct noted *into, const struct noted *n)
{
    int64_t count = into->count + n->count;
    int64_t first_ms = into->count && into->first_ms < n->first_ms ? into->first_ms : n->first_ms;

    if (n->last_ms >= into->last_ms)
        *into = *n;
    into->count = count;
    into->first_ms = first_ms;
}

/* True: it was counted, or there was room for its kind. */
static bool count_locked(const struct noted *n, size_t kinds_max, int64_t mono_ms)
{
    struct kind *k = find_locked(&n->name);

    if (k)
        merge(&k->noted, n);
    else if (HASH_COUNT(kinds) < kinds_max)
        insert_locked(n, mono_ms);
    return k || find_locked(&n->name);
}

static void add_locked(struct noted *n, int64_t mono_ms)
{
    if (count_locked(n, AUDIT_NOTES_MAX, mono_ms))
        return;
    turn_into_rest(n, true);
    size_t room = n_rest < NOTES_REST_MAX ? SIZE_MAX : 0;
    if (count_locked(n, room, mono_ms))
        return;
    turn_into_rest(n, false);
    count_locked(n, SIZE_MAX, mono_ms); /* as many as there are codes, and no more */
}

void notes_add(const struct audit_note *note, const struct audit_record *origin, int64_t now_ms,
               int64_t mono_ms)
{
    struct noted n;

    read_note(note, origin, now_ms, &n);
    pthread_mutex_lock(&lock);
    add_locked(&n, mono_ms);
    pthread_mutex_unlock(&lock);
}

/* ---- taking ---- */

static int64_t pause_of(const struct noted *n)
{
    return str_eq(str_of(n->action), S("api_key.used_after_revocation")) ? NOTED_REVOKED_EVERY_MS
                                                                         : NOTED_EVERY_MS;
}

/* One that came no more in a whole interval is forgotten, and the next is a first one again. */
void notes_take(struct arena *arena, int64_t mono_ms, bool is_last, struct noted_list *out)
{
    struct kind *k, *next;

    pthread_mutex_lock(&lock);
    *out = (struct noted_list){.list =
                                   arena_array(arena, HASH_COUNT(kinds) + 1, sizeof(struct noted))};
    HASH_ITER(hh, kinds, k, next)
    {
        if (k->due_at_ms > mono_ms && !is_last)
            continue;
        if (k->noted.count == 0) {
            remove_locked(k);
            continue;
        }
        out->list[out->n++] = k->noted;
        k->noted.count = 0;
        k->due_at_ms = mono_ms + pause_of(&k->noted);
    }
    pthread_mutex_unlock(&lock);
}

void notes_give_back(const struct noted_list *list)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < list->n; i++) {
        struct noted n = list->list[i];
        struct kind *k = find_locked(&n.name);
        if (k)
            k->due_at_ms = 0;
        add_locked(&n, 0);
    }
    pthread_mutex_unlock(&lock);
}

void noted_read(const struct noted *n, struct audit_record *out)
{
    *out = (struct audit_record){.text = {[AUDIT_ACTION] = str_of(n->action),
                                          [AUDIT_ACTOR_KIND] = kept(n->actor_kind),
                                          [AUDIT_ACTOR_ID] = kept(n->actor_id),
                                          [AUDIT_ROLE] = kept(n->role),
                                          [AUDIT_ACTOR_EMPLOYER_ID] = kept(n->actor_employer_id),
                                          [AUDIT_EMPLOYER_ID] = kept(n->employer_id),
                                          [AUDIT_TARGET_KIND] = str_of(n->target_kind),
                                          [AUDIT_TARGET_ID] = kept(n->target_id),
                                          [AUDIT_ADDRESS] = kept(n->address),
                                          [AUDIT_USER_AGENT] = kept(n->user_agent),
                                          [AUDIT_REQUEST_ID] = kept(n->request_id)}};
}
