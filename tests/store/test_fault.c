/*
 * Every request that changes something, with each of its calls to the store failing in turn. A
 * refusal leaves nothing behind, an answer that was lost leaves all or nothing, a lost race is run
 * again; and the same request then succeeds, so that no failure is remembered in memory.
 */
#include "fixture.h"

#include <inttypes.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/parts.h"
#include "base/json.h"
#include "crypto/jws.h"
#include "store/fault.h"

enum { CALLS_MAX = 1000, TABLES_MAX = 64, TEXT_BYTES = 512 };

/* ---- a server without a socket, on a store that can fail ---- */

struct tables {
    char names[TABLES_MAX][64];
    str rows_sql[TABLES_MAX]; /* all rows of it in some fixed order, as one text */
    int n;
};

struct world {
    struct fixture f;
    struct config config;
    struct parts parts;
    struct store *real;
    struct tables tables; /* once they have been asked for */
    struct jws_key *issuer_key;
    char employer_id[64];
    int n_made; /* numbers what is made, so that each is another */
};

#define ISS "https://issuer.test"

/* An issuer of session tokens, with its key in a file that is gone once it has been read. */
static void make_issuer_key(struct world *w, char file[])
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    int fd = mkstemp(file);
    FILE *f = fdopen(fd, "w");
    char text[1024] = "";
    const char *why;

    assert_non_null(f);
    PEM_write_PUBKEY(f, pkey);
    fclose(f);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    assert_true(BIO_read(bio, text, sizeof text - 1) > 0);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    str rest = str_of(text);
    w->issuer_key = jws_key_from_pem(&rest, &why);
    assert_non_null(w->issuer_key);
}

static void load_config(struct world *w)
{
    char issuer_file[] = "/tmp/test_fault.XXXXXX";
    char issuer[] = "SALLYPORT_ISSUER_T_ISSUER=" ISS;
    char algorithms[] = "SALLYPORT_ISSUER_T_ALGORITHMS=EdDSA";
    char audience[] = "SALLYPORT_ISSUER_T_AUDIENCE=us";
    char employer_claim[] = "SALLYPORT_ISSUER_T_EMPLOYER_CLAIM=org";
    char create_users[] = "SALLYPORT_ISSUER_T_CREATE_USERS=true";
    char pem_file[100];
    char url_flag[600];
    char key_line[] = "SALLYPORT_KEY="
                      "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    char *args[] = {url_flag, NULL};
    char *environment[] = {key_line,       issuer,       algorithms, audience,
                           employer_claim, create_users, pem_file,   NULL};
    struct config_input in = {args, environment, "/nonexistent/sallyport.conf", false};
    str why = STR_NONE;

    make_issuer_key(w, issuer_file);
    snprintf(pem_file, sizeof pem_file, "SALLYPORT_ISSUER_T_PEM_FILE=%s", issuer_file);
    snprintf(url_flag, sizeof url_flag, "--database-url=%s", w->f.url);
    if (!config_load(w->f.arena, &in, &w->config, &why)) {
        print_error("%.*s\n", STR_ARG(why));
        assert_true(false);
    }
    unlink(issuer_file);
}

struct answer {
    int status;
    char code[64];     /* of a problem */
    char id[64];       /* of what was made */
    char raw_key[128]; /* of a key that was issued */
    char url[256];     /* of a link to set a password */
    bool has_retry_after;
};

static void keep_text(char *out, size_t max, const json_t *object, const char *name)
{
    str text = json_text(json_object_get(object, name));

    snprintf(out, max, "%.*s", STR_ARG(text));
}

/* Under /api/v1 an answer has what was made as a member, and an error in a list. */
static const json_t *told_part(const json_t *body)
{
    static const char *const members[] = {"api",  "scope", "organization",
                                          "user", "plan",  "api_key"};
    const json_t *error = json_array_get(json_object_get(body, "errors"), 0);

    if (json_is_object(error) && json_object_get(error, "code"))
        return error;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (json_is_object(json_object_get(body, members[i])))
            return json_object_get(body, members[i]);
    return body;
}

static struct answer answer_of(struct world *w, const struct http_reply *reply)
{
    DROP(json) json_t *body = NULL;
    struct cx cx = {.arena = w->f.arena};
    struct answer answer = {.status = reply->status};

