/*
 * Read sections that nothing holds up: liburcu's memb flavour, or under ThreadSanitizer, which does
 * not know its barriers and reports races that are none, a read-write lock.
 */
#ifndef SALLYPORT_LIBRARY_RCU_H
#define SALLYPORT_LIBRARY_RCU_H

/* Before the first section on each thread. Once is enough, more is harmless; the thread's end
 * undoes it. */
void rcu_thread_begin(void);

#if defined(__SANITIZE_THREAD__)
#define RCU_IS_A_LOCK 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_IS_A_LOCK 1
#endif
#endif

#if defined(RCU_IS_A_LOCK)

void rcu_enter(void);
void rcu_leave(void);

/* Wait until every section that is open now has been left. Not from inside one. */
void rcu_wait(void);

#else

#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu/urcu-memb.h>

static inline void rcu_enter(void)
{
    urcu_memb_read_lock();
}

static inline void rcu_leave(void)
{
    urcu_memb_read_unlock();
}

static inline void rcu_wait(void)
{
    urcu_memb_synchronize_rcu();
}

#endif

#endif
