/* Start every part in order, tick them, stop them in reverse order. */
#include "app/parts.h"

#include "apis/apis.h"
#include "audit/audit.h"
#include "auth/auth.h"
#include "base/banned.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "cohorts/cohorts.h"
#include "crypto/password.h"
#include "gate/gate.h"
#include "http/reply.h"
#include "idempotency/idempotency.h"
#include "instance/instance.h"
#include "issuers/issuers.h"
#include "keys/keys.h"
#include "outbound/outbound.h"
#include "places/places.h"
#include "plans/plans.h"
#include "stream/stream.h"

enum { SECOND_TICKS = 1000 / PARTS_TICK_MS, SWEEP_EVERY_S = 600 };

/* ---- what the settings mean to each part ---- */

static struct issuer_texts texts_of(const struct config_list *list)
{
    return (struct issuer_texts){list->texts, list->n};
}

static struct issuer issuer_of(struct arena *arena, const struct config_issuer *c)
{
    bool is_clerk = str_eq(c->kind, S("clerk"));
    struct issuer_role *roles = arena_array(arena, c->role_map.n, sizeof *roles);
    struct issuer issuer = {
        .name = c->name,
        .kind = is_clerk ? ISSUER_CLERK : ISSUER_OIDC,
        .iss = c->issuer,
        .jwks_url = c->jwks_url,
        .pem = c->pem,
        .audiences = texts_of(&c->audience),
        .parties = texts_of(&c->authorized_parties),
        .employer_claim = c->employer_claim,
        .role_claim = c->role_claim,
        .roles = roles,
        .n_roles = c->role_map.n,
        .employer_id = c->employer,
        .create_users = c->create_users,
        .link_by_email = c->link_by_email,
        .leeway_ms = c->leeway_ms,
    };

    if (is_clerk && c->jwks_url.n == 0)
        issuer.jwks_url = arena_printf(arena, "%.*s/.well-known/jwks.json", STR_ARG(c->issuer));
    for (size_t i = 0; i < c->algorithms.n; i++)
        issuer.algs[jws_alg_find(c->algorithms.texts[i])] = true;
    for (size_t i = 0; i < c->role_map.n; i++)
        issuer_role_parse(c->role_map.texts[i], &roles[i]);
    return issuer;
}

static void start_issuers(struct arena *arena, const struct config *config)
{
    struct issuer list[ISSUERS_MAX];

    for (size_t i = 0; i < config->n_issuers; i++)
        list[i] = issuer_of(arena, &config->issuers[i]);
    issuers_start(list, config->n_issuers);
}

static struct keys_settings keys_of(const struct config *config)
{
    return (struct keys_settings){
        .form = {S("mt"), config->key_environment},
        .scopes_may_widen = config->key_scopes_may_widen,
        .live_max = config->api_key_limit,
        .guesses_a_minute = config->guess_limit,
        .cache_max = config->key_cache_max,
        .unknown_reads_per_s = config->unknown_reads_per_s,
        .version_is_required = config->api_version_required,
        .silence = {.max_ms = config->stream_max_silence_ms,
                    .goes_on = str_eq(config->stream_silence, S("go_on"))},
    };
}

static struct auth_settings auth_of(const struct config *config)
{
    return (struct auth_settings){
        .session_lifetime_ms = config->session_lifetime_ms,
        .reset_link_lifetime_ms = config->reset_link_lifetime_ms,
        .failures_per_account = config->login_failures_per_account,
        .failures_per_address = config->login_failures_per_address,
        .cookie_is_secure = config->public_url_is_https || config->tls_cert.n,
    };
}

static const struct door_settings *door_of(struct arena *arena, const struct config *config)
{
    struct door_settings *settings = ARENA_NEW(arena, struct door_settings);

    *settings = (struct door_settings){.api_vendor = config->api_vendor,
                                       .trusted_proxies = config->proxies,
                                       .n_trusted_proxies = config->n_proxies};
    return settings;
}

static const struct gate_settings *gate_of(struct arena *arena, const struct config *config)
{
    struct gate_settings *settings = ARENA_NEW(arena, struct gate_settings);

    *settings = (struct gate_settings){.peers = config->gateways,
                                       .n_peers = config->n_gateways,
                                       .uids = config->gate_users,
                                       .n_uids = config->n_gate_users,
                                       .proxies = config->proxies,
                                       .n_proxies = config->n_proxies};
    return settings;
}