    if (reply->body.n && json_read(&cx, buf_str(&reply->body), &body) == E_OK) {
        const json_t *told = told_part(body);
        keep_text(answer.code, sizeof answer.code, told, "code");
        keep_text(answer.id, sizeof answer.id, told, "id");
        keep_text(answer.raw_key, sizeof answer.raw_key, body, "rawKey");
        keep_text(answer.url, sizeof answer.url, body, "url");
    }
    for (size_t i = 0; i < reply->n_fields; i++)
        answer.has_retry_after |= str_ieq(reply->fields[i].name, S("retry-after"));
    return answer;
}

/* A token makes the call its subject's, and not the operator's. */
static struct answer ask(struct world *w, enum http_method method, const char *path,
                         const char *body, struct http_field extra, const char *token)
{
    struct http_field fields[3] = {{.name = S("content-type"), .value = S("application/json")}};
    size_t n = 1;
    str rest = str_of(path);

    if (w->employer_id[0] && !token[0])
        fields[n++] =
            (struct http_field){.name = S("x-employer-id"), .value = str_of(w->employer_id)};
    if (extra.name.n)
        fields[n++] = extra;
    struct http_req req = {.method = method,
                           .target = rest,
                           .path = str_cut(&rest, S("?")),
                           .query = rest,
                           .fields = fields,
                           .n_fields = n,
                           .body = str_of(body),
                           .way = HTTP_OVER_CONTROL,
                           .local_uid = 0};
    struct http_reply reply;

    if (token[0])
        secret_set(&req.authorization, arena_printf(w->f.arena, "Bearer %s", token));
    door_run_local(w->parts.door, w->f.arena, &req, &reply);
    struct answer answer = answer_of(w, &reply);
    http_reply_drop(&reply);
    secret_drop(&req.authorization);
    return answer;
}

static struct answer ask_plainly(struct world *w, enum http_method method, const char *path,
                                 const char *body)
{
    return ask(w, method, path, body, (struct http_field){0}, "");
}

static const struct door_settings door_settings = {.api_vendor = {"boundedhealth", 13}};

static int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    str why = STR_NONE;

    fixture_init(&w->f);
    load_config(w);
    if (parts_start(&w->parts, &w->config, &why) != E_OK) {
        print_error("%.*s\n", STR_ARG(why));
        assert_true(false);
    }
    quiet();
    w->real = w->parts.store;
    w->parts.store = fault_wrap(w->real);
    door_drop(&w->parts.door);
    w->parts.door = door_new(&door_settings, w->parts.store);
    w->f.cx = (struct cx){.arena = w->f.arena, .now_ms = time_now_ms(), .store = w->real};
    struct answer made = ask_plainly(w, HTTP_POST, "/api/admin/employers", "{\"name\":\"Acme\"}");
    assert_int_equal(made.status, 201);
    memcpy(w->employer_id, made.id, sizeof w->employer_id);
    made = ask_plainly(w, HTTP_PATCH,
                       arena_printf(w->f.arena, "/api/admin/employers/%s", w->employer_id).p,
                       "{\"externalIds\":[{\"issuer\":\"" ISS "\",\"id\":\"acme\"}]}");
    assert_int_equal(made.status, 200);
    *state = w;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *w = *state;

    store_drop(&w->parts.store);
    w->parts.store = w->real;
    parts_stop(&w->parts);
    config_drop(&w->config);
    jws_key_drop(&w->issuer_key);
    fixture_done(&w->f);
    free(w);
    return 0;
}

/* ---- all that is kept, as one text ---- */

static enum err list_tables(struct cx *cx, struct tx *tx, void *arg)
{
    static const char sqlite[] = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1";
    static const char postgres[] = "SELECT tablename::text FROM pg_tables"
                                   " WHERE schemaname = current_schema() ORDER BY 1";
    struct tables *tables = arg;
    DROP(rows) struct rows *rows = NULL;
    enum err e;

    (void)cx;
    tables->n = 0;
    TRY(tx_query(tx, on_sqlite() ? sqlite : postgres, BIND(), &rows));
    while (rows_next(rows, &e)) {
        assert_true(tables->n < TABLES_MAX);
        str name = rows_text(rows, 0);
        snprintf(tables->names[tables->n++], 64, "%.*s", STR_ARG(name));
    }
    return e;
}

