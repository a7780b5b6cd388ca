#include "service/http/wire.h"

#include <microhttpd.h>
#include <sys/socket.h>

void wire_send(int socket, const struct reply *reply) {
    struct str text = STR_INIT;
    str_addf(&text, "HTTP/1.1 %d %s\r\n", reply->code,
             MHD_get_reason_phrase_for((unsigned)reply->code));
    str_addf(&text, "Content-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n",
             reply->content_type, reply->body.len);
    for (int i = 0; i < reply->header_count; i++)
        str_addf(&text, "%s: %s\r\n", reply->header[i].name, reply->header[i].value);
    str_add(&text, "\r\n");
    str_add_bytes(&text, reply->body.data, reply->body.len);
    (void)!send(socket, text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    str_release(&text);
}