static const struct outbound_settings *outbound_of(struct arena *arena, const struct config *config)
{
    struct outbound_settings *settings = ARENA_NEW(arena, struct outbound_settings);

    *settings = (struct outbound_settings){
        .allowed = config->allowed,
        .n_allowed = config->n_allowed,
        .ca_file = config->outbound_ca_file.n ? config->outbound_ca_file.p : NULL};
    return settings;
}

const struct http_proxies *parts_proxies(const struct parts *parts)
{
    struct http_proxies *proxies = ARENA_NEW(parts->arena, struct http_proxies);

    *proxies = (struct http_proxies){parts->config->proxies, parts->config->n_proxies};
    return proxies;
}

static const char *path_or_null(str path)
{
    return path.n ? path.p : NULL;
}

struct http_tls_options parts_tls(const struct config *config)
{
    bool is_off = str_eq(config->tls_client_certificates, S("off"));

    return (struct http_tls_options){
        .cert = path_or_null(config->tls_cert),
        .key = path_or_null(config->tls_key),
        .client_ca = is_off ? NULL : path_or_null(config->tls_client_ca),
        .gate_ca = path_or_null(config->gate_client_ca),
        .client_cert_is_required = str_eq(config->tls_client_certificates, S("required")),
        .is_1_3_only = str_eq(config->tls_min_version, S("1.3")),
    };
}

/* What keys and rules hold of scopes is made of APIs. */
static void on_apis_changed(void)
{
    keys_forget_all();
    gate_forget_rules();
}

static void start_rules(struct arena *arena, const struct config *config)
{
    struct keys_settings keys = keys_of(config);
    struct auth_settings auth = auth_of(config);

    json_start();
    password_start();
    http_set_public_url(&config->public_url);
    apis_start(&(struct apis_settings){keys.form, on_apis_changed});
    keys_start(&keys);
    plans_start(keys_forget_all);
    auth_start(&auth);
    cohorts_start(config->foreign_email_limit);
    idempotency_start(config->idempotency_ttl_ms);
    audit_start(&(struct audit_settings){
        .retention_ms = config->audit_retention_ms,
        .archive_folder = config->audit_archive_folder.p,
        .key_form = {S("mt"), config->key_environment},
    });
    outbound_use(outbound_of(arena, config));
    start_issuers(arena, config);
    gate_start(config->key_environment, gate_of(arena, config));
}

/* Requests that run hold on to what they have read, so nothing is freed before the end. */
void parts_reload(struct parts *parts)
{
    struct keys_settings *keys = ARENA_NEW(parts->arena, struct keys_settings);
    struct auth_settings *auth = ARENA_NEW(parts->arena, struct auth_settings);

    *keys = keys_of(parts->config);
    *auth = auth_of(parts->config);
    keys_use(keys);
    auth_use(auth);
    cohorts_start(parts->config->foreign_email_limit);
    gate_use(gate_of(parts->arena, parts->config));
    outbound_use(outbound_of(parts->arena, parts->config));
    door_use(parts->door, door_of(parts->arena, parts->config));
}

/* ---- life ---- */

struct cx parts_cx(const struct parts *parts, struct arena *arena, const char *doing)
{
    return (struct cx){
        .arena = arena, .now_ms = time_now_ms(), .store = parts->store, .doing = doing};
}

static enum err start_instance(struct parts *parts, str *why)
{
    struct cx cx = parts_cx(parts, parts->arena, "reading the instance key");
    enum err e = instance_start(
        &cx, &(struct instance_settings){parts->config->key_file.p, &parts->config->instance_key});

    *why = cx.failure.detail;
    return e;
}

enum err parts_start(struct parts *parts, const struct config *config, str *why)
{
    struct store_options options = {.url = config->database_url.p,
                                    .connections = (int)config->database_connections};

    *parts = (struct parts){.arena = arena_new(), .config = config};
    start_rules(parts->arena, config);
    parts->doing = "cannot use geoip_database";
    if (!places_start(config->geoip_database, parts->arena, why))
        return E_INVALID_REQUEST;
    parts->doing = "cannot open the store";
    TRY(store_open(parts->arena, &options, &parts->store, why));
    parts->doing = "cannot use the instance key";
    TRY(start_instance(parts, why));
    parts->doing = "cannot read the store";
    struct cx cx = parts_cx(parts, parts->arena, "reading the keys");
    enum err e = apis_learn_store(&cx);
    if (e == E_OK)
        e = keys_learn_store(&cx);
    if (e == E_OK)
        e = gate_learn_store(&cx);
    *why = cx.failure.detail;
    TRY(e);
    parts->door = door_new(door_of(parts->arena, config), parts->store);
    return E_OK;
}

