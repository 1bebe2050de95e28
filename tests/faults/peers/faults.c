/* Calls of the C library that fail or do nothing, for a process of any language: LD_PRELOAD=faults.so.
 *
 * FAULTS_FOLDER   writes and syncs of files below it are counted and may fail
 * FAULTS_WRITE    after so many bytes every write fails with EIO
 * FAULTS_STOP     the write that reaches so many bytes writes no more than them, and the process stops (SIGSTOP), once
 * FAULTS_SYNC     every fsync and fdatasync fails with EIO
 * FAULTS_LOCKS    flock, lockf and fcntl's locks do nothing and say that they were taken
 * FAULTS_TOLD     a file that is made as soon as one of these has been done
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_llong written;

static void tell(void) {
    const char *path = getenv("FAULTS_TOLD");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd >= 0) close(fd);
}

static int is_below(int fd) {
    const char *folder = getenv("FAULTS_FOLDER");
    char link[64], path[4096];
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = folder ? readlink(link, path, sizeof path - 1) : -1;
    errno = kept;
    return length > 0 && !strncmp(path, folder, strlen(folder)) && path[strlen(folder)] == '/';
}

static int write_fails(int fd, long long size) {
    const char *after = getenv("FAULTS_WRITE");
    if (!after || !is_below(fd)) return 0;
    if (atomic_fetch_add(&written, size) + size <= atoll(after)) return 0;
    tell();
    errno = EIO;
    return 1;
}

/* How much of a write is to be done before the process stops; 0 if it is not to stop. */
static size_t before_stop(int fd, size_t size) {
    const char *at = getenv("FAULTS_STOP");
    if (!at || !is_below(fd)) return 0;
    long long limit = atoll(at), before = atomic_fetch_add(&written, size);
    return before < limit && before + (long long)size >= limit ? (size_t)(limit - before) : 0;
}

static void stop(void) {
    tell();
    kill(getpid(), SIGSTOP);
}

static int sync_fails(int fd) {
    if (!getenv("FAULTS_SYNC") || !is_below(fd)) return 0;
    tell();
    errno = EIO;
    return 1;
}

static int lock_is_void(void) {
    if (!getenv("FAULTS_LOCKS")) return 0;
    tell();
    return 1;
}

static long long total(const struct iovec *parts, int count) {
    long long size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    return size;
}

#define REAL(result, name, ...) ((result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) {
    if (write_fails(fd, size)) return -1;
    size_t part = before_stop(fd, size);
    ssize_t done = REAL(ssize_t, write, int, const void *, size_t)(fd, data, part ? part : size);
    if (part) stop();
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return write_fails(fd, size) ? -1 : REAL(ssize_t, pwrite, int, const void *, size_t, off_t)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return write_fails(fd, size) ? -1 : REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)(fd, data, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    return write_fails(fd, total(parts, count)) ? -1 : REAL(ssize_t, writev, int, const struct iovec *, int)(fd, parts, count);
}

ssize_t sendfile(int to, int from, off_t *at, size_t size) {
    return write_fails(to, size) ? -1 : REAL(ssize_t, sendfile, int, int, off_t *, size_t)(to, from, at, size);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t size) {
    return write_fails(to, size) ? -1 : REAL(ssize_t, sendfile64, int, int, off64_t *, size_t)(to, from, at, size);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    return write_fails(fd, total(parts, count))
               ? -1
               : REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t)(fd, parts, count, at);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t size, unsigned flags) {
    return write_fails(to, size) ? -1
                                 : REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned)(
                                       from, from_at, to, to_at, size, flags);
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
    return write_fails(fileno(file), (long long)size * count)
               ? 0
               : REAL(size_t, fwrite, const void *, size_t, size_t, FILE *)(data, size, count, file);
}

int fsync(int fd) { return sync_fails(fd) ? -1 : REAL(int, fsync, int)(fd); }

int fdatasync(int fd) { return sync_fails(fd) ? -1 : REAL(int, fdatasync, int)(fd); }

int flock(int fd, int operation) { return lock_is_void() ? 0 : REAL(int, flock, int, int)(fd, operation); }

int lockf(int fd, int command, off_t size) { return lock_is_void() ? 0 : REAL(int, lockf, int, int, off_t)(fd, command, size); }

int lockf64(int fd, int command, off64_t size) {
    return lock_is_void() ? 0 : REAL(int, lockf64, int, int, off64_t)(fd, command, size);
}

static int is_lock(int command) {
    return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

#define FCNTL(name)                                                                            \
    int name(int fd, int command, ...) {                                                       \
        va_list rest;                                                                          \
        va_start(rest, command);                                                               \
        void *argument = va_arg(rest, void *);                                                 \
        va_end(rest);                                                                          \
        if (is_lock(command) && lock_is_void()) return 0;                                      \
        return REAL(int, name, int, int, ...)(fd, command, argument);                          \
    }
FCNTL(fcntl)
FCNTL(fcntl64)