struct text_query {
    const char *sql;
    str out;
};

static enum err ask_text(struct cx *cx, struct tx *tx, void *arg)
{
    struct text_query *q = arg;
    DROP(rows) struct rows *rows = NULL;
    enum err e;

    TRY(tx_query(tx, q->sql, BIND(), &rows));
    if (rows_next(rows, &e))
        q->out = arena_dup(cx->arena, rows_text(rows, 0));
    return e;
}

static str text_sql(struct world *w, str sql)
{
    struct text_query q = {.sql = sql.p, .out = S("")};

    assert_int_equal(store_read(&w->f.cx, ask_text, &q), E_OK);
    return q.out;
}

static str rows_sql(struct world *w, const char *table)
{
    struct arena *arena = w->f.arena;

    if (!on_sqlite())
        return arena_printf(arena, "SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM %s t",
                            table);
    str columns =
        text_sql(w, arena_printf(arena,
                                 "SELECT group_concat('quote(' || name || ')', '||'',''||')"
                                 " FROM pragma_table_info('%s')",
                                 table));
    return arena_printf(arena,
                        "SELECT group_concat(r, char(10)) FROM"
                        " (SELECT %.*s AS r FROM %s ORDER BY 1)",
                        STR_ARG(columns), table);
}

static void learn_tables(struct world *w)
{
    assert_int_equal(store_read(&w->f.cx, list_tables, &w->tables), E_OK);
    assert_true(w->tables.n > 5);
    for (int i = 0; i < w->tables.n; i++)
        w->tables.rows_sql[i] = rows_sql(w, w->tables.names[i]);
}

struct dump {
    str text;
    int64_t rows[TABLES_MAX];
    int n;
};

static struct dump dump(struct world *w)
{
    struct dump d = {.text = S("")};

    if (w->tables.n == 0)
        learn_tables(w);
    for (d.n = 0; d.n < w->tables.n; d.n++) {
        str rows = text_sql(w, w->tables.rows_sql[d.n]);
        d.text = arena_printf(w->f.arena, "%.*s\n== %s\n%.*s", STR_ARG(d.text),
                              w->tables.names[d.n], STR_ARG(rows));
        d.rows[d.n] = rows.n ? 1 : 0;
        for (size_t i = 0; i < rows.n; i++)
            d.rows[d.n] += rows.p[i] == '\n';
    }
    return d;
}

static bool is_same_growth(const struct dump *before, const struct dump *after,
                           const struct dump *before2, const struct dump *after2)
{
    for (int i = 0; i < before->n; i++)
        if (after->rows[i] - before->rows[i] != after2->rows[i] - before2->rows[i])
            return false;
    return true;
}

/* ---- requests ---- */

struct request {
    enum http_method method;
    char path[TEXT_BYTES];
    char body[TEXT_BYTES];
    char key[64]; /* an Idempotency-Key, or none */
    char token[TEXT_BYTES];
};

/* Makes what the request is about, and writes the request; run without faults. */
typedef void (*make_request)(struct world *w, struct request *out);

static struct answer send(struct world *w, const struct request *r)
{
    struct http_field key = {.name = S("idempotency-key"), .value = str_of(r->key)};

    return ask(w, r->method, r->path, r->body, r->key[0] ? key : (struct http_field){0}, r->token);
}

static struct answer make_key(struct world *w)
{
    struct answer made = ask_plainly(w, HTTP_POST, "/api/employer/api-keys",
                                     "{\"name\":\"k\",\"scopes\":[\"cohort:read\"]}");

    assert_int_equal(made.status, 201);
    return made;
}

static void creating_a_key(struct world *w, struct request *out)
{
    (void)w;
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/employer/api-keys");
    snprintf(out->body, TEXT_BYTES, "{\"name\":\"k\",\"scopes\":[\"cohort:read\"]}");
}

static void changing_a_key(struct world *w, struct request *out)
{
    out->method = HTTP_PATCH;
    snprintf(out->path, TEXT_BYTES, "/api/employer/api-keys/%s", make_key(w).id);
    snprintf(out->body, TEXT_BYTES,
             "{\"status\":\"inactive\",\"scopes\":[\"cohort:read\","
             "\"cohort:write\"]}");
}

static void rotating_a_key(struct world *w, struct request *out)
{
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/employer/api-keys/%s/rotate", make_key(w).id);
}