bool parts_follow(struct parts *parts)
{
    static const struct stream_subscriber subscribers[] = {
        {apis_hear, apis_begin}, /* before the keys, which are made of them */
        {keys_hear, keys_begin},
        {gate_hear, gate_begin},
    };

    return !store_is_shared(parts->store) ||
           stream_start(parts->store, subscribers, sizeof subscribers / sizeof *subscribers);
}

/* Whatever a command or the last second left: use of keys; the audit noted, linked, and its head in
 * the log. */
static void finish(struct parts *parts)
{
    struct cx cx = parts_cx(parts, parts->arena, "flushing usage");

    if (keys_finish(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "keys.not_finished", F("detail", cx.failure.detail));
    cx.doing = "finishing the audit";
    if (audit_finish(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "audit.not_finished", F("detail", cx.failure.detail));
}

void parts_stop(struct parts *parts)
{
    stream_stop();
    if (parts->door)
        finish(parts);
    door_drop(&parts->door);
    store_drop(&parts->store);
    issuers_stop();
    outbound_stop();
    gate_stop();
    audit_stop();
    cohorts_start(0);
    auth_stop();
    keys_stop();
    apis_stop();
    places_stop();
    instance_stop();
    arena_drop(&parts->arena);
}

/* Nobody tells what other processes change. */
static void learn(struct cx *cx)
{
    cx->doing = "reading the APIs";
    if (apis_learn_store(cx) != E_OK)
        log_event(cx, LOG_WARN, "apis.not_learned", F("detail", cx->failure.detail));
    cx->doing = "reading the keys";
    if (keys_learn_store(cx) != E_OK)
        log_event(cx, LOG_WARN, "keys.not_learned", F("detail", cx->failure.detail));
    cx->doing = "reading the gate tokens";
    if (gate_learn_store(cx) != E_OK)
        log_event(cx, LOG_WARN, "gate_tokens.not_learned", F("detail", cx->failure.detail));
}

static void tick_second(struct parts *parts, int64_t second)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = parts_cx(parts, arena, "flushing usage");
    bool is_shared = store_is_shared(parts->store);

    places_tick(&cx);
    if (keys_tick(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "keys.not_kept_up", F("doing", str_of(cx.doing)),
                  F("detail", cx.failure.detail));
    if (is_shared && !stream_state().is_current)
        learn(&cx);
    cx.doing = "reading the APIs";
    if (apis_refresh(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "apis.not_learned", F("detail", cx.failure.detail));
    cx.doing = "reading the gate's rules";
    if (is_shared && gate_learn_rules(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "gate_rules.not_learned", F("detail", cx.failure.detail));
    cx.doing = "sweeping answers";
    if (idempotency_sweep(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "answers.not_swept", F("detail", cx.failure.detail));
    cx.doing = "writing the audit";
    if (audit_tick(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "audit.not_written", F("detail", cx.failure.detail));
    cx.doing = "sweeping sessions";
    if (second % SWEEP_EVERY_S == 0 && auth_sweep(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "sessions.not_swept", F("detail", cx.failure.detail));
    cx.doing = "sweeping changes";
    if (second % SWEEP_EVERY_S == 0 && is_shared && stream_sweep(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "changes.not_swept", F("detail", cx.failure.detail));
    cx.doing = "sweeping revoked sessions";
    if (second % SWEEP_EVERY_S == 0 && issuers_any() && issuers_sweep(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "revocations.not_swept", F("detail", cx.failure.detail));
}

/* On SQLite the commit itself links the audit's lines. */
static void seal_audit(struct parts *parts)
{
    DROP(arena) struct arena *arena = arena_new();
    struct cx cx = parts_cx(parts, arena, "sealing the audit");

    if (audit_seal(&cx) != E_OK)
        log_event(&cx, LOG_WARN, "audit.not_sealed", F("detail", cx.failure.detail));
}

void parts_tick(struct parts *parts, int64_t n)
{
    if (store_is_shared(parts->store))
        seal_audit(parts);
    if (n % SECOND_TICKS == 0)
        tick_second(parts, n / SECOND_TICKS);
}
