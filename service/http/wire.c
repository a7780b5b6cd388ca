#include "service/http/wire.h"

#include <microhttpd.h>
#include <sys/socket.h>
#include <time.h>

enum { DATE_BYTES = 64 };

void wire_send(int socket, const struct reply *reply) {
    struct str text = STR_INIT;
    char date[DATE_BYTES];
    struct tm utc;
    time_t now = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &utc));
    str_addf(&text, "HTTP/1.1 %d %s\r\n", reply->code,
             MHD_get_reason_phrase_for((unsigned)reply->code));
    str_addf(&text, "Date: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", date,
             reply->content_type, reply->body.len);
    str_add(&text, "X-Content-Type-Options: nosniff\r\nConnection: close\r\n");
    for (int i = 0; i < reply->header_count; i++)
        str_addf(&text, "%s: %s\r\n", reply->header[i].name, reply->header[i].value);
    str_add(&text, "\r\n");
    str_add_bytes(&text, reply->body.data, reply->body.len);
    (void)!send(socket, text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    str_release(&text);
}