static void revoking_a_key(struct world *w, struct request *out)
{
    out->method = HTTP_DELETE;
    snprintf(out->path, TEXT_BYTES, "/api/employer/api-keys/%s", make_key(w).id);
}

static void importing_keys(struct world *w, struct request *out)
{
    int n = ++w->n_made;

    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/employer/api-keys/import");
    snprintf(out->body, TEXT_BYTES,
             "{\"keys\":[{\"name\":\"a\",\"scopes\":[\"cohort:read\"],\"key\":\"imported-%08d-a\"},"
             "{\"name\":\"b\",\"scopes\":[\"cohort:read\"],\"key\":\"imported-%08d-b\"}]}",
             n, n);
}

static void write_patients(struct request *out, int a, int b, const char *last_name)
{
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/employer/upload-cohort");
    snprintf(out->body, TEXT_BYTES,
             "{\"patients\":[{\"email\":\"p%d@p.test\",\"firstName\":\"P\",\"lastName\":\"%s\"},"
             "{\"email\":\"p%d@p.test\",\"firstName\":\"P\",\"lastName\":\"%s\"}]}",
             a, last_name, b, last_name);
}

static void uploading_new_patients(struct world *w, struct request *out)
{
    int a = ++w->n_made, b = ++w->n_made;

    write_patients(out, a, b, "New");
}

static void uploading_a_known_and_a_new_patient(struct world *w, struct request *out)
{
    int a = ++w->n_made, b = ++w->n_made, c = ++w->n_made;

    write_patients(out, a, b, "Old");
    assert_int_equal(send(w, out).status, 200);
    write_patients(out, a, c, "Changed");
}

static void uploading_under_an_idempotency_key(struct world *w, struct request *out)
{
    uploading_a_known_and_a_new_patient(w, out);
    snprintf(out->key, sizeof out->key, "fault-%d", w->n_made);
}

static void creating_a_key_under_an_idempotency_key(struct world *w, struct request *out)
{
    creating_a_key(w, out);
    snprintf(out->key, sizeof out->key, "fault-%d", ++w->n_made);
}

static void creating_an_employer(struct world *w, struct request *out)
{
    (void)w;
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/admin/employers");
    snprintf(out->body, TEXT_BYTES, "{\"name\":\"Another\"}");
}

static void changing_an_employer(struct world *w, struct request *out)
{
    out->method = HTTP_PATCH;
    snprintf(out->path, TEXT_BYTES, "/api/admin/employers/%s", w->employer_id);
    snprintf(out->body, TEXT_BYTES, "{\"name\":\"Acme %d\"}", ++w->n_made);
}

static void creating_a_user(struct world *w, struct request *out)
{
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/admin/users");
    snprintf(out->body, TEXT_BYTES,
             "{\"email\":\"u%d@u.test\",\"role\":\"MEMBER\",\"employerId\":\"%s\"}", ++w->n_made,
             w->employer_id);
}

static void deactivating_a_user(struct world *w, struct request *out)
{
    creating_a_user(w, out);
    struct answer made = send(w, out);
    assert_int_equal(made.status, 201);
    out->method = HTTP_PATCH;
    snprintf(out->path, TEXT_BYTES, "/api/admin/users/%s", made.id);
    snprintf(out->body, TEXT_BYTES, "{\"status\":\"inactive\"}");
}

static void linking_a_user(struct world *w, struct request *out)
{
    creating_a_user(w, out);
    struct answer made = send(w, out);
    assert_int_equal(made.status, 201);
    out->method = HTTP_PATCH;
    snprintf(out->path, TEXT_BYTES, "/api/admin/users/%s", made.id);
    snprintf(out->body, TEXT_BYTES,
             "{\"identities\":[{\"issuer\":\"" ISS "\",\"id\":\"s%d\"},"
             "{\"issuer\":\"https://other.test\",\"id\":\"s%d\"}]}",
             w->n_made, w->n_made);
}

static void linking_an_employer(struct world *w, struct request *out)
{
    creating_an_employer(w, out);
    struct answer made = send(w, out);
    assert_int_equal(made.status, 201);
    out->method = HTTP_PATCH;
    snprintf(out->path, TEXT_BYTES, "/api/admin/employers/%s", made.id);
    snprintf(out->body, TEXT_BYTES, "{\"externalIds\":[{\"issuer\":\"" ISS "\",\"id\":\"o%d\"}]}",
             ++w->n_made);
}

