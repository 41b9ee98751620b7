/*
 * A store whose nth call fails, over a real one: for tests, which ask that nothing is half-done,
 * for any n. Not part of the server.
 *
 * A call is what can fail: taking a connection, each statement, each row, each commit.
 */
#ifndef SALLYPORT_STORE_FAULT_H
#define SALLYPORT_STORE_FAULT_H

#include "store/store.h"

enum fault_kind {
    FAULT_DOWN,  /* E_STORE_DOWN */
    FAULT_BUSY,  /* E_STORE_BUSY: a race that was lost; store.c runs the work again */
    FAULT_AFTER, /* E_STORE_DOWN after a commit that was made; counts those alone */
};

/* The real store outlives it; store_drop() drops the wrapping alone. */
struct store *fault_wrap(struct store *real);

/* From now on calls are counted anew, and the nth fails, once. 0: none does. */
void fault_at(struct store *store, int64_t nth, enum fault_kind kind);

/* Since fault_at. */
int64_t fault_calls(struct store *store);
bool fault_has_come(struct store *store);

#endif
