/* In every program of a build with a sanitizer: what was loaded stays. The loader unloads drivers and layers
 * with their instance. The sanitizer of threads ends a program that unloads one which tests/tsan.supp names;
 * that of addresses does not know afterwards whose memory it was, by which tests/lsan.supp goes. */
int dlclose(void *handle);

__attribute__((visibility("default"))) int dlclose(void *handle)
{
    (void)handle;
    return 0;
}