static void making_a_link(struct world *w, struct request *out)
{
    creating_a_user(w, out);
    struct answer made = send(w, out);
    assert_int_equal(made.status, 201);
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/admin/users/%s/reset-link", made.id);
    out->body[0] = '\0';
}

static void setting_a_password_with_a_link(struct world *w, struct request *out)
{
    making_a_link(w, out);
    struct answer made = send(w, out);
    assert_int_equal(made.status, 201);
    snprintf(out->path, TEXT_BYTES, "/api/auth/reset-password");
    snprintf(out->body, TEXT_BYTES, "{\"token\":\"%s\",\"newPassword\":\"correct horse battery\"}",
             strchr(made.url, '=') + 1);
}

static void making_a_gate_token(struct world *w, struct request *out)
{
    (void)w;
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/admin/gate-tokens");
    snprintf(out->body, TEXT_BYTES, "{\"name\":\"edge\"}");
}

static void ending_a_gate_token(struct world *w, struct request *out)
{
    making_a_gate_token(w, out);
    struct answer made = send(w, out);
    assert_int_equal(made.status, 201);
    out->method = HTTP_DELETE;
    snprintf(out->path, TEXT_BYTES, "/api/admin/gate-tokens/%s", made.id);
    out->body[0] = '\0';
}

static void replacing_the_rules_of_the_gate(struct world *w, struct request *out)
{
    out->method = HTTP_PUT;
    snprintf(out->path, TEXT_BYTES, "/api/admin/gate-rules");
    snprintf(out->body, TEXT_BYTES, "{\"rules\":[]}");
    struct answer emptied = send(w, out);
    assert_int_equal(emptied.status, 200);
    snprintf(out->body, TEXT_BYTES, "{\"rules\":[{\"method\":\"GET\",\"path\":\"/a\"}]}");
}

/* ---- under /api/v1 ---- */

static struct answer make_by(struct world *w, make_request make)
{
    struct request request = {0};

    make(w, &request);
    struct answer made = send(w, &request);
    assert_in_range(made.status, 200, 299);
    return made;
}

static void registering_an_api(struct world *w, struct request *out)
{
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/v1/apis");
    snprintf(out->body, TEXT_BYTES, "{\"name\":\"A\",\"audience\":\"https://a%d.test\"}",
             ++w->n_made);
}

static void changing_an_api(struct world *w, struct request *out)
{
    out->method = HTTP_PATCH;
    snprintf(out->path, TEXT_BYTES, "/api/v1/apis/%s", make_by(w, registering_an_api).id);
    snprintf(out->body, TEXT_BYTES, "{\"name\":\"B\"}");
}

static void adding_a_scope(struct world *w, struct request *out)
{
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/v1/apis/%s/scopes", make_by(w, registering_an_api).id);
    snprintf(out->body, TEXT_BYTES, "{\"key\":\"read:a\"}");
}

/* An API with a scope, and a key that holds it. */
static struct answer make_own_key(struct world *w, char *api_id)
{
    struct request request = {.method = HTTP_POST};
    struct answer api = make_by(w, registering_an_api);

    snprintf(api_id, 64, "%s", api.id);
    snprintf(request.path, TEXT_BYTES, "/api/v1/apis/%s/scopes", api.id);
    snprintf(request.body, TEXT_BYTES, "{\"key\":\"read:a\"}");
    assert_int_equal(send(w, &request).status, 200);
    snprintf(request.path, TEXT_BYTES, "/api/v1/api_keys");
    snprintf(request.body, TEXT_BYTES,
             "{\"name\":\"k\",\"api_id\":\"%s\",\"org_code\":\"%s\","
             "\"scope_ids\":[\"read:a\"]}",
             api.id, w->employer_id);
    struct answer key = send(w, &request);
    assert_int_equal(key.status, 201);
    return key;
}

static void deleting_an_api_with_a_key(struct world *w, struct request *out)
{
    char api_id[64];

    make_own_key(w, api_id);
    out->method = HTTP_DELETE;
    snprintf(out->path, TEXT_BYTES, "/api/v1/apis/%s?force=true", api_id);
}

