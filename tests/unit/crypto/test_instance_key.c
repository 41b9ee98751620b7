/* crypto/instance_key.h */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/instance_key.h"

static const char a_hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char b_hex[] = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

static struct instance_key a_key(void)
{
    struct instance_key key = {0};

    assert_true(instance_key_parse(str_of(a_hex), &key));
    return key;
}

/* ---- deriving ---- */

/* RFC 5869 appendix A.1: PRK, info, and the first 32 bytes of the OKM, which are T(1). */
static void a_key_for_a_purpose_is_the_first_block_of_hkdf_expand(void **state)
{
    static const char prk[] = "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5";
    static const char info[] = "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9";
    struct instance_key key = {0};
    char hex[2 * SHA256_BYTES + 1] = {0};

    (void)state;
    assert_true(instance_key_parse(str_of(prk), &key));
    struct sha256 derived = instance_key_derive(key.current, (str){info, 10});
    hex_write(derived.bytes, sizeof derived.bytes, hex);
    assert_string_equal(hex, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
}

static void an_id_tells_keys_apart_and_is_none_of_their_bytes(void **state)
{
    struct instance_key one = a_key(), other;
    struct instance_key_id id = instance_key_id_of(one.current);

    (void)state;
    instance_key_make(&other);
    struct instance_key_id other_id = instance_key_id_of(other.current);
    assert_true(str_starts(instance_key_id_text(&id), S("ik_")));
    assert_int_equal(instance_key_id_text(&id).n, 19);
    assert_memory_not_equal(id.text + 3, a_hex, 16);
    assert_memory_not_equal(id.text, other_id.text, sizeof id.text);
}

/* ---- as text ---- */

static void a_key_is_64_hex_digits_and_maybe_64_more(void **state)
{
    struct instance_key key;
    char text[256];

    (void)state;
    assert_true(instance_key_parse(str_of(a_hex), &key));
    assert_false(key.has_previous);
    snprintf(text, sizeof text, " %s:%s \r\n", a_hex, b_hex);
    assert_true(instance_key_parse(str_of(text), &key));
    assert_true(key.has_previous);
    assert_int_equal(key.current[31], 0x1f);
    assert_int_equal(key.previous[0], 0xff);
}

static void what_is_not_a_key_is_refused(void **state)
{
    struct instance_key key;
    char text[256];

    (void)state;
    assert_false(instance_key_parse(S(""), &key));
    assert_false(instance_key_parse(STR_NONE, &key));
    assert_false(instance_key_parse(str_sub(str_of(a_hex), 0, 63), &key));
    snprintf(text, sizeof text, "%s0", a_hex);
    assert_false(instance_key_parse(str_of(text), &key));
    snprintf(text, sizeof text, "%s:", a_hex);
    assert_false(instance_key_parse(str_of(text), &key));
    snprintf(text, sizeof text, "%s:%s:%s", a_hex, b_hex, a_hex);
    assert_false(instance_key_parse(str_of(text), &key));
    snprintf(text, sizeof text, "%s", a_hex);
    text[7] = 'g';
    assert_false(instance_key_parse(str_of(text), &key));
}

static void what_is_written_is_read_again(void **state)
{
    DROP(secret) struct secret text = {0};
    struct instance_key made, rotated, again;

    (void)state;
    instance_key_make(&made);
    instance_key_rotate(&made, &rotated);
    assert_true(rotated.has_previous);
    assert_memory_equal(rotated.previous, made.current, sizeof made.current);
    assert_memory_not_equal(rotated.current, made.current, sizeof made.current);
    instance_key_write(&rotated, &text);
    assert_true(instance_key_parse(secret_reveal(&text), &again));
    assert_memory_equal(&again, &rotated, sizeof again);
}

/* ---- the one in force ---- */

static void what_the_previous_key_made_is_verified_and_what_an_older_one_made_is_not(void **state)
{
    struct instance_key first = a_key(), second, third;
    struct instance_key_id id, new_id;
    struct sha256 again;
    str text = S("a payload");

    (void)state;
    instance_key_set(&first);
    struct sha256 made = instance_key_mac(INSTANCE_KEY_IDEMPOTENCY, text, &id);
    instance_key_rotate(&first, &second);
    instance_key_set(&second);
    assert_true(
        instance_key_mac_again(instance_key_id_text(&id), INSTANCE_KEY_IDEMPOTENCY, text, &again));
    assert_memory_equal(&made, &again, sizeof made);

    struct sha256 newer = instance_key_mac(INSTANCE_KEY_IDEMPOTENCY, text, &new_id);
    assert_memory_not_equal(&made, &newer, sizeof made);
    assert_memory_not_equal(&id, &new_id, sizeof id);

    instance_key_rotate(&second, &third);
    instance_key_set(&third);
    assert_false(
        instance_key_mac_again(instance_key_id_text(&id), INSTANCE_KEY_IDEMPOTENCY, text, &again));
    instance_key_unset();
}

/* ---- its file ---- */

struct folder {
    struct arena *arena;
    char path[64];
    const char *file;
};

static int folder_make(void **state)
{
    struct folder *f = calloc(1, sizeof *f);

    f->arena = arena_new();
    memcpy(f->path, "/tmp/sallyport-key-XXXXXX", 26);
    *state = f;
    if (!mkdtemp(f->path))
        return -1;
    f->file = arena_printf(f->arena, "%s/instance.key", f->path).p;
    return 0;
}

static int folder_drop(void **state)
{
    struct folder *f = *state;

    unlink(f->file);
    unlink(arena_printf(f->arena, "%s.new", f->file).p);
    unlink(arena_printf(f->arena, "%s/link", f->path).p);
    rmdir(f->path);
    arena_drop(&f->arena);
    free(f);
    return 0;
}

static void write_file(const struct folder *f, const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    (void)f;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void a_file_is_written_for_its_owner_alone_and_read_again(void **state)
{
    struct folder *f = *state;
    struct instance_key made, again;
    struct stat file;
    str why;

    assert_int_equal(instance_key_read_file(f->arena, f->file, &again, &why), E_ABSENT);
    instance_key_make(&made);
    mode_t before = umask(0);
    assert_int_equal(instance_key_write_file(f->arena, f->file, &made, &why), E_OK);
    umask(before);
    assert_int_equal(stat(f->file, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0600);
    assert_int_equal(instance_key_read_file(f->arena, f->file, &again, &why), E_OK);
    assert_memory_equal(&made, &again, sizeof made);
}

static void what_a_crash_left_behind_is_written_over(void **state)
{
    struct folder *f = *state;
    struct instance_key made, again;
    const char *part = arena_printf(f->arena, "%s.new", f->file).p;
    str why;

    write_file(f, part, "half a k", 0644);
    instance_key_make(&made);
    assert_int_equal(instance_key_write_file(f->arena, f->file, &made, &why), E_OK);
    assert_int_equal(access(part, F_OK), -1);
    assert_int_equal(instance_key_read_file(f->arena, f->file, &again, &why), E_OK);
    assert_memory_equal(&made, &again, sizeof made);
}

static void a_link_to_the_file_stays_a_link(void **state)
{
    struct folder *f = *state;
    const char *link = arena_printf(f->arena, "%s/link", f->path).p;
    struct instance_key made, again;
    struct stat file;
    str why;

    write_file(f, f->file, a_hex, 0600);
    assert_int_equal(symlink(f->file, link), 0);
    instance_key_make(&made);
    assert_int_equal(instance_key_write_file(f->arena, link, &made, &why), E_OK);
    assert_int_equal(lstat(link, &file), 0);
    assert_true(S_ISLNK(file.st_mode));
    assert_int_equal(instance_key_read_file(f->arena, f->file, &again, &why), E_OK);
    assert_memory_equal(&made, &again, sizeof made);
}

static void a_file_that_others_may_read_is_refused_with_the_fix(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0610, 0644};
    struct folder *f = *state;
    struct instance_key key;
    str why;

    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        write_file(f, f->file, a_hex, modes[i]);
        assert_int_equal(instance_key_read_file(f->arena, f->file, &key, &why), E_STORE_DOWN);
        assert_non_null(strstr(why.p, "chmod 600"));
    }
    write_file(f, f->file, a_hex, 0400);
    assert_int_equal(instance_key_read_file(f->arena, f->file, &key, &why), E_OK);
}

static void a_file_without_a_key_is_refused(void **state)
{
    struct folder *f = *state;
    struct instance_key key;
    char text[400];
    str why;

    write_file(f, f->file, "", 0600);
    assert_int_equal(instance_key_read_file(f->arena, f->file, &key, &why), E_STORE_DOWN);
    snprintf(text, sizeof text, "%s%300s", a_hex, "");
    write_file(f, f->file, text, 0600);
    assert_int_equal(instance_key_read_file(f->arena, f->file, &key, &why), E_STORE_DOWN);
    assert_non_null(strstr(why.p, "64 hex digits"));
    assert_int_equal(instance_key_read_file(f->arena, f->path, &key, &why), E_STORE_DOWN);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    struct folder *f = *state;
    struct instance_key key = a_key();
    str why;

    assert_int_equal(instance_key_write_file(f->arena, "/nowhere/at/all/instance.key", &key, &why),
                     E_STORE_DOWN);
    assert_non_null(strstr(why.p, "/nowhere/at/all/instance.key"));
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_for_a_purpose_is_the_first_block_of_hkdf_expand),
        cmocka_unit_test(an_id_tells_keys_apart_and_is_none_of_their_bytes),
        cmocka_unit_test(a_key_is_64_hex_digits_and_maybe_64_more),
        cmocka_unit_test(what_is_not_a_key_is_refused),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_the_previous_key_made_is_verified_and_what_an_older_one_made_is_not),
        IN_A_FOLDER(a_file_is_written_for_its_owner_alone_and_read_again),
        IN_A_FOLDER(what_a_crash_left_behind_is_written_over),
        IN_A_FOLDER(a_link_to_the_file_stays_a_link),
        IN_A_FOLDER(a_file_that_others_may_read_is_refused_with_the_fix),
        IN_A_FOLDER(a_file_without_a_key_is_refused),
        IN_A_FOLDER(a_folder_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests_name("crypto/instance_key", tests, NULL, NULL);
}
