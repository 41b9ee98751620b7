/* The page /metrics, and the listener that serves it and nothing else. */
#ifndef SALLYPORT_APP_SCRAPE_H
#define SALLYPORT_APP_SCRAPE_H

#include "app/config.h"
#include "app/door.h"
#include "base/err.h"
#include "http/http.h"

struct scrape;

/*
 * Listen on metrics_listen. The arena, the door and the engine outlive the listener.
 *
 * E_INTERNAL_ERROR  with *why, one sentence
 */
enum err scrape_start(struct arena *arena, const struct config *config, struct door *door,
                      struct http_engine *engine, struct scrape **out, str *why);
str scrape_address(const struct scrape *scrape);
void scrape_stop(struct scrape **scrape);

#endif
