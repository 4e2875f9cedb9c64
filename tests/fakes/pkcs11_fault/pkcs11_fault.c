/*
 * A PKCS#11 module that forwards to a real one, and on command fails a call or never comes back from it.
 *
 *   STRONGROOM_FAULT_MODULE   path of the real module
 *   STRONGROOM_FAULT_ORDERS   path of a text file, read anew at each call; when its text changes, counting begins anew
 *   STRONGROOM_FAULT_CALLS    path of a file to which the name of each call is appended, one a line
 *
 * Each line of the orders is
 *
 *   FUNCTION FIRST LAST VERDICT
 *
 * and speaks of the calls of FUNCTION (`*`: of any function) numbered FIRST to LAST, counted from 1 by each process for
 * each line; LAST 0 means for ever. VERDICT is one of
 *
 *   CODE          a CK_RV in hexadecimal, returned without asking the real module
 *   after:CODE    the same, but the real module is asked first and its answer dropped: it has ended the operation
 *   stall         the call waits until the orders change, and then goes on
 *
 * The first line that fits decides; no line: the call goes on.
 *
 * Only the functions that python-pkcs11 uses for this project are wrapped; the others are the real module's own. For one
 * thread, as keepers are. Types and the order of functions are those of PKCS#11 2.40 (OASIS), for Unix: no packing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long CK_RV;
typedef unsigned long CK_ULONG;
typedef unsigned char CK_BYTE;

enum { CKR_OK = 0x0, CKR_GENERAL_ERROR = 0x5 };

/* Every function, in the order of CK_FUNCTION_LIST. */
#define FUNCTIONS(X)                                                                                                   \
    X(C_Initialize) X(C_Finalize) X(C_GetInfo) X(C_GetFunctionList) X(C_GetSlotList) X(C_GetSlotInfo)                  \
    X(C_GetTokenInfo) X(C_GetMechanismList) X(C_GetMechanismInfo) X(C_InitToken) X(C_InitPIN) X(C_SetPIN)              \
    X(C_OpenSession) X(C_CloseSession) X(C_CloseAllSessions) X(C_GetSessionInfo) X(C_GetOperationState)                \
    X(C_SetOperationState) X(C_Login) X(C_Logout) X(C_CreateObject) X(C_CopyObject) X(C_DestroyObject)                 \
    X(C_GetObjectSize) X(C_GetAttributeValue) X(C_SetAttributeValue) X(C_FindObjectsInit) X(C_FindObjects)             \
    X(C_FindObjectsFinal) X(C_EncryptInit) X(C_Encrypt) X(C_EncryptUpdate) X(C_EncryptFinal) X(C_DecryptInit)          \
    X(C_Decrypt) X(C_DecryptUpdate) X(C_DecryptFinal) X(C_DigestInit) X(C_Digest) X(C_DigestUpdate) X(C_DigestKey)     \
    X(C_DigestFinal) X(C_SignInit) X(C_Sign) X(C_SignUpdate) X(C_SignFinal) X(C_SignRecoverInit) X(C_SignRecover)      \
    X(C_VerifyInit) X(C_Verify) X(C_VerifyUpdate) X(C_VerifyFinal) X(C_VerifyRecoverInit) X(C_VerifyRecover)           \
    X(C_DigestEncryptUpdate) X(C_DecryptDigestUpdate) X(C_SignEncryptUpdate) X(C_DecryptVerifyUpdate)                  \
    X(C_GenerateKey) X(C_GenerateKeyPair) X(C_WrapKey) X(C_UnwrapKey) X(C_DeriveKey) X(C_SeedRandom)                   \
    X(C_GenerateRandom) X(C_GetFunctionStatus) X(C_CancelFunction) X(C_WaitForSlotEvent)

#define INDEX(name) I_##name,
enum { FUNCTIONS(INDEX) FUNCTION_COUNT };

typedef struct {
    CK_BYTE version[2];
    void (*at[FUNCTION_COUNT])(void);
} FunctionList;

