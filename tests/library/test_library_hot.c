/*
 * What a decision about a known key does not do. Allocations and locks are counted by standing in
 * front of the C library's own functions; system calls by a filter in the kernel that kills whoever
 * makes one. Each way of looking is first shown to see what it looks for.
 *
 * Not for a build with sanitizers, which make such calls themselves.
 */
#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "public.h"

enum { KEYS = 1000, DECISIONS = 1000000, EXPLANATIONS = 10000 };

/* ---- counting ---- */

/* A compiler takes it that malloc looks at nothing of ours. */
static volatile bool is_counting;
static volatile unsigned long n_allocations;
static volatile unsigned long n_locks;

/* The C library's own, by the names that it keeps for those who stand in front of it. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);
void __libc_free(void *p);

static void count(volatile unsigned long *n)
{
    if (is_counting)
        *n = *n + 1;
}

void *malloc(size_t bytes)
{
    count(&n_allocations);
    return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes)
{
    count(&n_allocations);
    return __libc_calloc(number, bytes);
}

void *realloc(void *p, size_t bytes)
{
    count(&n_allocations);
    return __libc_realloc(p, bytes);
}

void *memalign(size_t align, size_t bytes);
void *memalign(size_t align, size_t bytes)
{
    count(&n_allocations);
    return __libc_memalign(align, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
    return memalign(align, bytes);
}

int posix_memalign(void **out, size_t align, size_t bytes)
{
    *out = memalign(align, bytes);
    return *out ? 0 : ENOMEM;
}

void free(void *p)
{
    count(&n_allocations);
    __libc_free(p);
}

/* Each stands in front of the C library's function of its name. */
#define COUNTED_LOCK(name, type)                                                                   \
    int name(type *lock)                                                                           \
    {                                                                                              \
        static int (*next)(type *);                                                                \
        if (!next)                                                                                 \
            *(void **)&next = dlsym(RTLD_NEXT, #name);                                             \
        count(&n_locks);                                                                           \
        return next(lock);                                                                         \
    }

COUNTED_LOCK(pthread_mutex_lock, pthread_mutex_t)
COUNTED_LOCK(pthread_mutex_trylock, pthread_mutex_t)
COUNTED_LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
COUNTED_LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
COUNTED_LOCK(pthread_rwlock_tryrdlock, pthread_rwlock_t)
COUNTED_LOCK(pthread_rwlock_trywrlock, pthread_rwlock_t)

/* ---- what is looked at ---- */

static struct sallyport_table *table;
static struct sallyport_expression needs;
static char texts[KEYS][SALLYPORT_TEXT_MAX];
static size_t text_bytes;

/* Valid ones, refused ones, with address rules and without, with limits and without. */
static int put_keys(void **state)
{
    static const char *const office[] = {"198.51.100.0/24", "2001:db8::/32"};
    char id[24];

    (void)state;
    if (sallyport_table_new(NULL, &table, NULL) != SALLYPORT_OK ||
        sallyport_expression_parse(table, "cohort:read AND (fhir:read OR fhir:write)", &needs,
                                   NULL) != SALLYPORT_OK)
        return 1;
    for (unsigned n = 0; n < KEYS; n++) {
        snprintf(id, sizeof id, "key_%u", n);
        text_bytes = text_of(table, n, texts[n]);
        put_number(table, n,
                   &(struct sallyport_key){.id = id,
                                           .owner_id = "acme",
                                           .scopes = n % 7 == 0 ? 0 : 2047,
                                           .addresses = n % 3 ? office : NULL,
                                           .n_addresses = n % 3 ? 2 : 0,
                                           .expires_at_ms = n % 11 == 0 ? 1 : 0,
                                           .rate_requests = n % 2 ? 1000 : 0,
                                           .rate_window_s = n % 2 ? 60 : 0});
    }
    sallyport_thread_begin();
    return 0;
}

static int drop_keys(void **state)
{
    (void)state;
    sallyport_table_drop(&table);
    return 0;
}

/* By the clock, as in use. */
static unsigned decide_all(void)
{
    struct sallyport_question question = {
        .key_bytes = text_bytes, .client = {4, {198, 51, 100, 7}}, .wanted = 1, .needs = &needs};
    struct sallyport_verdict verdict;
    unsigned n_valid = 0;

    for (unsigned i = 0; i < DECISIONS; i++) {
        question.key = texts[i % KEYS];
        sallyport_decide(table, &question, &verdict);
        n_valid += verdict.code == SALLYPORT_VALID;
    }
    return n_valid;
}

static size_t explain_all(void)
{
    char why[SALLYPORT_EXPLANATION_MAX];
    struct sallyport_question question = {.key_bytes = text_bytes, .needs = &needs};
    struct sallyport_verdict verdict;
    size_t n = 0;

    for (unsigned i = 0; i < EXPLANATIONS; i++) {
        question.key = texts[i % KEYS];
        sallyport_decide(table, &question, &verdict);
        n += sallyport_explain(table, &verdict, i % 2 ? SALLYPORT_JSON : SALLYPORT_LINES, why,
                               sizeof why);
    }
    return n;
}

/* ---- allocations and locks ---- */

static void start_counting(void)
{
    n_allocations = n_locks = 0;
    is_counting = true;
}

static void an_allocation_would_be_seen(void **state)
{
    (void)state;
    start_counting();
    char *volatile text = strdup("seen inside the C library too");
    is_counting = false;
    assert_int_equal(n_allocations, 1);
    free(text);
}

static void a_lock_would_be_seen(void **state)
{
    (void)state;
    start_counting();
    put_number(table, 1, &(struct sallyport_key){.id = "key_1", .scopes = 2047});
    is_counting = false;
    assert_true(n_locks > 0);
    assert_true(n_allocations > 0);
}

static void a_million_decisions_allocate_and_lock_nothing(void **state)
{
    (void)state;
    start_counting();
    unsigned n_valid = decide_all();
    is_counting = false;
    assert_true(n_valid > DECISIONS / 4 && n_valid < DECISIONS);
    assert_int_equal(n_allocations, 0);
    assert_int_equal(n_locks, 0);
}

static void explanations_allocate_and_lock_nothing(void **state)
{
    (void)state;
    start_counting();
    size_t n = explain_all();
    is_counting = false;
    assert_true(n > EXPLANATIONS * 20);
    assert_int_equal(n_allocations, 0);
    assert_int_equal(n_locks, 0);
}

/* ---- system calls ---- */

/* From here on every system call but the end is the end. */
static void allow_no_system_call(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(3);
}

/* What becomes of a child that does this without system calls: as of waitpid(2). */
static int fate_of(bool (*work)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        allow_no_system_call();
        _exit(work() ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static bool call_the_kernel(void)
{
    return getppid() > 0;
}

static bool put_a_key(void)
{
    put_number(table, 1, &(struct sallyport_key){.id = "key_1"});
    return true;
}

static bool decide_many(void)
{
    return decide_all() > DECISIONS / 4;
}

static bool explain_many(void)
{
    return explain_all() > 0;
}

static void a_system_call_would_be_seen(void **state)
{
    (void)state;
    int status = fate_of(call_the_kernel);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    /* Replacing a key waits for readers, which asks the kernel. */
    status = fate_of(put_a_key);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static void a_million_decisions_make_no_system_call(void **state)
{
    (void)state;
    assert_int_equal(fate_of(decide_many), 0);
}

static void explanations_make_no_system_call(void **state)
{
    (void)state;
    assert_int_equal(fate_of(explain_many), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_would_be_seen),
        cmocka_unit_test(a_lock_would_be_seen),
        cmocka_unit_test(a_million_decisions_allocate_and_lock_nothing),
        cmocka_unit_test(explanations_allocate_and_lock_nothing),
        cmocka_unit_test(a_system_call_would_be_seen),
        cmocka_unit_test(a_million_decisions_make_no_system_call),
        cmocka_unit_test(explanations_make_no_system_call),
    };

    return cmocka_run_group_tests(tests, put_keys, drop_keys);
}
