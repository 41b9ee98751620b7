/* The tokens in memory. Inside gate/ only. */
#ifndef SALLYPORT_GATE_TOKENS_H
#define SALLYPORT_GATE_TOKENS_H

#include "gate/queries.h"

void gate_tokens_start(str environment);
const struct key_form *gate_token_form(void);

/*
 * Note the epoch, read the store, set. False: something changed in between and what was read may be
 * old; read it again.
 */
uint64_t gate_tokens_epoch(void);
bool gate_tokens_set(uint64_t epoch, const struct gate_token_list *tokens);

void gate_tokens_add(const struct gate_token *token);
void gate_tokens_remove(str id);

/* Know none, until the store is read again. */
void gate_tokens_forget(void);

/* Copies the id into the arena. False: it is none of them. */
bool gate_tokens_find(struct arena *arena, const struct secret *token, str *id);

#endif
