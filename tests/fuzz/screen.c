/* Whatever an operator's terminal sends: keys, what they do to the list, and what is drawn. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "channels/screen/board.h"
#include "channels/screen/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static Ipc__Approval *some_request(uint8_t kind, const uint8_t *text, size_t n)
{
    static char ids[4][8] = { "A7K2MQ", "B7K2MQ", "C7K2MQ", "D7K2MQ" };
    char copy[64] = "";
    Ipc__Approval a = IPC__APPROVAL__INIT;
    Ipc__ApprovalContent content = IPC__APPROVAL_CONTENT__INIT;
    Ipc__Person who = IPC__PERSON__INIT;
    Ipc__Approve terms = IPC__APPROVE__INIT;
    for (size_t i = 0; i < n && i < sizeof copy - 1; i++)
        copy[i] = text[i] ? (char)text[i] : 'x';
    who.name = a.rule = a.reason = a.target = a.login = a.recording = content.preview = copy;
    terms.must_sign = kind & 8;
    a.id = ids[kind & 3];
    a.state = kind & 4 ? IPC__APPROVAL_STATE__APPROVAL_DENIED : IPC__APPROVAL_STATE__APPROVAL_OPEN;
    a.requester = &who, a.approve = &terms, a.content = &content;
    content.statement = (ProtobufCBinaryData){ n, (uint8_t *)(uintptr_t)text };
    size_t size = ipc__approval__get_packed_size(&a);
    uint8_t *packed = malloc(size ? size : 1);
    if (!packed)
        abort();
    (void)ipc__approval__pack(&a, packed);
    /* protobuf-c takes texts as they are: the board has to. */
    Ipc__Approval *made = ipc__approval__unpack(NULL, size, packed);
    free(packed);
    return made;
}

/* Control characters reach the terminal in the canvas's own sequences alone. */
static void check(const struct buffer *out)
{
    const uint8_t *bytes = buffer_head(out);
    for (size_t i = 0; i < buffer_size(out); i++)
        if (bytes[i] == 0x7f || (bytes[i] < 0x20 && !(bytes[i] == 0x1b && bytes[i + 1] == '[')))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(board_free) struct board *board = NULL;
    struct canvas *shown = NULL;
    struct keys keys = { 0 };
    if (n < 4 || board_new(&board))
        return 0;
    unsigned columns = bytes[0] % 100 + 1, rows = bytes[1] % 40 + 1;
    for (size_t i = 2; i < n; i++) {
        if (bytes[i] == 0xff) { /* never in UTF-8: something happens */
            Ipc__Approval *request =
                some_request(i + 1 < n ? bytes[i + 1] : 0, bytes + i, n - i < 200 ? n - i : 200);
            if (request && board_put(board, request, 1000 * i))
                abort();
            continue;
        }
        (void)board_key(board, keys_take(&keys, bytes[i]));
        (void)board_due(board, 1000 * i);
        if (bytes[i] & 3)
            continue;
        struct canvas *next = NULL;
        struct buffer out;
        int row, column;
        buffer_init(&out, 1 << 20);
        if (canvas_new(columns, rows, &next) || board_draw(board, 1000 * i, next, &row, &column) ||
            canvas_paint(shown, next, bytes[i] & 4, &out) || row >= (int)rows || column > (int)columns)
            abort();
        check(&out);
        buffer_free(&out);
        canvas_free(shown);
        shown = next;
    }
    canvas_free(shown);
    return 0;
}
