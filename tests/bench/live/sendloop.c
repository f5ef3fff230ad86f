/* The least a delivery costs: every connection is a viewer, except one that says POST, whose every message
 * (a 4-byte big-endian length, then the bytes) goes to all viewers with one send(2) each.
 * Usage: sendloop PORT */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 20000, LONGEST = 1 << 20 };
static int viewers[MOST], count, publisher = -1;
static char *message;

static int listen_on(int port) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096)) { perror("listen"); exit(1); }
    return fd;
}

static void welcome(int fd) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: ready\n\n";
    char request[4096];
    ssize_t n = recv(fd, request, sizeof request, 0);
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (n > 4 && !memcmp(request, "POST", 4)) { publisher = fd; return; }
    if (n <= 0 || count == MOST) { close(fd); return; }
    send(fd, head, sizeof head - 1, MSG_NOSIGNAL);
    viewers[count++] = fd;
}

static int whole(int fd, char *to, size_t size) {
    for (ssize_t n; size; to += n, size -= n)
        if ((n = recv(fd, to, size, 0)) <= 0) return 0;
    return 1;
}

static void broadcast(void) {
    uint32_t size;
    if (!whole(publisher, (char *)&size, 4) || (size = ntohl(size)) > LONGEST || !whole(publisher, message, size))
        exit(0);
    for (int i = 0; i < count; i++) send(viewers[i], message, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    int door = listen_on(atoi(argv[1])), poll = epoll_create1(0);
    struct epoll_event want = {.events = EPOLLIN, .data.fd = door}, got[256];
    message = malloc(LONGEST);
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &want);
    for (;;) {
        int n = epoll_wait(poll, got, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = got[i].data.fd;
            if (fd == door) {
                struct epoll_event new = {.events = EPOLLIN, .data.fd = accept(door, NULL, NULL)};
                epoll_ctl(poll, EPOLL_CTL_ADD, new.data.fd, &new);
            } else if (fd == publisher) {
                broadcast();
            } else {
                welcome(fd);
                if (fd != publisher) epoll_ctl(poll, EPOLL_CTL_DEL, fd, NULL);
            }
        }
    }
}
