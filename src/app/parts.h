/*
 * The parts that a process is made of, whether it serves or answers one command: the rules of each
 * capability, the store, the instance key, the door.
 */
#ifndef SALLYPORT_APP_PARTS_H
#define SALLYPORT_APP_PARTS_H

#include "app/config.h"
#include "app/door.h"
#include "audit/audit.h"
#include "base/cx.h"

enum { PARTS_TICK_MS = AUDIT_SEAL_EVERY_MS };

struct parts {
    struct arena *arena;
    const struct config *config;
    struct store *store;
    struct door *door;
    const char *doing; /* what parts_start failed in */
};

/* why: one sentence, in the arena of parts, which are to be stopped either way. */
enum err parts_start(struct parts *parts, const struct config *config, str *why);
void parts_stop(struct parts *parts);

/* In a server, before it listens: hear from now on what other processes change. False: no thread
 * could be started. */
bool parts_follow(struct parts *parts);

/* The settings that reload have changed in *config: every part goes by them from now on. */
void parts_reload(struct parts *parts);

/* What the settings mean to the HTTP engine: whose connections are not counted (lives as long as
 * parts), and the files of TLS. */
const struct http_proxies *parts_proxies(const struct parts *parts);
struct http_tls_options parts_tls(const struct config *config);

/* What is done every PARTS_TICK_MS, and at the end; n counts them. Failures are logged. */
void parts_tick(struct parts *parts, int64_t n);

/* For work that nobody asked for. */
struct cx parts_cx(const struct parts *parts, struct arena *arena, const char *doing);

#endif
