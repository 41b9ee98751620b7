/*
 * Scope-bound values: DROP(rows) struct rows *r = NULL; calls rows_drop(&r) on every way out.
 * A drop accepts NULL and half-built things.
 */
#ifndef SALLYPORT_BASE_DROP_H
#define SALLYPORT_BASE_DROP_H

#define DROP(kind) __attribute__((cleanup(kind##_drop)))

#define PRINTF_LIKE(text_at, first_at) __attribute__((format(printf, text_at, first_at)))

#endif
