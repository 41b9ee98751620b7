/* The tokens in memory: few, changed seldom, read at each call. */
#include "gate/tokens.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"
#include "crypto/base64url.h"

enum { ID_TEXT_BYTES = 40 };

struct known {
    char digest[2 * SHA256_BYTES];
    char id[ID_TEXT_BYTES];
};

static struct key_form form;

/* All guarded by lock; the list is sorted by digest. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct known *known;
static size_t n_known;
static uint64_t epoch; /* raised by every change here */

void gate_tokens_start(str environment)
{
    form = (struct key_form){S("gt"), environment};
}

const struct key_form *gate_token_form(void)
{
    return &form;
}

static int by_digest(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(((struct known *)0)->digest));
}

static void take(const struct gate_token *token, struct known *out)
{
    size_t n = token->id.n < ID_TEXT_BYTES - 1 ? token->id.n : ID_TEXT_BYTES - 1;

    memcpy(out->digest, token->digest, sizeof out->digest);
    memcpy(out->id, token->id.p, n);
    out->id[n] = '\0';
}

static void replace_locked(struct known *list, size_t n)
{
    if (n)
        qsort(list, n, sizeof *list, by_digest);
    free(known);
    known = list;
    n_known = n;
}

uint64_t gate_tokens_epoch(void)
{
    pthread_rwlock_rdlock(&lock);
    uint64_t now = epoch;
    pthread_rwlock_unlock(&lock);
    return now;
}

bool gate_tokens_set(uint64_t at, const struct gate_token_list *tokens)
{
    struct known *list = mem_new_array(tokens->n, sizeof *list);

    for (size_t i = 0; i < tokens->n; i++)
        take(&tokens->list[i], &list[i]);
    pthread_rwlock_wrlock(&lock);
    bool is_current = at == epoch;
    if (is_current)
        replace_locked(list, tokens->n);
    pthread_rwlock_unlock(&lock);
    if (!is_current)
        free(list);
    return is_current;
}

void gate_tokens_add(const struct gate_token *token)
{
    pthread_rwlock_wrlock(&lock);
    struct known *list = mem_new_array(n_known + 1, sizeof *list);
    if (n_known)
        memcpy(list, known, n_known * sizeof *list);
    take(token, &list[n_known]);
    replace_locked(list, n_known + 1);
    epoch++;
    pthread_rwlock_unlock(&lock);
}

void gate_tokens_remove(str id)
{
    size_t kept = 0;

    pthread_rwlock_wrlock(&lock);
    for (size_t i = 0; i < n_known; i++)
        if (!str_eq(str_of(known[i].id), id))
            known[kept++] = known[i];
    n_known = kept;
    epoch++;
    pthread_rwlock_unlock(&lock);
}

void gate_tokens_forget(void)
{
    pthread_rwlock_wrlock(&lock);
    replace_locked(NULL, 0);
    epoch++;
    pthread_rwlock_unlock(&lock);
}

bool gate_tokens_find(struct arena *arena, const struct secret *token, str *id)
{
    struct sha256 digest = digest_sha256(secret_reveal(token));
    struct known wanted;

    hex_write(digest.bytes, SHA256_BYTES, wanted.digest);
    pthread_rwlock_rdlock(&lock);
    const struct known *found =
        n_known ? bsearch(&wanted, known, n_known, sizeof *known, by_digest) : NULL;
    if (found)
        *id = arena_dup(arena, str_of(found->id));
    pthread_rwlock_unlock(&lock);
    return found != NULL;
}

/* ---- where it stands ---- */

/* RFC 7617 section 2: base64 of "user:password"; whoever the user is. */
static str password_of(struct arena *arena, str text)
{
    str copy = arena_dup(arena, text);
    char *p = (char *)copy.p;
    str pair;

    while (copy.n && p[copy.n - 1] == '=')
        copy.n--;
    for (size_t i = 0; i < copy.n; i++)
        p[i] = p[i] == '+' ? '-' : p[i] == '/' ? '_' : p[i];
    if (!base64url_read(arena, copy, &pair))
        return STR_NONE;
    str_cut(&pair, S(":"));
    return pair;
}

void gate_take_token(struct arena *arena, const struct secret *authorization, struct secret *out)
{
    str text = secret_reveal(authorization);
    str scheme = str_cut(&text, S(" "));

    text = str_trim(text);
    if (str_ieq(scheme, S("Basic")))
        text = password_of(arena, text);
    else if (!str_ieq(scheme, S("Bearer")))
        text = STR_NONE;
    secret_set(out, str_is_none(text) ? S("") : text);
}
