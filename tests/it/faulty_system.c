/* The system as it should not be: a clock that is wrong, a disk that takes nothing.
 *
 * Loaded into the real program with LD_PRELOAD. FAULTY_SYSTEM names a file of two numbers, which a test changes while the program runs:
 * by how many seconds the clock is wrong, and the error of every write to a file (0: none). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct faults {
  int64_t clock_seconds;
  int64_t write_error;
};

static const struct faults none;
static const volatile struct faults *faults = &none;

__attribute__((constructor)) static void look(void) {
  const char *path = getenv("FAULTY_SYSTEM");
  int file = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
  void *shared = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, file, 0);
  if (shared != MAP_FAILED) faults = shared;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += faults->clock_seconds;
  return result;
}

/* Pipes, sockets and terminals are on no disk. */
static int is_refused(int file) {
  struct stat stat;
  if (faults->write_error == 0 || fstat(file, &stat) != 0 || !S_ISREG(stat.st_mode)) return 0;
  errno = faults->write_error;
  return 1;
}

ssize_t write(int file, const void *bytes, size_t count) {
  return is_refused(file) ? -1 : syscall(SYS_write, file, bytes, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  return is_refused(file) ? -1 : syscall(SYS_pwrite64, file, bytes, count, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  return pwrite64(file, bytes, count, offset);
}

int ftruncate64(int file, off64_t length) {
  return is_refused(file) ? -1 : syscall(SYS_ftruncate, file, length);
}

int ftruncate(int file, off_t length) {
  return ftruncate64(file, length);
}

int fallocate(int file, int mode, off_t offset, off_t length) {
  return is_refused(file) ? -1 : syscall(SYS_fallocate, file, mode, offset, length);
}

/* On a disk that is read-only a file cannot be opened to be written, nor made. */
static int is_refused_at(const char *path, int flags) {
  struct stat stat_of_path;
  int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
  if (faults->write_error != EROFS || !writes) return 0;
  if (stat(path, &stat_of_path) == 0 && !S_ISREG(stat_of_path.st_mode)) return 0;
  errno = EROFS;
  return 1;
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return is_refused_at(path, flags) ? -1 : syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open64(path, flags, mode);
}
