/*
 * Fails the n-th call on files under one folder, as a disk would: for LD_PRELOAD, see disk-shim.ts.
 *
 * The control file is shared: cells say which call fails, how and how often; the last two count.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { COUNTDOWN, TIMES, SHORT, ERRNO, KINDS, CALLS, HITS, CELLS };
enum { WRITE = 1, SYNC = 2, TRUNCATE = 4, READ = 8 };

static volatile int64_t *cells;
static const char *under;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("DISK_SHIM_CONTROL");
  under = getenv("DISK_SHIM_UNDER");
  if (path == NULL || under == NULL) return;
  int fd = open(path, O_RDWR);
  if (fd == -1) return;
  void *map = mmap(NULL, CELLS * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) cells = map;
  close(fd);
}

/* True: this call is to fail. */
static int fails_here(int kind) {
  if ((cells[KINDS] & kind) == 0) return 0;
  __sync_add_and_fetch(&cells[CALLS], 1);
  int64_t left = cells[COUNTDOWN];
  if (left <= 0) return 0;
  if (left > 1) {
    __sync_sub_and_fetch(&cells[COUNTDOWN], 1);
    return 0;
  }
  __sync_add_and_fetch(&cells[HITS], 1);
  if (__sync_sub_and_fetch(&cells[TIMES], 1) <= 0) cells[COUNTDOWN] = 0;
  return 1;
}

static int fails(int fd, int kind) {
  if (cells == NULL || cells[KINDS] == 0) return 0;
  char name[64], path[4096];
  int before = errno;
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(name, path, sizeof path - 1);
  errno = before;
  if (length <= 0) return 0;
  path[length] = 0;
  if (strncmp(path, under, strlen(under)) != 0) return 0;
  return fails_here(kind);
}

#define GIVE_UP do { errno = (int)cells[ERRNO]; return -1; } while (0)

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  static ssize_t (*real)(int, const void *, size_t, off64_t) = NULL;
  if (real == NULL) real = dlsym(RTLD_NEXT, "pwrite64");
  if (!fails(fd, WRITE)) return real(fd, bytes, count, at);
  if (cells[SHORT]) return real(fd, bytes, (count + 1) / 2, at);
  GIVE_UP;
}
ssize_t write(int fd, const void *bytes, size_t count) {
  static ssize_t (*real)(int, const void *, size_t) = NULL;
  if (real == NULL) real = dlsym(RTLD_NEXT, "write");
  if (!fails(fd, WRITE)) return real(fd, bytes, count);
  if (cells[SHORT]) return real(fd, bytes, (count + 1) / 2);
  GIVE_UP;
}
ssize_t pread64(int fd, void *bytes, size_t count, off64_t at) {
  static ssize_t (*real)(int, void *, size_t, off64_t) = NULL;
  if (real == NULL) real = dlsym(RTLD_NEXT, "pread64");
  if (!fails(fd, READ)) return real(fd, bytes, count, at);
  if (cells[SHORT]) return real(fd, bytes, (count + 1) / 2, at);
  GIVE_UP;
}
int fsync(int fd) {
  static int (*real)(int) = NULL;
  if (real == NULL) real = dlsym(RTLD_NEXT, "fsync");
  if (!fails(fd, SYNC)) return real(fd);
  GIVE_UP;
}
int fdatasync(int fd) {
  static int (*real)(int) = NULL;
  if (real == NULL) real = dlsym(RTLD_NEXT, "fdatasync");
  if (!fails(fd, SYNC)) return real(fd);
  GIVE_UP;
}
int ftruncate64(int fd, off64_t length) {
  static int (*real)(int, off64_t) = NULL;
  if (real == NULL) real = dlsym(RTLD_NEXT, "ftruncate64");
  if (!fails(fd, TRUNCATE)) return real(fd, length);
  GIVE_UP;
}
