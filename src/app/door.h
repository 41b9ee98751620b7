/*
 * The door: every request comes in here. It finds the route, the credential and the principal,
 * asks for the decision, and either answers with the reason or lets the handler run.
 */
#ifndef SALLYPORT_APP_DOOR_H
#define SALLYPORT_APP_DOOR_H

#include "app/metrics.h"
#include "decide/principal.h"
#include "http/router.h"
#include "store/store.h"

struct door_settings {
    str api_vendor;
    const struct net_cidr *trusted_proxies;
    size_t n_trusted_proxies;
};

struct door;

/* The store and the settings outlive it. */
struct door *door_new(const struct door_settings *settings, struct store *store);
void door_drop(struct door **door);

/* While threads run: these from now on; they outlive the door too. */
void door_use(struct door *door, const struct door_settings *settings);

/* What it has counted, and the store it was made with. */
const struct metrics *door_metrics(const struct door *door);
struct store *door_store(const struct door *door);

/* What the engine calls. */
struct http_service door_service(struct door *door);

/*
 * Run a request in this process as the operator, without a socket: for the command line when no
 * server runs. The reply is filled, be it a success or a problem.
 */
void door_run_local(struct door *door, struct arena *arena, struct http_req *req,
                    struct http_reply *reply);

#endif