static void creating_a_key_of_an_api(struct world *w, struct request *out)
{
    char api_id[64];

    make_own_key(w, api_id);
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/v1/api_keys");
    snprintf(out->body, TEXT_BYTES,
             "{\"name\":\"k\",\"api_id\":\"%s\",\"org_code\":\"%s\","
             "\"scope_ids\":[\"read:a\"]}",
             api_id, w->employer_id);
}

static void changing_a_key_of_an_api(struct world *w, struct request *out)
{
    char api_id[64];

    out->method = HTTP_PATCH;
    snprintf(out->path, TEXT_BYTES, "/api/v1/api_keys/%s", make_own_key(w, api_id).id);
    snprintf(out->body, TEXT_BYTES, "{\"scope_ids\":[],\"places\":{\"allow\":[\"DE\"]}}");
}

static void rotating_a_key_of_an_api(struct world *w, struct request *out)
{
    char api_id[64];

    out->method = HTTP_PUT;
    snprintf(out->path, TEXT_BYTES, "/api/v1/api_keys/%s", make_own_key(w, api_id).id);
}

static void revoking_a_key_of_an_api(struct world *w, struct request *out)
{
    char api_id[64];

    out->method = HTTP_DELETE;
    snprintf(out->path, TEXT_BYTES, "/api/v1/api_keys/%s", make_own_key(w, api_id).id);
}

static void revoking_the_keys_of_an_api(struct world *w, struct request *out)
{
    char api_id[64];

    make_own_key(w, api_id);
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/v1/api_keys/revoke");
    snprintf(out->body, TEXT_BYTES, "{\"api_id\":\"%s\"}", api_id);
}

static void importing_keys_of_an_api(struct world *w, struct request *out)
{
    char api_id[64];
    int n = ++w->n_made;

    make_own_key(w, api_id);
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/v1/api_keys/import");
    snprintf(out->body, TEXT_BYTES,
             "{\"keys\":[{\"name\":\"a\",\"api_id\":\"%s\",\"org_code\":\"%s\","
             "\"key\":\"imported-%08d\"}]}",
             api_id, w->employer_id, n);
}

static void making_a_plan(struct world *w, struct request *out)
{
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/v1/plans");
    snprintf(out->body, TEXT_BYTES,
             "{\"name\":\"P%d\",\"apis\":[{\"api_id\":\"enterprise\",\"scopes\":\"*\"}]}",
             ++w->n_made);
}

static void narrowing_a_plan(struct world *w, struct request *out)
{
    out->method = HTTP_PATCH;
    snprintf(out->path, TEXT_BYTES, "/api/v1/plans/%s", make_by(w, making_a_plan).id);
    snprintf(out->body, TEXT_BYTES,
             "{\"apis\":[{\"api_id\":\"enterprise\",\"scopes\":[\"cohort:read\"]}]}");
}

static void giving_a_plan(struct world *w, struct request *out)
{
    out->method = HTTP_PATCH;
    snprintf(out->path, TEXT_BYTES, "/api/v1/organizations/%s", w->employer_id);
    snprintf(out->body, TEXT_BYTES, "{\"plan_id\":\"%s\"}", make_by(w, making_a_plan).id);
}

static void ending_a_session(struct world *w, struct request *out)
{
    out->method = HTTP_POST;
    snprintf(out->path, TEXT_BYTES, "/api/admin/revoked-sessions");
    snprintf(out->body, TEXT_BYTES, "{\"issuer\":\"" ISS "\",\"sid\":\"s%d\"}", ++w->n_made);
}

static void coming_for_the_first_time_with_a_token(struct world *w, struct request *out)
{
    int n = ++w->n_made;
    str payload = arena_printf(w->f.arena,
                               "{\"iss\":\"" ISS "\",\"aud\":\"us\",\"sub\":\"new%d\","
                               "\"email\":\"new%d@u.test\",\"org\":\"acme\",\"sid\":\"s\","
                               "\"exp\":%" PRId64 "}",
                               n, n, time_now_ms() / SECOND_MS + 600);
    str token = jws_sign(w->f.arena, JWS_EDDSA, w->issuer_key, S("{\"alg\":\"EdDSA\"}"), payload);

    out->method = HTTP_GET;
    snprintf(out->path, TEXT_BYTES, "/api/auth/me");
    assert_true(token.n < TEXT_BYTES);
    snprintf(out->token, TEXT_BYTES, "%.*s", STR_ARG(token));
}