#define AFTER "after:"

enum { MOST_BYTES = 4096, MOST_LINES = 64 };

static FunctionList real;
static FunctionList ours;
static char orders[MOST_BYTES];
static unsigned long met[MOST_LINES]; /* calls that each line of the orders has seen */

static void fatal(const char *why) {
    fprintf(stderr, "pkcs11_fault: %s\n", why);
    abort();
}

static const char *setting(const char *name) {
    const char *value = getenv(name);
    if (value == NULL) {
        fatal(name);
    }
    return value;
}

static void record(const char *function) {
    char line[64];
    int length = snprintf(line, sizeof line, "%s\n", function);
    int file = open(setting("STRONGROOM_FAULT_CALLS"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 || write(file, line, (size_t)length) != length) {
        fatal("cannot record a call");
    }
    close(file);
}

static void read_orders(void) {
    char now[MOST_BYTES] = {0};
    int file = open(setting("STRONGROOM_FAULT_ORDERS"), O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, now, sizeof now - 1) < 0) {
        fatal("cannot read the orders");
    }
    close(file);
    if (memcmp(now, orders, sizeof now) != 0) {
        memcpy(orders, now, sizeof now);
        memset(met, 0, sizeof met);
    }
}

static void stall(void) {
    char then[MOST_BYTES];
    memcpy(then, orders, sizeof then);
    while (memcmp(then, orders, sizeof then) == 0) {
        usleep(10 * 1000);
        read_orders();
    }
}

typedef enum { GO_ON, FAIL, FAIL_AFTER } Verdict;

/* Returns what is to become of the call, and the code for one that fails. */
static Verdict ordered(const char *function, CK_RV *code) {
    char text[MOST_BYTES], *rest = text, *line;
    Verdict decided = GO_ON;
    record(function);
    read_orders();
    memcpy(text, orders, sizeof text);
    for (int number = 0; number < MOST_LINES && (line = strsep(&rest, "\n")) != NULL; number++) {
        char name[32], verdict[32];
        unsigned long first, last;
        if (*line == '\0') {
            continue;
        }
        if (sscanf(line, "%31s %lu %lu %31s", name, &first, &last, verdict) != 4) {
            fatal("an order that is none");
        }
        if (strcmp(name, "*") != 0 && strcmp(name, function) != 0) {
            continue;
        }
        met[number]++;
        if (decided != GO_ON || met[number] < first || (last != 0 && met[number] > last)) {
            continue;
        }
        if (strcmp(verdict, "stall") == 0) {
            stall();
            return GO_ON;
        }
        decided = strncmp(verdict, AFTER, strlen(AFTER)) == 0 ? FAIL_AFTER : FAIL;
        *code = strtoul(decided == FAIL ? verdict : verdict + strlen(AFTER), NULL, 16);
    }
    return decided;
}

