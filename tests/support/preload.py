"""A library for LD_PRELOAD that lets the calls of a process fail, or its clock be wrong, as an experiment asks.

``FAULT_AT`` is the number of the call that fails, counted over all calls that change the file system below
``FAULT_ROOT``; ``FAULT_ERRNO`` is what it fails with, and ``FAULT_ALL=1`` lets all later ones fail, too, as on a disk
that is full. ``FAULT_COUNT`` names a file that gets the number of calls when the process ends by itself.
``FAULT_CLOCK`` is a number of seconds by which the clock is wrong, ``FAULT_JUMP`` the number of the question from which
on it is right again: a clock that was set while a build ran.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static atomic_long calls, questions;
static long at, all, number, jump;
static double wrong;
static const char *root, *count;

__attribute__((constructor)) static void begin(void) {
    const char *text;
    root = getenv("FAULT_ROOT");
    count = getenv("FAULT_COUNT");
    if ((text = getenv("FAULT_AT"))) at = atol(text);
    if ((text = getenv("FAULT_ERRNO"))) number = atol(text);
    if ((text = getenv("FAULT_ALL"))) all = atol(text);
    if ((text = getenv("FAULT_CLOCK"))) wrong = atof(text);
    if ((text = getenv("FAULT_JUMP"))) jump = atol(text);
}

__attribute__((destructor)) static void end(void) {
    if (!count) return;
    FILE *file = fopen(count, "a");
    if (file) { fprintf(file, "%ld\n", atomic_load(&calls)); fclose(file); }
}

static int fails(void) {
    long seen = atomic_fetch_add(&calls, 1) + 1;
    if (at && (seen == at || (all && seen > at))) { errno = (int)number; return 1; }
    return 0;
}

static int is_below(const char *path) { return root && path && !strncmp(path, root, strlen(root)); }

static int is_counted(const char *path) {
    char here[4096];
    if (!path) return 0;
    if (path[0] == '/') return is_below(path);
    return getcwd(here, sizeof here) && is_below(here);
}

static int is_file(int fd) {
    char link[64], path[4096];
    struct stat status;
    if (fstat(fd, &status) || !S_ISREG(status.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return is_below(path);
}

#define NEXT(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define GUARD(counted) do { int before = errno; if ((counted) && fails()) return -1; errno = before; } while (0)

ssize_t write(int fd, const void *data, size_t size) { NEXT(write); GUARD(is_file(fd)); return real(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t to) {
    NEXT(pwrite); GUARD(is_file(fd)); return real(fd, data, size, to); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t to) {
    NEXT(pwrite64); GUARD(is_file(fd)); return real(fd, data, size, to); }
ssize_t writev(int fd, const struct iovec *data, int parts) {
    NEXT(writev); GUARD(is_file(fd)); return real(fd, data, parts); }
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size, unsigned flags) {
    NEXT(copy_file_range); GUARD(is_file(out)); return real(in, from, out, to, size, flags); }
int ftruncate(int fd, off_t size) { NEXT(ftruncate); GUARD(is_file(fd)); return real(fd, size); }
int ftruncate64(int fd, off64_t size) { NEXT(ftruncate64); GUARD(is_file(fd)); return real(fd, size); }
int mkdir(const char *path, mode_t mode) { NEXT(mkdir); GUARD(is_counted(path)); return real(path, mode); }
int mkdirat(int fd, const char *path, mode_t mode) {
    NEXT(mkdirat); GUARD(is_counted(path)); return real(fd, path, mode); }
int link(const char *from, const char *to) { NEXT(link); GUARD(is_counted(to)); return real(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    NEXT(linkat); GUARD(is_counted(to)); return real(a, from, b, to, flags); }
int symlink(const char *from, const char *to) { NEXT(symlink); GUARD(is_counted(to)); return real(from, to); }
int rename(const char *from, const char *to) { NEXT(rename); GUARD(is_counted(to)); return real(from, to); }
int renameat(int a, const char *from, int b, const char *to) {
    NEXT(renameat); GUARD(is_counted(to)); return real(a, from, b, to); }
int fsync(int fd) { NEXT(fsync); GUARD(is_file(fd)); return real(fd); }

#define OPEN(name) \
int name(const char *path, int flags, ...) { \
    mode_t mode = 0; va_list rest; va_start(rest, flags); \
    if (flags & (O_CREAT | O_TMPFILE)) mode = va_arg(rest, mode_t); \
    va_end(rest); NEXT(name); GUARD((flags & O_CREAT) && is_counted(path)); return real(path, flags, mode); }
#define OPENAT(name) \
int name(int fd, const char *path, int flags, ...) { \
    mode_t mode = 0; va_list rest; va_start(rest, flags); \
    if (flags & (O_CREAT | O_TMPFILE)) mode = va_arg(rest, mode_t); \
    va_end(rest); NEXT(name); GUARD((flags & O_CREAT) && is_counted(path)); return real(fd, path, flags, mode); }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

static double error_of(void) {
    if (wrong == 0) return 0;
    return jump && atomic_fetch_add(&questions, 1) >= jump ? 0 : wrong;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    NEXT(clock_gettime);
    int done = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += (time_t)error_of();
    return done;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    NEXT(gettimeofday);
    int done = real(now, zone);
    now->tv_sec += (time_t)error_of();
    return done;
}
"""


def build(folder: Path) -> Path:
    """Compile the library into a folder and return it; raises CalledProcessError where there is no C compiler."""
    source, library = folder / "faults.c", folder / "faults.so"
    source.write_text(SOURCE, encoding="ascii")
    command = ["gcc", "-shared", "-fPIC", "-O1", "-w", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library
