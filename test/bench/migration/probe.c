/*
 * godwit-probe ADDRESS INTERVAL_US: ICMP echoes at a fixed rate, one line an answer:
 *
 *   SEQUENCE SENT_NS ARRIVED_NS          CLOCK_MONOTONIC
 *
 * Arrival is when the kernel had the packet (SO_TIMESTAMPNS), so that this program's own
 * delays on a busy host make no gap. Sending may be late; then no answer is due either, and
 * SENT_NS says so. Needs the right to open a raw socket.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEPT 65536

static uint64_t sent_ns[KEPT];

static uint64_t now_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint16_t checksum(const void *data, int words) {
  uint32_t sum = 0;
  for (const uint16_t *at = data; words > 0; words--) sum += *at++;
  sum = (sum >> 16) + (sum & 0xffff);
  return (uint16_t)~(sum + (sum >> 16));
}

static void answer(int sock, uint16_t id) {
  char data[256], control[256];
  struct iovec part = {data, sizeof data};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  while (message.msg_controllen = sizeof control, recvmsg(sock, &message, MSG_DONTWAIT) > 0) {
    const struct icmphdr *icmp = (const void *)(data + ((struct iphdr *)data)->ihl * 4);
    if (icmp->type != ICMP_ECHOREPLY || icmp->un.echo.id != id) continue;
    uint64_t real = now_ns(CLOCK_REALTIME), arrived = now_ns(CLOCK_MONOTONIC);
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
      if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_TIMESTAMPNS) continue;
      struct timespec stamp;
      memcpy(&stamp, CMSG_DATA(at), sizeof stamp);
      arrived -= real - ((uint64_t)stamp.tv_sec * 1000000000u + (uint64_t)stamp.tv_nsec);
    }
    uint32_t sequence;
    memcpy(&sequence, icmp + 1, sizeof sequence);
    printf("%u %llu %llu\n", sequence, (unsigned long long)sent_ns[sequence % KEPT], (unsigned long long)arrived);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  struct sockaddr_in to = {.sin_family = AF_INET};
  if (!inet_aton(argv[1], &to.sin_addr)) return 2;
  uint64_t interval = strtoull(argv[2], NULL, 10) * 1000;
  int sock = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), on = 1;
  if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on)) {
    perror("probe");
    return 1;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  /* It does next to nothing, but on time; without the right to that it is an ordinary process. */
  struct sched_param first = {.sched_priority = 10};
  sched_setscheduler(0, SCHED_FIFO, &first);
  uint16_t id = (uint16_t)getpid();
  uint64_t next = now_ns(CLOCK_MONOTONIC);
  for (uint32_t sequence = 0;;) {
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    if (now >= next) {
      struct { struct icmphdr head; uint32_t sequence; } echo = {.head = {.type = ICMP_ECHO, .un.echo = {.id = id, .sequence = (uint16_t)sequence}}, .sequence = sequence};
      echo.head.checksum = checksum(&echo, sizeof echo / 2);
      sent_ns[sequence++ % KEPT] = now;
      /* A full queue or a cable that is out: no answer, which is what it is about. */
      (void)!sendto(sock, &echo, sizeof echo, 0, (struct sockaddr *)&to, sizeof to);
      next = next + interval > now ? next + interval : now + interval;
    }
    struct pollfd wait = {.fd = sock, .events = POLLIN};
    uint64_t left = next > now ? next - now : 0;
    struct timespec until = {0, (long)left};
    if (ppoll(&wait, 1, &until, NULL) > 0) answer(sock, id);
  }
}
