/* A PKCS#11 module that is another one with init arguments: NSS wants its folder in C_Initialize, and the library that
 * the keeper uses gives none. What p11-kit's x-init-reserved does, for tests.
 * STRONGROOM_INIT_MODULE: the real module. STRONGROOM_INIT_ARGUMENTS: its parameters. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define CKR_GENERAL_ERROR 5UL
#define CKF_OS_LOCKING_OK 2UL
#define FUNCTIONS 68 /* of PKCS#11 2.40 */

typedef unsigned long (*initialize_t)(void *);
struct list { unsigned char version[2]; void *functions[FUNCTIONS]; };
struct arguments { void *mutex[4]; unsigned long flags; void *reserved; };

static struct list ours;
static initialize_t real_initialize;

static unsigned long initialize(void *ignored) {
    (void)ignored;
    struct arguments arguments = { .flags = CKF_OS_LOCKING_OK, .reserved = getenv("STRONGROOM_INIT_ARGUMENTS") };
    return real_initialize(&arguments);
}

__attribute__((visibility("default"))) unsigned long C_GetFunctionList(struct list **out) {
    if (!real_initialize) {
        const char *path = getenv("STRONGROOM_INIT_MODULE");
        void *module = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
        unsigned long (*get)(struct list **) = module ? (unsigned long (*)(struct list **))dlsym(module, "C_GetFunctionList") : NULL;
        struct list *real = NULL;
        if (!get || get(&real)) return CKR_GENERAL_ERROR;
        memcpy(&ours, real, sizeof ours);
        real_initialize = (initialize_t)ours.functions[0];
        ours.functions[0] = (void *)initialize;
    }
    *out = &ours;
    return 0;
}
