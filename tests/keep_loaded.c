/* In every program of a build for the thread sanitizer: what was loaded stays. The loader unloads a driver
 * with its instance, and the sanitizer ends a program that unloads one which tests/tsan.supp names. */
int dlclose(void *handle);

__attribute__((visibility("default"))) int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
