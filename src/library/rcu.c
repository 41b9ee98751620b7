/* Threads that read: registered at their first section, and no longer when they end. */
#include "library/rcu.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/banned.h"

#if defined(RCU_IS_A_LOCK)

static pthread_rwlock_t sections = PTHREAD_RWLOCK_INITIALIZER;

void rcu_enter(void)
{
    pthread_rwlock_rdlock(&sections);
}

void rcu_leave(void)
{
    pthread_rwlock_unlock(&sections);
}

void rcu_wait(void)
{
    pthread_rwlock_wrlock(&sections);
    pthread_rwlock_unlock(&sections);
}

void rcu_thread_begin(void)
{
}

#else

/* Within the space that the C library keeps for such variables, so that reaching it never
 * allocates. */
static _Thread_local bool has_begun __attribute__((tls_model("initial-exec")));
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;

static void end_thread(void *unused)
{
    (void)unused;
    urcu_memb_unregister_thread();
    has_begun = false;
}

static void make_key(void)
{
    if (pthread_key_create(&at_thread_end, end_thread) != 0)
        abort();
}

void rcu_thread_begin(void)
{
    if (has_begun)
        return;
    pthread_once(&once, make_key);
    urcu_memb_register_thread();
    /* Any value but NULL makes the destructor run. */
    if (pthread_setspecific(at_thread_end, &once) != 0)
        abort();
    has_begun = true;
}

#endif