static void listing_patients(struct world *w, struct request *out)
{
    (void)w;
    out->method = HTTP_GET;
    snprintf(out->path, TEXT_BYTES, "/api/employer/cohort");
    out->body[0] = 0;
}

static void listing_keys(struct world *w, struct request *out)
{
    make_key(w);
    out->method = HTTP_GET;
    snprintf(out->path, TEXT_BYTES, "/api/employer/api-keys");
}

/* ---- faults ---- */

static bool is_good(const struct answer *answer)
{
    return answer->status >= 200 && answer->status < 300;
}

static void blame(const char *what, int64_t n, enum fault_kind kind, const struct answer *answer)
{
    print_error("%s, call %" PRId64 " failing (kind %d): answered %d %s\n", what, n, kind,
                answer->status, answer->code);
    assert_true(false);
}

/* What the request adds to each table, and how many calls it makes, when nothing fails. */
struct sound {
    struct dump before, after;
    int64_t calls;
};

static struct sound run_soundly(struct world *w, make_request make, enum fault_kind kind)
{
    struct request request = {0};
    struct sound sound;

    make(w, &request);
    sound.before = dump(w);
    fault_at(w->parts.store, 0, kind);
    struct answer answer = send(w, &request);
    if (!is_good(&answer))
        blame("without a fault", 0, kind, &answer);
    sound.calls = fault_calls(w->parts.store);
    sound.after = dump(w);
    return sound;
}

static void check_one(struct world *w, const char *name, make_request make,
                      const struct sound *sound, int64_t n, enum fault_kind kind)
{
    struct request request = {0};

    fault_at(w->parts.store, 0, kind);
    make(w, &request);
    struct dump before = dump(w);
    fault_at(w->parts.store, n, kind);
    struct answer answer = send(w, &request);
    assert_true(fault_has_come(w->parts.store));
    fault_at(w->parts.store, 0, kind);
    struct dump after = dump(w);
    bool is_whole = is_same_growth(&before, &after, &sound->before, &sound->after);
    bool is_nothing = str_eq(before.text, after.text);

    if (kind == FAULT_BUSY) {
        if (!is_good(&answer) || !is_whole)
            blame(name, n, kind, &answer);
        return;
    }
    /* What is read again after the commit is no part of the change. */
    if (is_good(&answer) && is_whole)
        return;
    if (answer.status != 503 || strcmp(answer.code, "STORE_DOWN") != 0 || !answer.has_retry_after)
        blame(name, n, kind, &answer);
    if (!is_nothing && !(kind == FAULT_AFTER && is_whole))
        blame(name, n, kind, &answer);
    /* And then again, as a client would. What was made without our knowing may be there already. */
    answer = send(w, &request);
    if (!is_good(&answer) && is_nothing)
        blame(name, n, kind, &answer);
}

static const struct {
    const char *name;
    make_request make;
} requests[] = {
    {"creating a key", creating_a_key},
    {"changing a key", changing_a_key},
    {"rotating a key", rotating_a_key},
    {"revoking a key", revoking_a_key},
    {"importing keys", importing_keys},
    {"uploading new patients", uploading_new_patients},
    {"uploading a known and a new patient", uploading_a_known_and_a_new_patient},
    {"uploading under an Idempotency-Key", uploading_under_an_idempotency_key},
    {"creating a key under an Idempotency-Key", creating_a_key_under_an_idempotency_key},
    {"creating an employer", creating_an_employer},
    {"changing an employer", changing_an_employer},
    {"creating a user", creating_a_user},
    {"deactivating a user", deactivating_a_user},
    {"linking a user", linking_a_user},
    {"linking an employer", linking_an_employer},
    {"making a link", making_a_link},
    {"setting a password with a link", setting_a_password_with_a_link},
    {"making a gate token", making_a_gate_token},
    {"ending a gate token", ending_a_gate_token},
    {"replacing the rules of the gate", replacing_the_rules_of_the_gate},
    {"registering an API", registering_an_api},
    {"changing an API", changing_an_api},
    {"deleting an API with a key", deleting_an_api_with_a_key},
    {"adding a scope", adding_a_scope},
    {"creating a key of an API", creating_a_key_of_an_api},
    {"changing a key of an API", changing_a_key_of_an_api},
    {"rotating a key of an API", rotating_a_key_of_an_api},
    {"revoking a key of an API", revoking_a_key_of_an_api},
    {"revoking the keys of an API", revoking_the_keys_of_an_api},
    {"importing keys of an API", importing_keys_of_an_api},
    {"making a plan", making_a_plan},
    {"narrowing a plan", narrowing_a_plan},
    {"giving a plan", giving_a_plan},
    {"ending a session", ending_a_session},
    {"coming for the first time with a token", coming_for_the_first_time_with_a_token},
    {"listing patients", listing_patients},
    {"listing keys", listing_keys},
};

