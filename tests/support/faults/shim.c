/* Counts the calls that change files below a directory, and disturbs one of them.
 *
 * fault_arm(root, at, kind) starts the count: call number `at`, from 1, is disturbed.
 * kind > 0: the call fails with this errno. kind == 0: the process is killed before the call.
 * kind < 0: signal -kind is sent to the process, and the call is done. fault_count() returns the number of calls.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char root[PATH_MAX];
static long at, count;
static int kind, armed;
static char names[65536];

void fault_arm(const char *directory, long number, int what) {
    strncpy(root, directory, sizeof root - 1);
    at = number, kind = what, count = 0, armed = 1, names[0] = 0;
}
long fault_count(void) { armed = 0; return count; }
const char *fault_names(void) { return names; }

static int below(const char *path) { return strncmp(path, root, strlen(root)) == 0; }

static int path_below(int directory, const char *path) {
    char link[64], full[PATH_MAX * 2];
    if (!armed || !path) return 0;
    if (path[0] == '/') return below(path);
    if (directory == AT_FDCWD) {
        if (!getcwd(full, PATH_MAX)) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
        ssize_t size = readlink(link, full, PATH_MAX);
        if (size < 0) return 0;
        full[size] = 0;
    }
    return below(full);
}

static int file_below(int descriptor) {
    char link[64], full[PATH_MAX + 1];
    if (!armed || descriptor < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, full, PATH_MAX);
    if (size < 0) return 0;
    full[size] = 0;
    return below(full);
}

/* Returns whether the call fails; errno is set then. */
static int disturbed(const char *name) {
    count++;
    if (strlen(names) + strlen(name) + 2 < sizeof names) strcat(strcat(names, name), " ");
    if (count != at) return 0;
    if (kind == 0) kill(getpid(), SIGKILL);
    if (kind < 0) { raise(-kind); return 0; }
    errno = kind;
    return 1;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define ON_FILE(type, name, declared, used, descriptor) \
    type name declared { REAL(name); if (file_below(descriptor) && disturbed(#name)) return (type)-1; return real used; }
#define ON_PATH(name, declared, used, directory, path) \
    int name declared { REAL(name); if (path_below(directory, path) && disturbed(#name)) return -1; return real used; }

ON_FILE(ssize_t, write, (int d, const void *b, size_t n), (d, b, n), d)
ON_FILE(ssize_t, writev, (int d, const struct iovec *v, int n), (d, v, n), d)
ON_FILE(ssize_t, pwrite, (int d, const void *b, size_t n, off_t o), (d, b, n, o), d)
ON_FILE(ssize_t, pwrite64, (int d, const void *b, size_t n, off64_t o), (d, b, n, o), d)
ON_FILE(int, fsync, (int d), (d), d)
ON_FILE(int, fdatasync, (int d), (d), d)
ON_FILE(int, ftruncate, (int d, off_t n), (d, n), d)
ON_FILE(int, ftruncate64, (int d, off64_t n), (d, n), d)
ON_FILE(int, fchmod, (int d, mode_t m), (d, m), d)
ON_FILE(void *, mmap, (void *a, size_t n, int p, int f, int d, off_t o), (a, n, p, f, d, o), d)
ON_FILE(void *, mmap64, (void *a, size_t n, int p, int f, int d, off64_t o), (a, n, p, f, d, o), d)
ON_PATH(rename, (const char *a, const char *b), (a, b), AT_FDCWD, b)
ON_PATH(renameat, (int d, const char *a, int e, const char *b), (d, a, e, b), e, b)
ON_PATH(renameat2, (int d, const char *a, int e, const char *b, unsigned f), (d, a, e, b, f), e, b)
ON_PATH(mkdir, (const char *p, mode_t m), (p, m), AT_FDCWD, p)
ON_PATH(mkdirat, (int d, const char *p, mode_t m), (d, p, m), d, p)
ON_PATH(unlink, (const char *p), (p), AT_FDCWD, p)
ON_PATH(unlinkat, (int d, const char *p, int f), (d, p, f), d, p)
ON_PATH(rmdir, (const char *p), (p), AT_FDCWD, p)
ON_PATH(link, (const char *a, const char *b), (a, b), AT_FDCWD, b)
ON_PATH(linkat, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f), e, b)
ON_PATH(chmod, (const char *p, mode_t m), (p, m), AT_FDCWD, p)

#define MODE mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list l; va_start(l, flags); mode = va_arg(l, mode_t); va_end(l); }
#define FOR_WRITING (flags & (O_WRONLY | O_RDWR | O_CREAT))
int open(const char *p, int flags, ...) {
    REAL(open); MODE
    if (FOR_WRITING && path_below(AT_FDCWD, p) && disturbed("open")) return -1;
    return real(p, flags, mode);
}
int open64(const char *p, int flags, ...) {
    REAL(open64); MODE
    if (FOR_WRITING && path_below(AT_FDCWD, p) && disturbed("open")) return -1;
    return real(p, flags, mode);
}
int openat(int d, const char *p, int flags, ...) {
    REAL(openat); MODE
    if (FOR_WRITING && path_below(d, p) && disturbed("open")) return -1;
    return real(d, p, flags, mode);
}
int openat64(int d, const char *p, int flags, ...) {
    REAL(openat64); MODE
    if (FOR_WRITING && path_below(d, p) && disturbed("open")) return -1;
    return real(d, p, flags, mode);
}
