#include <inttypes.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "strata/device.h"
#include "cli/terminal.h"

enum { MAX_DEVICES = 17 };

static const char *vendor_name(uint32_t id)
{
    static const struct {
        uint32_t id;
        const char *name;
    } vendors[] = {
        { 0x1002, "AMD" },          { 0x1010, "Imagination" }, { 0x106b, "Apple" },
        { 0x10de, "NVIDIA" },       { 0x13b5, "Arm" },         { 0x1414, "Microsoft" },
        { 0x144d, "Samsung" },      { 0x14e4, "Broadcom" },    { 0x1ae0, "Google" },
        { 0x5143, "Qualcomm" },     { 0x8086, "Intel" },       { 0x10001, "Vivante" },
        { 0x10002, "VeriSilicon" }, { 0x10003, "Kazan" },      { 0x10004, "Codeplay" },
        { 0x10005, "Mesa" },        { 0x10006, "PoCL" },       { 0x10007, "Mobileye" },
    };
    for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++)
        if (vendors[i].id == id) return vendors[i].name;
    return "unknown vendor";
}

static void api_text(char out[32], uint32_t api)
{
    snprintf(out, 32, "%u.%u.%u", (unsigned)(api >> 22 & 0x7f), (unsigned)(api >> 12 & 0x3ff),
             (unsigned)(api & 0xfff));
}

static void show(uint32_t number, const strata_device_entry *e)
{
    const strata_caps *c = &e->caps;
    char api[32];
    printf("%u  %s%s%s%s\n", (unsigned)number, cli_style_begin(stdout, CLI_BOLD), c->name,
           cli_style_end(stdout), e->automatic ? "  <- auto takes this one" : "");
    if (!c->vulkan) {
        printf("   %s, on %u %s; slow, and the judge of all others\n", c->driver, (unsigned)c->cores,
               strata_noun(c->cores, "thread", "threads"));
        return;
    }
    api_text(api, c->api_version);
    printf("   %s, %s (0x%04x:0x%04x), %s, Vulkan %s\n", e->type, vendor_name(c->vendor_id),
           (unsigned)c->vendor_id, (unsigned)c->device_id, c->driver, api);
    printf("   memory %s, one binding %s, workgroup %u, shared memory %s", cli_bytes(c->memory).s,
           cli_bytes(c->max_range).s, (unsigned)c->max_group, cli_bytes(c->shared_bytes).s);
    if (e->subgroup_min < e->subgroup_max)
        printf(", subgroup %u of %u to %u\n", (unsigned)c->subgroup, (unsigned)e->subgroup_min,
               (unsigned)e->subgroup_max);
    else if (c->subgroup)
        printf(", subgroup %u\n", (unsigned)c->subgroup);
    else
        printf(", no subgroup operations\n");
    if (e->usable)
        printf("   used with fp32, and with --precision fp16 for tensors of 16 bits%s\n",
               e->fp16 ? "; that it can compute with them is not used" : "");
    else
        printf("   cannot be used: %s\n", e->why);
}

static void show_json(uint32_t number, const strata_device_entry *e)
{
    const strata_caps *c = &e->caps;
    char api[32];
    api_text(api, c->api_version);
    printf("%s  {\"number\": %u, \"name\": ", number ? ",\n" : "", (unsigned)number);
    cli_json_text(c->name);
    cli_json_key("type", false);
    cli_json_text(e->type);
    cli_json_key("vendor", false);
    cli_json_text(c->vulkan ? vendor_name(c->vendor_id) : "");
    cli_json_key("driver", false);
    cli_json_text(c->driver);
    cli_json_key("api", false);
    cli_json_text(c->vulkan ? api : "");
    printf(", \"vendor_id\": %u, \"device_id\": %u, \"driver_version\": %u, \"memory_bytes\": %" PRIu64
           ", \"binding_bytes\": %" PRIu64 ", \"workgroup\": %u, \"shared_bytes\": %u, \"subgroup\": %u, "
           "\"subgroup_min\": %u, \"subgroup_max\": %u, "
           "\"cores\": %u, \"fp16\": %s, \"usable\": %s, \"auto\": %s",
           (unsigned)c->vendor_id, (unsigned)c->device_id, (unsigned)c->driver_version, c->memory,
           c->max_range, (unsigned)c->max_group, (unsigned)c->shared_bytes, (unsigned)c->subgroup,
           (unsigned)e->subgroup_min, (unsigned)e->subgroup_max, (unsigned)c->cores,
           e->fp16 ? "true" : "false", e->usable ? "true" : "false", e->automatic ? "true" : "false");
    cli_json_key("uses", false);
    cli_json_text(e->usable ? "fp32, fp16" : "");
    cli_json_key("why", false);
    cli_json_text(e->why);
    putchar('}');
}

static strata_status run(cli_arguments *a)
{
    const bool json = cli_option_given(a, "json") != NULL;
    const char *note = "";
    uint32_t n = 0;
    strata_device_entry *entry = calloc(MAX_DEVICES, sizeof *entry);
    if (!entry) return cli_fail(STRATA_NO_MEMORY, "no memory for a list of devices");
    strata_status status = strata_device_list(entry, MAX_DEVICES, &n, &note);
    if (status == STRATA_OK && *note) cli_note("%s", note);
    if (status == STRATA_OK && json) printf("[\n");
    for (uint32_t i = 0; status == STRATA_OK && i < n; i++) (json ? show_json : show)(i, &entry[i]);
    if (status == STRATA_OK && json) printf("\n]\n");
    free(entry);
    return status;
}

static const cli_option options[] = {
    { 0, "json", NULL, "as a JSON list" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_devices = {
    .name = "devices",
    .summary = "list the Vulkan devices and the CPU reference",
    .synopsis = "[--json]",
    .examples = "strata devices\nstrata train builtin:digits --device 0",
    .text =
        "Lists every Vulkan device, what it can do, and whether Strata can use it; the CPU reference comes "
        "last. The number, or part of the name, is what --device takes. Without --device (auto) a discrete "
        "GPU is preferred to an integrated one, and that to a software device.",
    .options = options,
    .keys = "",
    .run = run,
};