/* Each in a world of its own, so that all of it is soon compared. */
static void check_all(enum fault_kind kind)
{
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        void *state = NULL;
        assert_int_equal(world_setup(&state), 0);
        struct world *w = state;
        struct sound sound = run_soundly(w, requests[i].make, kind);
        assert_in_range(sound.calls, kind == FAULT_AFTER ? 0 : 2, CALLS_MAX);
        for (int64_t n = 1; n <= sound.calls; n++)
            check_one(w, requests[i].name, requests[i].make, &sound, n, kind);
        world_teardown(&state);
    }
}

static void a_store_that_fails_leaves_nothing_half_done(void **state)
{
    (void)state;
    check_all(FAULT_DOWN);
}

static void a_commit_whose_answer_is_lost_is_whole_or_absent(void **state)
{
    (void)state;
    check_all(FAULT_AFTER);
}

static void a_lost_race_is_run_again_and_counts_once(void **state)
{
    (void)state;
    check_all(FAULT_BUSY);
}

/* ---- what is kept in memory ---- */

static int status_with(struct world *w, const struct answer *key)
{
    struct http_field fields[] = {{.name = S("x-api-version"), .value = S("v1")}};
    struct http_req req = {.method = HTTP_GET,
                           .target = S("/api/employer/cohort"),
                           .path = S("/api/employer/cohort"),
                           .fields = fields,
                           .n_fields = 1,
                           .n_api_keys = 1};
    struct http_reply reply;

    secret_set(&req.api_key, str_of(key->raw_key));
    door_run_local(w->parts.door, w->f.arena, &req, &reply);
    int status = reply.status;
    http_reply_drop(&reply);
    secret_drop(&req.api_key);
    return status;
}

/* The answer said 503, and the store has it revoked: the key table must not go on believing. */
static void a_key_whose_revocation_was_not_answered_is_asked_of_the_store(void **state)
{
    struct world *w = *state;

    struct request request = {.method = HTTP_DELETE};
    struct answer key = make_key(w);

    assert_int_equal(status_with(w, &key), 200);
    snprintf(request.path, TEXT_BYTES, "/api/employer/api-keys/%s", key.id);
    fault_at(w->parts.store, 1, FAULT_AFTER);
    assert_int_equal(send(w, &request).status, 503);
    assert_true(fault_has_come(w->parts.store));
    assert_int_equal(status_with(w, &key), 401);
}

static void usage_that_could_not_be_written_is_written_later(void **state)
{
    static const char sql[] = "SELECT request_count FROM api_key WHERE id = $1";
    struct world *w = *state;
    struct answer key = make_key(w);
    int64_t used = 0;

    for (int64_t n = 1;; n++) {
        fault_at(w->parts.store, 0, FAULT_DOWN);
        assert_int_equal(status_with(w, &key), 200);
        used++;
        fault_at(w->parts.store, n, FAULT_DOWN);
        parts_tick(&w->parts, 1000 / PARTS_TICK_MS);
        if (!fault_has_come(w->parts.store))
            break;
    }
    assert_int_equal(int_sql(&w->f, sql, BIND(TEXT(str_of(key.id)))), used);
}

int main(void)
{
#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_fails_leaves_nothing_half_done),
        cmocka_unit_test(a_commit_whose_answer_is_lost_is_whole_or_absent),
        cmocka_unit_test(a_lost_race_is_run_again_and_counts_once),
        IN_A_WORLD(a_key_whose_revocation_was_not_answered_is_asked_of_the_store),
        IN_A_WORLD(usage_that_could_not_be_written_is_written_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