/* A function that does as ordered, else what the real one does. */
#define WRAP(name, parameters, arguments)                                                                              \
    static CK_RV name parameters {                                                                                     \
        CK_RV code = CKR_OK, answer = CKR_OK;                                                                          \
        Verdict verdict = ordered(#name, &code);                                                                       \
        if (verdict != FAIL) {                                                                                         \
            answer = ((CK_RV(*) parameters)real.at[I_##name])arguments;                                                \
        }                                                                                                              \
        return verdict == GO_ON ? answer : code;                                                                       \
    }

WRAP(C_Initialize, (void *settings), (settings))
WRAP(C_Finalize, (void *reserved), (reserved))
WRAP(C_GetInfo, (void *info), (info))
WRAP(C_GetSlotList, (CK_BYTE present, CK_ULONG *slots, CK_ULONG *count), (present, slots, count))
WRAP(C_GetSlotInfo, (CK_ULONG slot, void *info), (slot, info))
WRAP(C_GetTokenInfo, (CK_ULONG slot, void *info), (slot, info))
WRAP(C_GetMechanismList, (CK_ULONG slot, CK_ULONG *types, CK_ULONG *count), (slot, types, count))
WRAP(C_OpenSession, (CK_ULONG slot, CK_ULONG flags, void *context, void *notify, CK_ULONG *session),
     (slot, flags, context, notify, session))
WRAP(C_CloseSession, (CK_ULONG session), (session))
WRAP(C_Login, (CK_ULONG session, CK_ULONG user, CK_BYTE *pin, CK_ULONG length), (session, user, pin, length))
WRAP(C_Logout, (CK_ULONG session), (session))
WRAP(C_GetAttributeValue, (CK_ULONG session, CK_ULONG object, void *template, CK_ULONG count),
     (session, object, template, count))
WRAP(C_FindObjectsInit, (CK_ULONG session, void *template, CK_ULONG count), (session, template, count))
WRAP(C_FindObjects, (CK_ULONG session, CK_ULONG *objects, CK_ULONG most, CK_ULONG *count),
     (session, objects, most, count))
WRAP(C_FindObjectsFinal, (CK_ULONG session), (session))
WRAP(C_EncryptInit, (CK_ULONG session, void *mechanism, CK_ULONG key), (session, mechanism, key))
WRAP(C_Encrypt, (CK_ULONG session, CK_BYTE *in, CK_ULONG length, CK_BYTE *out, CK_ULONG *room),
     (session, in, length, out, room))
WRAP(C_DecryptInit, (CK_ULONG session, void *mechanism, CK_ULONG key), (session, mechanism, key))
WRAP(C_Decrypt, (CK_ULONG session, CK_BYTE *in, CK_ULONG length, CK_BYTE *out, CK_ULONG *room),
     (session, in, length, out, room))
WRAP(C_SignInit, (CK_ULONG session, void *mechanism, CK_ULONG key), (session, mechanism, key))
WRAP(C_Sign, (CK_ULONG session, CK_BYTE *in, CK_ULONG length, CK_BYTE *out, CK_ULONG *room),
     (session, in, length, out, room))
WRAP(C_GenerateRandom, (CK_ULONG session, CK_BYTE *out, CK_ULONG length), (session, out, length))

#define TAKE_OVER(name) ours.at[I_##name] = (void (*)(void))name;

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(FunctionList **list) {
    void *module = dlopen(setting("STRONGROOM_FAULT_MODULE"), RTLD_NOW | RTLD_LOCAL);
    if (module == NULL) {
        fatal(dlerror());
    }
    CK_RV (*get_list)(FunctionList **);
    *(void **)&get_list = dlsym(module, "C_GetFunctionList");
    FunctionList *found = NULL;
    if (get_list == NULL || get_list(&found) != CKR_OK || found == NULL) {
        return CKR_GENERAL_ERROR;
    }
    real = ours = *found;
    TAKE_OVER(C_Initialize)
    TAKE_OVER(C_Finalize)
    TAKE_OVER(C_GetInfo)
    TAKE_OVER(C_GetFunctionList)
    TAKE_OVER(C_GetSlotList)
    TAKE_OVER(C_GetSlotInfo)
    TAKE_OVER(C_GetTokenInfo)
    TAKE_OVER(C_GetMechanismList)
    TAKE_OVER(C_OpenSession)
    TAKE_OVER(C_CloseSession)
    TAKE_OVER(C_Login)
    TAKE_OVER(C_Logout)
    TAKE_OVER(C_GetAttributeValue)
    TAKE_OVER(C_FindObjectsInit)
    TAKE_OVER(C_FindObjects)
    TAKE_OVER(C_FindObjectsFinal)
    TAKE_OVER(C_EncryptInit)
    TAKE_OVER(C_Encrypt)
    TAKE_OVER(C_DecryptInit)
    TAKE_OVER(C_Decrypt)
    TAKE_OVER(C_SignInit)
    TAKE_OVER(C_Sign)
    TAKE_OVER(C_GenerateRandom)
    *list = &ours;
    return CKR_OK;
}
